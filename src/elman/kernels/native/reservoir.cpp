// The C interface of a reservoir: checks the call.
#include "elman_reservoir.h"

#include <new>

#include "elman_general.h"
#include "kernels.h"

namespace elman {
namespace {

bool valid(const elman_reservoir_call& call) {
    if (call.T < 0 || call.B < 0 || call.I < 0 || call.H < 1 || call.K < 0) return false;
    if (call.dtype != ELMAN_FLOAT32 && call.dtype != ELMAN_FLOAT64) return false;
    if (call.nonlinearity != ELMAN_TANH && call.nonlinearity != ELMAN_RELU && call.nonlinearity != ELMAN_IDENTITY)
        return false;
    const int64_t groups = (call.H + ELMAN_GROUP - 1) / ELMAN_GROUP;
    if (call.starts[0] != 0 || call.starts[groups] != call.K) return false;
    for (int64_t g = 0; g < groups; ++g)
        if (call.starts[g] > call.starts[g + 1]) return false;
    for (int64_t k = 0; k < call.K; ++k)
        if (call.sources[k] < 0 || call.sources[k] >= call.H) return false;
    return true;
}

}  // namespace
}  // namespace elman

int elman_reservoir(const elman_reservoir_call* call) {
    using namespace elman;
    if (!valid(*call)) return ELMAN_BAD_CALL;
    try {
        Scratch& scratch = this_threads_scratch();
        scratch.reset();
        current_kernels().reservoir[call->dtype](*call, scratch);
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
    return ELMAN_OK;
}
