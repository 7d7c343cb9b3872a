#define ELMAN_ISA avx2
#define ELMAN_BYTES 32
#define ELMAN_ROWS 6  // 12 sums, 2 of W, 1 of A in 16 registers
#include "simd/kernel_table.h"
