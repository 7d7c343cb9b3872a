// What the build for each instruction set offers. Arrays are in the order of enum elman_dtype: float32, float64.
#pragma once
#include "decoder.h"
#include "elman_general.h"
#include "elman_reservoir.h"
#include "loss_run.h"
#include "runtime/plan.h"
#include "step_run.h"

namespace elman {

struct Kernels {
    Job (*forward[2])(Plan&, Scratch&);
    Job (*backward[2])(Plan&, Scratch&);
    void (*tanh)(const float*, float*, int64_t);
    void (*tanh64)(const double*, double*, int64_t);
    int64_t (*multiply_adds)(int64_t);
    // [0] float32, [1] bfloat16. Returns how many bytes the packed weights take; with memory null it only counts them.
    int64_t (*pack_decoder[2])(elman_decoder&, char* memory);
    bool (*run_decoder[2])(DecoderRun&);
    bool (*run_step[2])(StepRun&);  // float32, float64
    Work cross_entropy[2];          // of a LossRun
    // The call of the plan begins an elman_general_call, which the backward pass may write to.
    Job (*general_forward[2])(Plan&, Scratch&);
    Job (*general_backward[2])(Plan&, Scratch&);
    void (*reservoir[2])(const elman_reservoir_call&, Scratch&);
    void (*normal)(int64_t seed, int64_t stream, int64_t T, int64_t B, int64_t H, float* to);
};

// The plain recurrence of float32 tensors with the factors of its products in another type.
struct Products {
    Job (*forward)(Plan&, Scratch&);
    Job (*backward)(Plan&, Scratch&);
};

namespace avx512bf16 {
extern const Products products_bfloat16;
}
namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace portable {
extern const Kernels kernels;
extern const Products products_bfloat16;  // where ELMAN_CHECK_BFLOAT16
}  // namespace portable

const Kernels& current_kernels();

}  // namespace elman
