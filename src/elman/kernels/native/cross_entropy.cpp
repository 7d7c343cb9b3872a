// The entry of the C interface for the loss of a chunk of rows: checks the call, and hands the rows to a team.
#include "loss_run.h"

#include <algorithm>
#include <new>

#include "kernels.h"
#include "runtime/crowding.h"
#include "runtime/thresholds.h"

namespace elman {
namespace {

bool valid(const elman_loss_call& call) {
    if (call.rows < 0 || call.V < 1 || call.threads < 1 || call.stride < call.V) return false;
    if (call.dtype != ELMAN_FLOAT32 && call.dtype != ELMAN_FLOAT64) return false;
    if (!(call.smoothing >= 0 && call.smoothing <= 1)) return false;
    for (int64_t r = 0; r < call.rows; ++r) {
        const int64_t target = call.targets[r];
        if (target != call.ignore_index && (target < 0 || target >= call.V)) return false;
    }
    return true;
}

int run(const elman_loss_call& call) {
    const int64_t blocks = (call.rows + loss_block_rows - 1) / loss_block_rows;
    const int64_t worth = std::max<int64_t>(1, call.rows * call.V / loss_numbers_a_thread);
    Scratch& scratch = this_threads_scratch();
    scratch.reset();
    LossRun& job = *new (scratch.take<LossRun>(1)) LossRun;
    job.call = &call;
    job.blocks = blocks;
    job.threads = threads_now(static_cast<int>(std::min({call.threads, blocks, worth})));
    const int64_t element = call.dtype == ELMAN_FLOAT64 ? 8 : 4;
    job.partial = call.gradient && call.grad_bias ? scratch.take<char>(blocks * call.V * element) : nullptr;
    const Work work = current_kernels().cross_entropy[call.dtype];
    for (;; job.threads = 1) {
        job.everyone.set(job.threads);
        if (run_team({work, &job, job.threads, 0})) return ELMAN_OK;
    }
}

}  // namespace
}  // namespace elman

int elman_cross_entropy(const elman_loss_call* call) {
    if (!elman::valid(*call)) return ELMAN_BAD_CALL;
    if (!call->rows) return ELMAN_OK;
    try {
        return elman::run(*call);
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
}
