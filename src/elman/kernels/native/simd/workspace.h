// The memory of a pass, taken from the caller's scratch before its threads start.
#pragma once
#include "runtime/plan.h"
#include "simd/gemm/panels.h"

namespace elman::ELMAN_ISA {
namespace {

// Panels for a weight W (K, columns).
template <class T, class W = T>
Panels<T, W> take_panels(Scratch& scratch, int64_t K, int64_t columns) {
    K = padded_k<W>(K);
    return {scratch.take<W>(K * (can_be_narrow<W> ? padded<T>(columns) : row_length<T>(columns))), K, columns};
}

// A list of row pointers for each thread: `each` a sequence of a group, and as many as a chunk has rows with `chunks`.
template <class T>
const T*** take_pointers(Scratch& scratch, const Plan& plan, int64_t each, bool chunks) {
    const T*** lists = scratch.take<const T**>(plan.threads);
    for (int i = 0; i < plan.threads; ++i) {
        int64_t n = 0;
        for (int g = i / plan.members; g < plan.groups; g += plan.teams()) {
            const Group& group = plan.group[g];
            const int64_t steps = each * group.n + plan.groups, most = chunks ? group.chunk_rows : 0;
            if (n < steps) n = steps;
            if (n < most) n = most;
        }
        scratch.begin_page();
        lists[i] = scratch.take<const T*>(n);
    }
    return lists;
}

// Both biases in one, as long as a row of drive; where there are none null, or zeros with `always`.
template <class T>
const T* sum_biases(const elman_call& call, Scratch& scratch, bool always) {
    if (!call.bias && !always) return nullptr;
    const T *bias = static_cast<const T*>(call.bias), *bias_hh = static_cast<const T*>(call.bias_hh);
    T* sum = scratch.take<T>(row_length<T>(call.H));
    for (int64_t c = 0; c < row_length<T>(call.H); c += lanes<T>)
        store(sum + c, (bias ? load_n(bias + c, call.H - c) : vec<T>{}) +
                           (bias_hh ? load_n(bias_hh + c, call.H - c) : vec<T>{}));
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
        return {work, pass, plan.threads, plan.idle};
    }
};

}  // namespace
}  // namespace elman::ELMAN_ISA
