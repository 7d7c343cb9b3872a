// The gradients of the weights, a chunk's part at a time, and the sum of the groups' parts.
#pragma once
#include "runtime/plan.h"
#include "simd/backward_epilogues.h"
#include "simd/backward_shared.h"
#include "simd/gemm/blocked.h"
#include "simd/gemm/pack.h"
#include "simd/resets.h"
#include "simd/rows.h"

namespace elman::ELMAN_ISA {
namespace {

// The rows of x and of mask * h_(t-1) that belong to rows [first, last) of the chunk's deltas, into panels.
template <class T, class W>
void pack_inputs(const Plan& plan, const Group& group, const Chunk& chunk, Share rows, int64_t K, const T* zeros, W* x,
                 W* h) {
    const elman_call& call = *plan.call;
    int64_t row = 0;
    for (int64_t s = chunk.first; s < chunk.last; ++s)
        for (int64_t r = 0; r < group.active[s]; ++r, ++row) {
            if (row < rows.first || row >= rows.last) continue;
            const int64_t b = group.sequence[r];
            if (call.grad_w_ih)
                pack_row(static_cast<const T*>(call.x) + time_of(group, r, s, call.reverse) * call.x_stride[0] +
                             b * call.x_stride[1],
                         call.x_stride[2], static_cast<const T*>(nullptr), call.I, x, K, row);
            if (!call.grad_w_hh) continue;
            const bool anew = plan.resets && is_reset(*plan.resets, time_of(group, r, s, call.reverse), b);
            pack_row(anew ? zeros : h_before<T>(call, group, r, s), 1,
                     call.mask ? static_cast<const T*>(call.mask) + b * call.H : nullptr, call.H, h, K, row);
        }
}

// This member's rows of grad_w_ih, grad_w_hh and grad_bias. K is cut: long sums in float32 lose digits.
template <class T, class W>
void add_weight_gradients(const elman_call& call, int64_t rows, const BackwardShared<T, W>& shared,
                          const typename BackwardShared<T, W>::GroupBuffers& buffers,
                          const typename BackwardShared<T, W>::A* delta, Share units, bool fresh,
                          typename BackwardShared<T, W>::A* copy) {
    const Panels<T, W> x{buffers.x, shared.chunk_rows, call.I}, h{buffers.h, shared.chunk_rows, call.H};
    for (int64_t k = 0; k < rows; k += k_block<W>, fresh = false) {
        const int64_t end = k + k_block<W> < rows ? k + k_block<W> : rows, padded_end = padded_k<W>(end);
        for (int64_t unit = units.first; unit < units.last; unit += row_block) {
            const int64_t past = unit + row_block < units.last ? unit + row_block : units.last;
            copy_tiles<true>(delta, shared.row, unit, past, k, end, copy);
            if (call.grad_w_ih)
                gemm_of_copy(copy, unit, past, x, 0, x.count(), k, padded_end,
                             AccumulateEpilogue<T>{buffers.w_ih, call.I, call.I, fresh});
            if (call.grad_w_hh)
                gemm_of_copy(copy, unit, past, h, 0, h.count(), k, padded_end,
                             AccumulateEpilogue<T>{buffers.w_hh, call.H, call.H, fresh});
        }
        if (call.grad_bias)
            for (int64_t c = units.first; c < units.last; c += lanes<T>) {
                vec<T> sum[2] = {};
                for (int64_t row = k; row < end; ++row) sum[row & 1] += load(delta + row * shared.row + c);
                const int64_t n = units.last - c;
                sum[0] += sum[1];
                store_n(buffers.bias + c, fresh ? sum[0] : load_n(buffers.bias + c, n) + sum[0], n);
            }
    }
}

// Rows [first, last) of a weight's gradient: the groups' sums added in a fixed order.
template <class T>
void add_groups(T* to, Share numbers, T* const* parts, int groups) {
    for (int64_t i = numbers.first; i < numbers.last; i += lanes<T>) {
        const int64_t n = numbers.last - i;
        vec<T> sum = load_n(parts[0] + i, n);
        for (int g = 1; g < groups; ++g) sum += load_n(parts[g] + i, n);
        store_n(to + i, sum, n);
    }
}

template <class T, class W>
void add_all_groups(const Plan& plan, const BackwardShared<T, W>& shared, int thread, T** parts) {
    using Buffers = typename BackwardShared<T, W>::GroupBuffers;
    const elman_call& call = *plan.call;
    if (plan.groups == 1) return;
    const Share rows = share(call.H, thread, plan.threads);
    auto add = [&](void* to, T* Buffers::*part, int64_t columns) {
        if (!to) return;
        for (int g = 0; g < plan.groups; ++g) parts[g] = shared.groups[g].*part;
        add_groups(static_cast<T*>(to), {rows.first * columns, rows.last * columns}, parts, plan.groups);
    };
    add(call.grad_w_ih, &Buffers::w_ih, call.I);
    add(call.grad_w_hh, &Buffers::w_hh, call.H);
    add(call.grad_bias, &Buffers::bias, 1);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
