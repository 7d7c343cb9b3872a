// AVX-512 with products of bfloat16; all else is avx512.cpp's.
#define ELMAN_ISA avx512bf16
#define ELMAN_BYTES 64
#define ELMAN_ROWS 12  // 24 sums, 2 of W, 1 of A in 32 registers
#include "simd/products_bfloat16.h"
