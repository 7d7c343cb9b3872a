#define ELMAN_ISA avx512
#define ELMAN_BYTES 64
#define ELMAN_ROWS 12  // 24 sums, 2 of W, 1 of A in 32 registers
#include "simd/kernel_table.h"
