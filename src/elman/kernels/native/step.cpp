// The C interface of a single step.
#include <algorithm>
#include <new>

#include "kernels.h"
#include "runtime/crowding.h"
#include "runtime/thresholds.h"

namespace elman {
namespace {

bool valid(const elman_step_call& call) {
    return call.layers >= 1 && call.S >= 0 && call.I >= 0 && call.H >= 1 && call.threads >= 1 &&
           (call.dtype == ELMAN_FLOAT32 || call.dtype == ELMAN_FLOAT64) && call.nonlinearity >= 0 &&
           call.nonlinearity <= 1;
}

}  // namespace

int64_t step_worth(const elman_step_call& call) {
    const int64_t numbers = call.H * (call.I + call.H * (2 * call.layers - 1));
    return numbers * (call.dtype == ELMAN_FLOAT64 ? 8 : 4) * call.S / decoder_thread_bytes;
}

int take_step(const elman_step_call& call) {
    if (!call.S) return ELMAN_OK;
    StepRun job{};
    job.call = &call;
    job.weights = reinterpret_cast<const void* const*>(&call + 1);
    const int64_t worth = std::clamp<int64_t>(step_worth(call), 1, call.threads);
    job.threads = threads_now(static_cast<int>(worth));
    const auto go = current_kernels().run_step[call.dtype];
    try {
        if (!go(job)) {
            job.threads = 1;
            go(job);
        }
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
    return ELMAN_OK;
}

}  // namespace elman

int elman_step(const elman_step_call* call) {
    return elman::valid(*call) ? elman::take_step(*call) : static_cast<int>(ELMAN_BAD_CALL);
}
