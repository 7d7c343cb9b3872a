// The C interface of the general recurrence: checks the calls, and hands many of them out to the threads.
#include <string.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <numeric>

#include "kernels.h"
#include "runtime/crowding.h"
#include "runtime/thresholds.h"

namespace elman {
namespace {

// Whether the plain recurrence computes it, which knows resets to zero.
bool is_plain(const elman_general_call& general) {
    const bool resets_to_zero = general.reset && !general.restart && !general.call.residual;
    return general.call.nonlinearity <= ELMAN_RELU && !general.current && !general.leak && !general.noise &&
           (!general.reset || resets_to_zero) && !general.extra && !general.rank && !general.connected;
}

bool valid(const elman_general_call& general, bool backward) {
    const elman_call& call = general.call;
    if (call.T < 0 || call.B < 0 || call.I < 0 || call.H < 1 || call.threads < 1) return false;
    if (call.dtype < 0 || call.dtype > 1 || call.nonlinearity < 0 || call.nonlinearity > ELMAN_IDENTITY) return false;
    if (general.grad_z && !general.rank) return false;
    if (general.connected && general.rank) return false;
    if (general.rank < 0 || (general.rank > 0) != (general.w_in != nullptr)) return false;
    // forwards f(a) of the rate form is only saved, v of the current form is read again
    const bool saves = general.current || (backward && (general.leak || (call.residual && !is_plain(general))));
    if ((general.leak && call.residual) || (saves && !general.extra)) return false;
    for (int64_t b = 0; call.lengths && b < call.B; ++b)
        if (call.lengths[b] < 0 || call.lengths[b] > call.T) return false;
    return true;
}

Cost cost_of(const elman_general_call& general, int64_t element) {
    const elman_call& call = general.call;
    if (general.rank) return {call.H * (2 * general.rank + call.I), group_sequences, false, false};
    if (!general.connected) return dense_cost(call, element);
    const int64_t connections = std::accumulate(general.connected, general.connected + call.H * call.H, int64_t(0));
    return {connections + call.H * call.I, sparse_group_sequences, false, true};
}

// `general` outlives the job. The work is cut for `threads`, and done by at most `most`.
Job prepare(elman_general_call& general, int threads, int most, bool backward, Scratch& scratch) {
    elman_call& call = general.call;
    const int64_t element = call.dtype == ELMAN_FLOAT64 ? 8 : 4;
    if (!call.h0) {
        const int64_t bytes = call.B * call.H * element;
        call.h0 = memset(scratch.take<char>(bytes), 0, bytes);
    }
    const Kernels& kernels = current_kernels();
    Plan& plan = *make_plan(call, cost_of(general, element), threads, most, element, backward, scratch);
    if (is_plain(general)) plan.resets = general.reset ? &general : nullptr;
    if (is_plain(general)) return (backward ? kernels.backward : kernels.forward)[call.dtype](plan, scratch);
    return (backward ? kernels.general_backward : kernels.general_forward)[call.dtype](plan, scratch);
}

bool run_one(elman_general_call general, int threads, int most, bool backward) {
    Scratch& scratch = this_threads_scratch();
    scratch.reset();
    return run_team(prepare(general, threads, most, backward, scratch));
}

// Calls that the threads of a team take one after the other, each the next that nobody has.
struct Many {
    const elman_general_call* calls;
    int64_t count;
    bool backward;
    std::atomic<int64_t> next{0};
    std::atomic<bool> no_memory{false};
    static void work(void* data, int) {
        Many& many = *static_cast<Many*>(data);
        for (int64_t i; (i = many.next.fetch_add(1)) < many.count;) try {
                run_one(many.calls[i], 1, 1, many.backward);
            } catch (const std::bad_alloc&) {
                many.no_memory = true;
            }
    }
};

int run(const elman_general_call* calls, int64_t count, bool backward) {
    for (int64_t i = 0; i < count; ++i)
        if (!valid(calls[i], backward)) return ELMAN_BAD_CALL;
    if (!count) return ELMAN_OK;
    const int threads = static_cast<int>(calls[0].call.threads);
    if (count >= threads && threads > 1) {
        Many many{calls, count, backward};
        if (!run_team({Many::work, &many, threads_now(threads), 0})) Many::work(&many, 0);
        return many.no_memory ? ELMAN_NO_MEMORY : ELMAN_OK;
    }
    try {
        for (int64_t i = 0; i < count; ++i)
            if (!run_one(calls[i], threads, threads_now(threads), backward)) run_one(calls[i], threads, 1, backward);
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
    return ELMAN_OK;
}

}  // namespace
}  // namespace elman

int elman_general_forward(const elman_general_call* calls, int64_t count) { return elman::run(calls, count, false); }
int elman_general_backward(const elman_general_call* calls, int64_t count) { return elman::run(calls, count, true); }

void elman_normal(int64_t seed, int64_t stream, int64_t T, int64_t B, int64_t H, float* to) {
    elman::current_kernels().normal(seed, stream, T, B, H, to);
}
