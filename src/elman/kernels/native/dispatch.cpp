// The C interface: checks the call, chooses the instruction set, plans the team.
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <new>

#include "kernels.h"
#include "runtime/crowding.h"
#include "runtime/thresholds.h"

namespace elman {
namespace {

struct Isa {
    const char* name;
    const Kernels* kernels;
    bool here;
    const Products* bfloat16;  // null: such calls are computed in float32
};

const Isa* isas() {
#if defined(ELMAN_CHECK_BFLOAT16)
    const Products* const by_shifts = &portable::products_bfloat16;
#else
    const Products* const by_shifts = nullptr;
#endif
#if defined(ELMAN_X86)
    __builtin_cpu_init();
    static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    static const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    static const Isa all[] = {
#if defined(ELMAN_BFLOAT16_PRODUCTS)
        {"avx512bf16", &avx512::kernels, avx512 && __builtin_cpu_supports("avx512bf16"),
         &avx512bf16::products_bfloat16},
#endif
        {"avx512", &avx512::kernels, avx512, nullptr},
        {"avx2", &avx2::kernels, avx2, nullptr},
        {"portable", &portable::kernels, true, by_shifts},
        {nullptr, nullptr, false, nullptr}
    };
#else
    static const Isa all[] = {{"portable", &portable::kernels, true, by_shifts}, {nullptr, nullptr, false, nullptr}};
#endif
    return all;
}

const Isa* named(const char* name) {
    for (const Isa* isa = isas(); isa->name; ++isa)
        if (isa->here && (!name || !strcmp(isa->name, name))) return isa;
    return nullptr;
}

std::atomic<const Isa*> current{nullptr};

const Isa& chosen() {
    const Isa* isa = current.load(std::memory_order_acquire);
    if (!isa) {
        const char* wanted = getenv("ELMAN_ISA");
        isa = wanted && *wanted ? named(wanted) : nullptr;
        if (!isa) isa = named(nullptr);
        current.store(isa, std::memory_order_release);
    }
    return *isa;
}

bool valid(const elman_call& call) {
    if (call.T < 0 || call.B < 0 || call.I < 0 || call.H < 1 || call.threads < 1) return false;
    if (call.dtype < 0 || call.dtype > 2 || call.nonlinearity < 0 || call.nonlinearity > 1) return false;
    for (int64_t b = 0; call.lengths && b < call.B; ++b)
        if (call.lengths[b] < 0 || call.lengths[b] > call.T) return false;
    return true;
}

bool wide(const elman_call& call) { return call.dtype == ELMAN_FLOAT64; }
int64_t element(const elman_call& call) { return wide(call) ? 8 : 4; }

// Who multiplies in bfloat16 for the call, or null. Small weights stay in the first-level cache, and one step has read
// its weights once it has rounded them: both are faster in float32.
const Products* products(const elman_call& call) {
    const bool large = (call.I + call.H) * call.H * 4 > fused_weights_bytes;
    return call.dtype == ELMAN_BFLOAT16 && call.T > 1 && large ? chosen().bfloat16 : nullptr;
}

// The work is cut for `threads`, and done by as many of them as are to be had, at most `most`.
Job prepare(elman_call& call, int threads, int most, bool backward, Scratch& scratch) {
    if (!call.h0) {
        const int64_t bytes = call.B * call.H * element(call);
        call.h0 = memset(scratch.take<char>(bytes), 0, bytes);
    }
    const Kernels& kernels = current_kernels();
    const Products* const halves = products(call);
    const int64_t factor = halves ? 2 : element(call);  // bytes of a number that is multiplied
    auto pass = (backward ? kernels.backward : kernels.forward)[wide(call)];
    if (halves) pass = backward ? halves->backward : halves->forward;
    return pass(*make_plan(call, dense_cost(call, factor), threads, most, factor, backward, scratch), scratch);
}

bool run_one(elman_call call, int threads, int most, bool backward) {
    Scratch& scratch = this_threads_scratch();
    scratch.reset();
    return run_team(prepare(call, threads, most, backward, scratch));
}

void run_alone(const elman_call& call, int threads, bool backward) {
    if (!run_one(call, threads, threads_now(threads), backward)) run_one(call, threads, 1, backward);
}

// Bytes that all threads of a step may pack x and h into: each packs all sequences, where a layer's threads share them.
constexpr int64_t most_packed_by_a_step = 8 << 20;

// A layer that is called with one step reads its weights where they lie, as elman_step does: packing them takes longer
// than the step. False, and nothing has run, where it is none, what lies otherwise, or so many sequences that a step
// would take more memory.
bool ran_as_step(const elman_call& call) {
    const bool plain = call.T == 1 && !call.lengths && !call.mask && call.h_last;
    if (!plain || call.x_stride[2] != 1 || (call.B > 1 && call.x_stride[1] != call.I)) return false;
    if (call.B > most_packed_by_a_step / ((call.I + call.H) * element(call) * call.threads)) return false;
    const char* h0 = static_cast<const char*>(call.h0);
    const char* h_last = static_cast<const char*>(call.h_last);
    const int64_t state = call.B * call.H * element(call);
    if (h0 && h0 < h_last + state && h_last < h0 + state) return false;  // in place: a step's threads read all of h0
    const struct {
        elman_step_call step;
        const void* weights[4];
    } one = {{1, call.B, call.I, call.H, wide(call), call.nonlinearity, call.residual, call.threads, call.x, call.h0,
              call.h_last, nullptr},
             {call.w_ih, call.w_hh, call.bias, call.bias ? call.bias_hh : nullptr}};
    if (take_step(one.step) != ELMAN_OK) return false;
    const int64_t row = call.H * element(call);
    for (int64_t b = 0; b < call.B; ++b)
        memcpy(static_cast<char*>(call.h) + b * call.h_stride[1] * element(call),
               static_cast<const char*>(call.h_last) + b * row, static_cast<size_t>(row));
    return true;
}

// Two calls beside each other, both cut for `half` threads; false where nothing has run.
bool run_both(elman_call one, elman_call other, int half, bool backward) {
    const int most = threads_now(2 * half) / 2;
    if (!most) return false;
    Scratch& scratch = this_threads_scratch();
    scratch.reset();
    Job jobs[2] = {prepare(one, half, most, backward, scratch), prepare(other, half, most, backward, scratch)};
    const auto work = [](void* data, int thread) {
        const Job* jobs = static_cast<const Job*>(data);
        const Job& mine = thread < jobs[0].threads ? jobs[0] : jobs[1];
        mine.work(mine.data, thread < jobs[0].threads ? thread : thread - jobs[0].threads);
    };
    const int threads = jobs[0].threads + jobs[1].threads;
    return run_team({work, jobs, threads, jobs[0].idle});
}

int run(const elman_call* calls, int64_t count, bool backward) {
    for (int64_t i = 0; i < count; ++i)
        if (!valid(calls[i])) return ELMAN_BAD_CALL;
    try {
        const bool both = count == 2 && side_by_side(calls[0], calls[1], element(calls[0]));
        const int half = static_cast<int>(calls[0].threads / 2);
        if (both && run_both(calls[0], calls[1], half, backward)) return ELMAN_OK;
        for (int64_t i = 0; i < count; ++i)
            if (backward || !ran_as_step(calls[i]))
                run_alone(calls[i], both ? half : static_cast<int>(calls[i].threads), backward);
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
    return ELMAN_OK;
}

}  // namespace

const Kernels& current_kernels() { return *chosen().kernels; }

}  // namespace elman

int elman_forward(const elman_call* calls, int64_t count) { return elman::run(calls, count, false); }
int elman_backward(const elman_call* calls, int64_t count) { return elman::run(calls, count, true); }
int elman_abi(void) { return ELMAN_ABI; }
const char* elman_isa(void) { return elman::chosen().name; }

int elman_processors(void) { return elman::available_processors(); }
void elman_limit_threads(int most) { elman::limit_threads(most < 0 ? 0 : most); }

int elman_set_isa(const char* name) {
    const elman::Isa* isa = elman::named(name && *name ? name : nullptr);
    if (!isa) return 1;
    elman::current.store(isa, std::memory_order_release);
    return 0;
}

int64_t elman_multiply_adds(int64_t rounds) { return elman::current_kernels().multiply_adds(rounds); }
void elman_tanh(const float* in, float* out, int64_t n) { elman::current_kernels().tanh(in, out, n); }
void elman_tanh64(const double* in, double* out, int64_t n) { elman::current_kernels().tanh64(in, out, n); }
