// Any processor: target.h says what is portable.
#include "simd/kernel_table.h"
#if defined(ELMAN_CHECK_BFLOAT16)  // by shifts and two multiply-adds: for the check alone
#include "simd/products_bfloat16.h"
#endif
