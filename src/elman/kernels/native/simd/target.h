// What a build for one instruction set is made of: ELMAN_ISA, the namespace of all its code; ELMAN_BYTES, the size of a
// vector; ELMAN_ROWS, the rows of a register tile. A .cpp defines them before anything is included; where none does,
// the portable ones hold. Each header opens elman::ELMAN_ISA by itself, and in it a namespace without a name.
#pragma once

#if !defined(ELMAN_ISA)
#define ELMAN_ISA portable
#define ELMAN_BYTES 16  // SSE2 or NEON, or scalars where there are none
#if defined(__aarch64__)
#define ELMAN_ROWS 8  // 32 registers
#else
#define ELMAN_ROWS 4  // 16 registers
#endif
#endif

#if ELMAN_BYTES == 64 && !defined(__AVX512F__)
#error "vectors of 64 bytes are compiled with -mavx512f"
#elif ELMAN_BYTES == 32 && !defined(__AVX2__)
#error "vectors of 32 bytes are compiled with -mavx2"
#endif

// An array indexed by a loop left standing is an array in memory.
#if defined(__clang__)
#define ELMAN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ELMAN_UNROLL _Pragma("GCC unroll 16")
#endif
