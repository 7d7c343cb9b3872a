// The backward pass of one thread, from the last step to the first, a chunk of steps at a time: the deltas one step
// after the other, then, while they are in cache, what they add to the gradients of the weights and of x in one product
// each.
//
//     dh_t    = grad_h_t + mask * (delta_(t+1) W_hh)  [+ dh_(t+1), with the identity connection]
//     delta_t = dh_t * f'(a_t),   f' = 1 - u^2 or [u > 0],   u = h_t  [- h_(t-1)]
#pragma once
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "simd/backward_epilogues.h"
#include "simd/backward_shared.h"
#include "simd/backward_weights.h"
#include "simd/gemm/blocked.h"
#include "simd/gemm/once.h"
#include "simd/rows.h"
#include "simd/workspace.h"

namespace elman::ELMAN_ISA {
namespace {

// The row pointers of one step, as DeltaEpilogue wants them.
template <class T>
struct StepRows {
    const T **h, **before = nullptr, **grad_h = nullptr, **last = nullptr, **mask = nullptr;
    StepRows(const elman_call& call, const Group& group, int64_t s, const T** pointers) {
        const int64_t n = group.active[s];
        h = pointers;
        if (call.residual) before = pointers + group.n;
        if (call.grad_h) grad_h = pointers + 2 * group.n;
        if (call.grad_h_last) last = pointers + 3 * group.n;
        if (call.mask) mask = pointers + 4 * group.n;
        for (int64_t r = 0; r < n; ++r) {
            const int64_t b = group.sequence[r], t = time_of(group, r, s, call.reverse);
            h[r] = static_cast<const T*>(call.h) + t * call.h_stride[0] + b * call.h_stride[1];
            if (before) before[r] = h_before<T>(call, group, r, s);
            if (grad_h)
                grad_h[r] = static_cast<const T*>(call.grad_h) + t * call.grad_h_stride[0] + b * call.grad_h_stride[1];
            if (last) last[r] = static_cast<const T*>(call.grad_h_last) + b * call.H;
            if (mask) mask[r] = static_cast<const T*>(call.mask) + b * call.H;
        }
    }
};

// delta of a chunk; `later` is delta of the first step after it, or null at the end.
template <class T, class W>
void delta_steps(const Plan& plan, Group& group, const Chunk& chunk, const BackwardShared<T, W>& shared,
                 const typename BackwardShared<T, W>::GroupBuffers& buffers, factor_of<T, W>* delta,
                 const factor_of<T, W>* later, Share panels, const T** pointers, factor_of<T, W>* copy) {
    using A = factor_of<T, W>;
    const elman_call& call = *plan.call;
    A* at = delta + chunk.rows * shared.row;
    const bool ahead = call.grad_w_ih && can_prefetch_x<T>(call);
    for (int64_t s = chunk.last - 1; s >= chunk.first; --s) {
        const int64_t n = group.active[s], going_on = group.active[s + 1];
        at -= n * shared.row;
        const StepRows<T> rows(call, group, s, pointers);
        if (ahead)
            for (int64_t r = 0; r < n; ++r) prefetch_x(call, row_of_x<T>(call, group, r, s));
        DeltaEpilogue<T, A> epilogue{at,
                                     shared.row,
                                     call.H,
                                     rows.h,
                                     rows.before,
                                     rows.grad_h,
                                     call.grad_h_stride[2],
                                     nullptr,
                                     rows.mask,
                                     call.residual ? buffers.carry : nullptr,
                                     true,
                                     call.nonlinearity == ELMAN_RELU};
        gemm_blocked(later, shared.row, 0, going_on, shared.w_hh, panels.first, panels.last, buffers.sums, shared.row,
                     copy, epilogue, s % 2);
        for_each_reset(plan, group, s + 1, [&](int64_t r) {  // without what came from the steps after it
            gemm(delta, shared.row, r, r + 1, shared.w_hh, panels.first, panels.last, 0, 0, epilogue);
        });
        epilogue.last = rows.last;
        epilogue.carried = false;
        gemm(delta, shared.row, going_on, n, shared.w_hh, panels.first, panels.last, 0, 0, epilogue);
        later = at;
        group.barrier.wait();
    }
}

// Members share the rows, or where these are few the columns: few rows are summed in another order than many, and which
// of them a member has is to change no bit.
template <class T, class W>
void give_grad_x(const Plan& plan, const Group& group, const Chunk& chunk, const BackwardShared<T, W>& shared,
                 const typename BackwardShared<T, W>::GroupBuffers& buffers, const factor_of<T, W>* delta, int thread,
                 const T** pointers, factor_of<T, W>* copy) {
    const elman_call& call = *plan.call;
    const int member = thread % plan.members;
    const bool few = chunk.rows <= 2 * ELMAN_ROWS * plan.split;
    const Share rows = few ? Share{0, chunk.rows} : share(chunk.rows, member, plan.members);
    const Share panels = share(shared.w_ih.count(), member, plan.members);
    const Share products = few ? panels : Share{0, shared.w_ih.count()};
    int64_t row = 0;
    for (int64_t s = chunk.first; s < chunk.last; ++s)
        for (int64_t r = 0; r < group.active[s]; ++r, ++row)
            pointers[row] = static_cast<T*>(call.grad_x) + time_of(group, r, s, call.reverse) * call.grad_x_stride[0] +
                            group.sequence[r] * call.grad_x_stride[1];
    const RowsEpilogue<T> epilogue{const_cast<T**>(pointers), call.I};
    if (shared.w_ih.data)
        gemm_blocked(delta, shared.row, rows.first, rows.last, shared.w_ih, products.first, products.last, buffers.sums,
                     shared.x_row, copy, epilogue);
    else
        gemm_once_straight(delta, shared.row, chunk.rows, static_cast<const T*>(call.w_ih), call.H, call.I, panels,
                           shared.own_panel + thread * shared.own_panel_size, epilogue);
}

// dC/dh0 of sequences without a step: h_last is h0. `to` has a row for each sequence of the group.
template <class T>
void give_grad_of_no_steps(const elman_call& call, const Group& group, Share rows, T* const* to) {
    for (int64_t r = rows.first; r < rows.last; ++r) {
        if (group.length[r]) continue;
        if (call.grad_h_last)
            __builtin_memcpy(to[r], static_cast<const T*>(call.grad_h_last) + group.sequence[r] * call.H,
                             call.H * sizeof(T));
        else
            __builtin_memset(to[r], 0, call.H * sizeof(T));
    }
}

template <class T, class W>
void give_grad_h0(const Plan& plan, const Group& group, const BackwardShared<T, W>& shared,
                  const typename BackwardShared<T, W>::GroupBuffers& buffers, const factor_of<T, W>* delta,
                  Share panels, Share rows, const T** pointers) {
    const elman_call& call = *plan.call;
    const Share units = units_of<T>(panels, call.H);
    const T** mask = pointers + group.n;
    for (int64_t r = 0; r < group.n; ++r) {
        pointers[r] = static_cast<T*>(call.grad_h0) + group.sequence[r] * call.H;
        if (call.mask) mask[r] = static_cast<const T*>(call.mask) + group.sequence[r] * call.H;
    }
    T** to = const_cast<T**>(pointers);
    gemm(
        delta, shared.row, 0, group.steps ? group.active[0] : 0, shared.w_hh, panels.first, panels.last, 0,
        shared.w_hh.K,
        GradH0Epilogue<T>{to, call.mask ? mask : nullptr, call.residual ? buffers.carry : nullptr, shared.row, call.H});
    for_each_reset(plan, group, 0, [&](int64_t r) {
        __builtin_memset(to[r] + units.first, 0, (units.last - units.first) * sizeof(T));
    });
    give_grad_of_no_steps(call, group, rows, to);
}

template <class T, class W>
void pack_recurrent_weights(const Plan& plan, const BackwardShared<T, W>& shared, int thread) {
    const elman_call& call = *plan.call;
    for (int64_t p = thread; (call.T > 1 || call.grad_h0) && p < shared.w_hh.count(); p += plan.threads)
        pack_straight(static_cast<const T*>(call.w_hh), call.H, call.H,
                      const_cast<W*>(shared.w_hh.data) + p * panel_width<T> * shared.w_hh.K, p);
}

template <class T, class W>
void pack_input_weights(const Plan& plan, const BackwardShared<T, W>& shared, int thread) {
    const elman_call& call = *plan.call;
    if (call.grad_x && shared.w_ih.data)
        for (int64_t p = thread; p < shared.w_ih.count(); p += plan.threads)
            pack_straight(static_cast<const T*>(call.w_ih), call.H, call.I,
                          const_cast<W*>(shared.w_ih.data) + p * panel_width<T> * shared.w_ih.K, p);
}

// Sums of a group that has no step at all: else the first chunk's are stored, not added.
template <class T, class Buffers>
void zero_sums(const elman_call& call, const Buffers& buffers, Share units) {
    const int64_t n = units.last - units.first;
    if (call.grad_w_ih) __builtin_memset(buffers.w_ih + units.first * call.I, 0, n * call.I * sizeof(T));
    if (call.grad_w_hh) __builtin_memset(buffers.w_hh + units.first * call.H, 0, n * call.H * sizeof(T));
    if (call.grad_bias) __builtin_memset(buffers.bias + units.first, 0, n * sizeof(T));
}

template <class T>
void zero_past_ends(const elman_call& call, const Group& group, Share rows) {
    for (int64_t r = rows.first; r < rows.last; ++r)
        for (int64_t t = group.length[r]; t < call.T; ++t)
            __builtin_memset(
                static_cast<T*>(call.grad_x) + t * call.grad_x_stride[0] + group.sequence[r] * call.grad_x_stride[1], 0,
                call.I * sizeof(T));
}

template <class T, class W>
void backward_group(Plan& plan, const BackwardShared<T, W>& shared, int thread, int g) {
    using A = factor_of<T, W>;
    const elman_call& call = *plan.call;
    Group& group = plan.group[g];
    const auto& buffers = shared.groups[g];
    const int member = thread % plan.members;
    const Share rows = share(group.n, member, plan.members);
    const Share panels = share(shared.w_hh.count(), member, plan.members);
    const Share units = {panels.first * panel_width<T>,  // whole vectors, and columns this member wrote itself
                         panels.last == shared.w_hh.count() ? call.H : panels.last * panel_width<T>};
    const T** pointers = shared.row_pointers[thread];
    A* const copy = shared.copy + thread * copy_size<A>;
    const bool weights = call.grad_w_ih || call.grad_w_hh || call.grad_bias;
    if (!group.chunk_count) zero_sums<T>(call, buffers, units);
    const A* later = nullptr;
    A* delta = buffers.delta[0];
    for (int64_t i = group.chunk_count - 1; i >= 0; --i) {
        const Chunk& chunk = group.chunks[i];
        const Share packed = share_of_rows<W>(chunk.rows, member, plan.members);
        delta = buffers.delta[i % 2];
        delta_steps(plan, group, chunk, shared, buffers, delta, later, panels, pointers, copy);
        if (weights) {
            pack_inputs(plan, group, chunk, packed, shared.chunk_rows, shared.zeros, buffers.x, buffers.h);
            group.barrier.wait();
            add_weight_gradients(call, chunk.rows, shared, buffers, delta, units, i == group.chunk_count - 1, copy);
        }
        if (call.grad_x) give_grad_x(plan, group, chunk, shared, buffers, delta, thread, pointers, copy);
        later = delta;
        group.barrier.wait();
    }
    if (call.grad_h0) give_grad_h0(plan, group, shared, buffers, delta, panels, rows, pointers);
    if (call.grad_x) zero_past_ends<T>(call, group, rows);
}

template <class T, class W>
void backward_thread(Plan& plan, const BackwardShared<T, W>& shared, int thread) {
    pack_recurrent_weights(plan, shared, thread);
    pack_input_weights(plan, shared, thread);
    plan.everyone.wait();
    for (int g = thread / plan.members; g < plan.groups; g += plan.teams()) backward_group(plan, shared, thread, g);
    plan.everyone.wait();
    add_all_groups(plan, shared, thread, const_cast<T**>(shared.row_pointers[thread]));
}

template <class T, class W>
void take_group_buffers(const Plan& plan, Scratch& scratch, BackwardShared<T, W>& shared) {
    using A = factor_of<T, W>;
    const elman_call& call = *plan.call;
    auto sums = [&](void* gradient, int64_t n) {
        return plan.groups == 1 || !gradient ? static_cast<T*>(gradient) : scratch.take<T>(n);
    };
    const int64_t sums_row = shared.row > shared.x_row ? shared.row : shared.x_row;
    shared.groups = scratch.take<typename BackwardShared<T, W>::GroupBuffers>(plan.groups);
    for (int g = 0; g < plan.groups; ++g) {
        const Group& group = plan.group[g];
        auto& buffers = shared.groups[g];
        scratch.begin_page();
        for (A*& delta : buffers.delta) delta = scratch.take<A>(group.chunk_rows * shared.row);
        buffers.x = scratch.take<W>(shared.chunk_rows * padded<T>(call.I));
        buffers.h = scratch.take<W>(shared.chunk_rows * padded<T>(call.H));
        buffers.sums = scratch.take<T>(cuts_k<A>(call.H) ? group.chunk_rows * sums_row : 0);
        buffers.carry = scratch.take<T>(call.residual ? group.n * shared.row : 0);
        buffers.w_ih = sums(call.grad_w_ih, call.H * call.I);
        buffers.w_hh = sums(call.grad_w_hh, call.H * call.H);
        buffers.bias = sums(call.grad_bias, call.H);
    }
}

// The memory that the threads share, with `lists` row pointers a sequence.
template <class T, class W>
void take_backward(const Plan& plan, Scratch& scratch, BackwardShared<T, W>& shared, int64_t lists) {
    using A = factor_of<T, W>;
    const elman_call& call = *plan.call;
    const bool one_chunk = plan.most_chunks() <= 1;
    shared.w_ih = one_chunk ? Panels<T, W>{nullptr, call.H, call.I} : take_panels<T, W>(scratch, call.H, call.I);
    shared.own_panel_size = one_chunk ? padded_k<W>(call.H) * panel_width<T> : 0;
    shared.own_panel = scratch.take<W>(plan.threads * shared.own_panel_size);
    shared.copy = scratch.take<A>(plan.threads * copy_size<A>);
    shared.w_hh = take_panels<T, W>(scratch, call.H, call.H);
    shared.row = row_length<T>(call.H);
    shared.x_row = row_length<T>(call.I);
    shared.chunk_rows = padded_k<W>(plan.most_rows());
    take_group_buffers(plan, scratch, shared);
    shared.row_pointers = take_pointers<T>(scratch, plan, lists, true);
    if (call.grad_x) advise_huge(call.grad_x, call.T * call.B * call.I * sizeof(T));
    if (call.grad_w_ih) advise_huge(call.grad_w_ih, call.H * call.I * sizeof(T));
    if (call.grad_w_hh) advise_huge(call.grad_w_hh, call.H * call.H * sizeof(T));
}

template <class T, class W = T>
Job backward(Plan& plan, Scratch& scratch) {
    BackwardShared<T, W> shared{};
    take_backward(plan, scratch, shared, 5);
    if (plan.resets) {
        T* const zeros = scratch.take<T>(shared.row);
        __builtin_memset(zeros, 0, shared.row * sizeof(T));
        shared.zeros = zeros;
    }
    return Pass<BackwardShared<T, W>, backward_thread<T, W>>::job(plan, shared, scratch);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
