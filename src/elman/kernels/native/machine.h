// Everything an instruction set's build consists of. A .cpp defines ELMAN_ISA (a namespace), ELMAN_BYTES (a vector) and
// ELMAN_ROWS (of a register tile), then includes this. Only what is in that namespace may be compiled here: a function
// shared with another build could be the wrong one after linking, and stop an older processor.
#include <stdint.h>

#include <utility>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include "isa.h"
#include "plan.h"

#define ELMAN_INLINE inline __attribute__((always_inline))
#define ELMAN_ALWAYS __attribute__((always_inline))
#define ELMAN_UNROLL _Pragma("GCC unroll 16")  // an array indexed by a loop left standing is an array in memory

namespace elman {
namespace ELMAN_ISA {
namespace {

#include "vec.h"
#include "tanh.h"
#include "gemm.h"
#include "pack.h"
#include "rows.h"
#include "forward.h"
#include "backward.h"
#include "stack.h"

template <class T, class W = T>
Panels<T, W> take_panels(Scratch& scratch, long K, long columns) {
    return {scratch.take<W>(K * (sizeof(W) == sizeof(T) ? padded<T>(columns) : row_length<T>(columns))), K, columns};
}

template <class T>
const T*** take_pointers(Scratch& scratch, const Plan& plan, long each, bool chunks) {
    const T*** lists = scratch.take<const T**>(plan.threads);
    for (int i = 0; i < plan.threads; ++i) {
        const Group& group = plan.group[i / plan.members];
        const long n = each * group.n + plan.groups;
        scratch.begin_page();
        lists[i] = scratch.take<const T*>(chunks && group.chunk_rows > n ? group.chunk_rows : n);
    }
    return lists;
}

// Both biases in one, as long as a row of drive; where there are none null, or zeros with `always`.
template <class T>
const T* sum_biases(const elman_call& call, Scratch& scratch, bool always) {
    if (!call.bias && !always) return nullptr;
    const T *bias = static_cast<const T*>(call.bias), *bias_hh = static_cast<const T*>(call.bias_hh);
    T* sum = scratch.take<T>(row_length<T>(call.H));
    for (long c = 0; c < row_length<T>(call.H); c += lanes<T>)
        store(sum + c, (bias ? load_n(bias + c, call.H - c) : vec<T>{}) + (bias_hh ? load_n(bias_hh + c, call.H - c) : vec<T>{}));
    return sum;
}

// A pass of which every thread of the plan does its part.
template <class Shared, void (*thread)(Plan&, const Shared&, int)>
struct Pass {
    Plan* plan;
    Shared shared;
    static void work(void* pass, int number) {
        thread(*static_cast<Pass*>(pass)->plan, static_cast<Pass*>(pass)->shared, number);
    }
    static Job job(Plan& plan, const Shared& shared, Scratch& scratch) {
        Pass* const pass = scratch.take<Pass>(1);
        *pass = {&plan, shared};
        return {work, pass, plan.threads};
    }
};

// Whether W = [W_ih W_hh] fits the first-level cache, and there are rows enough that summing the inputs' share of many
// steps at once would gain nothing.
template <class T, class W>
bool is_whole(const Plan& plan) {
    const long K = plan.call->I + plan.call->H;
    return plan.members == 1 && plan.call->B >= 4 * plan.groups && K < 2 * k_block &&
           K * row_length<T>(plan.call->H) * long(sizeof(W)) <= 32 * 1024;
}

template <class T, class W = T>
Job forward(Plan& plan, Scratch& scratch) {
    const elman_call& call = *plan.call;
    ForwardShared<T, W> shared{};
    shared.whole = is_whole<T, W>(plan);
    // A panel that will not stay in the cache is packed anew for each of a few steps, rather than written to memory.
    const bool one_chunk = plan.most_chunks() <= 1, few_steps = call.T <= (call.H * call.H * sizeof(T) > 640 * 1024 ? 3 : 1);
    if (shared.whole) {
        shared.w_hh = take_panels<T, W>(scratch, call.I + call.H, call.H);
    } else {
        shared.w_ih = one_chunk ? Panels<T, W>{nullptr, call.I, call.H} : take_panels<T, W>(scratch, call.I, call.H);
        shared.w_hh = few_steps ? Panels<T, W>{nullptr, call.H, call.H} : take_panels<T, W>(scratch, call.H, call.H);
    }
    shared.own_panel_size = one_chunk || few_steps ? (call.I > call.H ? call.I : call.H) * panel_width<T> : 0;
    shared.copy = scratch.take<T>(call.H < 2 * k_block && call.I < 2 * k_block ? 0 : plan.threads * copy_size<T>);
    shared.own_panel = scratch.take<W>(plan.threads * shared.own_panel_size);
    shared.x_row = row_length<T>(call.I);
    shared.row = row_length<T>(call.H);
    shared.state_row = shared.whole ? row_length<T>(call.I + padded<T>(call.H)) : shared.row;
    shared.of_group = scratch.take<typename ForwardShared<T, W>::OfGroup>(plan.groups);
    for (int g = 0; g < plan.groups; ++g) {
        const Group& group = plan.group[g];
        auto& mine = shared.of_group[g];
        scratch.begin_page();
        mine.x = scratch.take<T>(shared.whole ? 0 : group.chunk_rows * shared.x_row);
        mine.drive = scratch.take<T>(shared.whole ? 0 : group.chunk_rows * shared.row);
        for (T*& state : mine.state) state = scratch.take<T>(group.n * shared.state_row);
        mine.sums = scratch.take<T>(call.H < 2 * k_block ? 0 : group.n * shared.row);
    }
    shared.row_pointers = take_pointers<T>(scratch, plan, 4, false);
    scratch.begin_page();
    shared.bias = sum_biases<T>(call, scratch, shared.whole);
    advise_huge(call.h, call.T * call.B * call.H * sizeof(T));
    return Pass<ForwardShared<T, W>, forward_thread<T, W>>::job(plan, shared, scratch);
}

template <class T>
Job backward(Plan& plan, Scratch& scratch) {
    const elman_call& call = *plan.call;
    BackwardShared<T> shared;
    const bool one_chunk = plan.most_chunks() <= 1;
    shared.w_ih = one_chunk ? Panels<T>{nullptr, call.H, call.I} : take_panels<T>(scratch, call.H, call.I);
    shared.own_panel_size = one_chunk ? call.H * panel_width<T> : 0;
    shared.own_panel = scratch.take<T>(plan.threads * shared.own_panel_size);
    shared.copy = scratch.take<T>(plan.threads * copy_size<T>);
    shared.w_hh = take_panels<T>(scratch, call.H, call.H);
    shared.row = row_length<T>(call.H);
    shared.x_row = row_length<T>(call.I);
    shared.chunk_rows = 0;
    for (int g = 0; g < plan.groups; ++g)
        if (plan.group[g].chunk_rows > shared.chunk_rows) shared.chunk_rows = plan.group[g].chunk_rows;
    shared.of_group = scratch.take<typename BackwardShared<T>::OfGroup>(plan.groups);
    for (int g = 0; g < plan.groups; ++g) {
        const Group& group = plan.group[g];
        auto& mine = shared.of_group[g];
        scratch.begin_page();
        for (T*& delta : mine.delta) delta = scratch.take<T>(group.chunk_rows * shared.row);
        mine.x = scratch.take<T>(shared.chunk_rows * padded<T>(call.I));
        mine.h = scratch.take<T>(shared.chunk_rows * padded<T>(call.H));
        mine.sums = scratch.take<T>(call.H < 2 * k_block ? 0 : group.chunk_rows * (shared.row > shared.x_row ? shared.row : shared.x_row));
        mine.carry = scratch.take<T>(call.residual ? group.n * shared.row : 0);
        auto sums = [&](void* gradient, long n) {
            return plan.groups == 1 || !gradient ? static_cast<T*>(gradient) : scratch.take<T>(n);
        };
        mine.w_ih = sums(call.grad_w_ih, call.H * call.I);
        mine.w_hh = sums(call.grad_w_hh, call.H * call.H);
        mine.bias = sums(call.grad_bias, call.H);
    }
    shared.row_pointers = take_pointers<T>(scratch, plan, 5, true);
    if (call.grad_x) advise_huge(call.grad_x, call.T * call.B * call.I * sizeof(T));
    if (call.grad_w_ih) advise_huge(call.grad_w_ih, call.H * call.I * sizeof(T));
    if (call.grad_w_hh) advise_huge(call.grad_w_hh, call.H * call.H * sizeof(T));
    return Pass<BackwardShared<T>, backward_thread<T>>::job(plan, shared, scratch);
}

// `rounds` times 12 independent vectors' multiply-adds: the most this processor can do. Returns how many operations.
int64_t multiply_adds(int64_t rounds) {
    const vec<float> a = splat<float>(0.999f), b = splat<float>(0.001f);
    vec<float> s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a;
    auto step = [&](vec<float>& s) ELMAN_ALWAYS {
        s = s * a + b;
#if defined(__AVX512F__)  // or the compiler would foresee the result
        asm volatile("" : "+v"(s));
#elif defined(__x86_64__)
        asm volatile("" : "+x"(s));
#elif defined(__aarch64__)
        asm volatile("" : "+w"(s));
#endif
    };
    for (int64_t n = 0; n < rounds; ++n) {
        step(s0), step(s1), step(s2), step(s3), step(s4), step(s5);
        step(s6), step(s7), step(s8), step(s9), step(s10), step(s11);
    }
    return rounds * 12 * 2 * lanes<float>;
}

template <class T>
void tanh_all(const T* in, T* out, int64_t n) {
    for (int64_t i = 0; i < n; i += lanes<T>) store_n(out + i, tanh_of<T>(load_n(in + i, n - i)), n - i);
}

}  // namespace

extern const Machine machine;
const Machine machine = {{forward<float>, forward<double>, forward<float, bfloat16>},
                         {backward<float>, backward<double>, nullptr},
                         tanh_all<float>,
                         tanh_all<double>,
                         multiply_adds,
                         {pack_stack<float>, pack_stack<bfloat16>},
                         {run_stack<float>, run_stack<bfloat16>}};

}  // namespace ELMAN_ISA
}  // namespace elman
