// The C interface of a reservoir: checks the call.
#include "elman_reservoir.h"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "elman_general.h"
#include "kernels.h"

namespace elman {
namespace {

bool valid(const elman_reservoir_call& call) {
    if (call.T < 0 || call.B < 0 || call.I < 0 || call.H < 1 || call.K < 0) return false;
    if (call.dtype != ELMAN_FLOAT32 && call.dtype != ELMAN_FLOAT64) return false;
    if (call.values_dtype != call.dtype && call.values_dtype != ELMAN_FLOAT32) return false;
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

// New memory comes a page at a time, at a fault each, which for a long sequence takes longer than its states: large
// pages are 512 times fewer.
void ask_for_large_pages(const elman_reservoir_call& call) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr uintptr_t page = 2 << 20;
    const int64_t element = call.dtype == ELMAN_FLOAT64 ? 8 : 4;
    const int64_t numbers = (call.T - 1) * call.h_stride[0] + (call.B - 1) * call.h_stride[1] + call.H;
    const uintptr_t begin = (reinterpret_cast<uintptr_t>(call.h) + page - 1) / page * page;
    const uintptr_t end =
        (reinterpret_cast<uintptr_t>(call.h) + static_cast<uintptr_t>(numbers * element)) / page * page;
    if (end > begin + page)
        madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // or it stays as it was
#else
    (void)call;
#endif
}

}  // namespace
}  // namespace elman

int elman_reservoir(const elman_reservoir_call* call) {
    using namespace elman;
    if (!valid(*call)) return ELMAN_BAD_CALL;
    if (call->T && call->B) ask_for_large_pages(*call);
    try {
        Scratch& scratch = this_threads_scratch();
        scratch.reset();
        current_kernels().reservoir[call->dtype](*call, scratch);
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
    return ELMAN_OK;
}
