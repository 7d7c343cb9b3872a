// Cross-entropy of rows of logits, and its gradient in their place: one run, and who does which rows of it.
#pragma once
#include "elman.h"
#include "runtime/plan.h"

namespace elman {

// The rows come in blocks that do not depend on the threads, each with a sum of its own for the bias's gradient, so
// that the sums are the same to the bit whatever the number of threads.
constexpr int64_t loss_block_rows = 16;

struct LossRun {
    const elman_loss_call* call;
    int threads;
    int64_t blocks;
    void* partial;  // (blocks, V) sums of the gradient's columns, or null
    Barrier everyone;
};

}  // namespace elman
