// Any processor: target.h says what is portable.
#include "simd/kernel_table.h"
