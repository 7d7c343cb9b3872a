// The recurrence whose products take their factors in bfloat16, two by two. Included by the .cpp of an instruction set.
#pragma once
#include "kernels.h"
#include "simd/backward.h"
#include "simd/forward.h"
#include "simd/gemm/pairs.h"

namespace elman::ELMAN_ISA {

extern const Products products_bfloat16;
const Products products_bfloat16 = {forward<float, paired_bfloat16>, backward<float, paired_bfloat16>};

}  // namespace elman::ELMAN_ISA
