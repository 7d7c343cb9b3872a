// Any processor: 16-byte vectors, which the compiler makes into SSE2 or NEON, or into scalars where there are none.
#define ELMAN_ISA portable
#define ELMAN_BYTES 16
#if defined(__aarch64__)
#define ELMAN_ROWS 8  // 32 registers
#else
#define ELMAN_ROWS 4  // 16 registers
#endif
#include "machine.h"
