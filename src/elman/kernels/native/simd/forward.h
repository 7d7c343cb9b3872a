// The forward pass of one thread. drive = x W_ih^T + bias for a chunk of steps at a time, while it stays in cache; then
// the recurrence over them, one product and its nonlinearity a step. Small weights are fused: a row of the state is
// [x_t ; h_(t-1)], and a step is its one product with W = [W_ih W_hh], as the equation is usually written.
#pragma once
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "runtime/thresholds.h"
#include "simd/forward_epilogues.h"
#include "simd/gemm/blocked.h"
#include "simd/gemm/once.h"
#include "simd/resets.h"
#include "simd/rows.h"
#include "simd/workspace.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T, class W>
struct ForwardShared {  // one per call, and `groups` one per group
    using A = factor_of<T, W>;
    bool fused_weights;
    Panels<T, W> w_ih, w_hh;  // data is null where each panel is used only once: it is then packed just before
    W* own_panel;             // one a thread, for that
    int64_t own_panel_size;
    A* copy;        // of blocks of x and of the state; one a thread
    const T* bias;  // (row), or null, but not where `fused_weights`
    struct GroupBuffers {
        A *x, *state[2];
        T *drive, *sums;  // sums: parts of long ones
    };
    GroupBuffers* groups;
    const T*** row_pointers;        // one list a thread
    int64_t x_row, row, state_row;  // row lengths of x, of drive and of the state
};

// Pointers to the rows that a step reads and writes, for the sequences still running; they move on with the steps.
template <class T>
struct ForwardRows {
    T** h;             // h_t
    const T** before;  // h_(t-1), with the identity connection
    const T** mask;
    const T** x;
    int64_t h_step, x_step;  // from a step to the next
    ForwardRows(const elman_call& call, const Group& group, int64_t first, const T** pointers) {
        h = const_cast<T**>(pointers);
        before = call.residual ? pointers + group.n : nullptr;
        mask = call.mask ? pointers + 2 * group.n : nullptr;
        x = pointers + 3 * group.n;
        h_step = call.reverse ? -call.h_stride[0] : call.h_stride[0];
        x_step = call.reverse ? -call.x_stride[0] : call.x_stride[0];
        for (int64_t r = 0; r < group.active[first]; ++r) {
            const int64_t b = group.sequence[r], t = time_of(group, r, first, call.reverse);
            h[r] = static_cast<T*>(call.h) + t * call.h_stride[0] + b * call.h_stride[1];
            x[r] = row_of_x<T>(call, group, r, first);
            if (mask) mask[r] = static_cast<const T*>(call.mask) + b * call.H;
        }
    }
    ELMAN_INLINE void find_before(const elman_call& call, const Group& group, int64_t s) const {
        if (!before) return;
        for (int64_t r = 0; r < group.active[s]; ++r)
            before[r] = s ? h[r] - h_step : static_cast<const T*>(call.h0) + group.sequence[r] * call.H;
    }
    ELMAN_INLINE void next_step(int64_t n) const {
        for (int64_t r = 0; r < n; ++r) {
            h[r] += h_step;
            x[r] += x_step;
        }
    }
};

template <class T, class W>
void forward_steps(const Plan& plan, Group& group, const Chunk& chunk, const ForwardShared<T, W>& shared,
                   const typename ForwardShared<T, W>::GroupBuffers& buffers, Share panels, const T** pointers,
                   W* own_panel, typename ForwardShared<T, W>::A* copy) {
    using A = typename ForwardShared<T, W>::A;
    const elman_call& call = *plan.call;
    const Share units = units_of<T>(panels, call.H);
    const ForwardRows<T> rows(call, group, chunk.first, pointers);
    const bool fused = shared.fused_weights;
    const T* drive = fused ? shared.bias : buffers.drive;
    const int64_t inputs = fused ? call.I : 0, drive_row = fused ? 0 : shared.row;
    const int64_t ahead = !can_prefetch_x<T>(call) ? group.steps : fused ? 2 : chunk.last - chunk.first;
    for (int64_t s = chunk.first; s < chunk.last; ++s) {
        const int64_t n = group.active[s];
        rows.find_before(call, group, s);
        A* const state = buffers.state[s % 2];
        if (fused)
            for (int64_t r = 0; r < n; ++r) copy_row(call, rows.x[r], state + r * shared.state_row);
        if (s + ahead < group.steps)
            for (int64_t r = 0; r < group.active[s + ahead]; ++r) prefetch_x(call, rows.x[r] + ahead * rows.x_step);
        A* const next = buffers.state[(s + 1) % 2] + inputs;
        const int64_t h_ahead = fused && s + 1 < chunk.last ? rows.h_step : 0;
        const StateEpilogue<T, A> epilogue{
            drive,   next,   drive_row,   shared.state_row, call.H,
            h_ahead, rows.h, rows.before, rows.mask,        call.nonlinearity == ELMAN_RELU};
        if (shared.w_hh.data)
            gemm_blocked(state, shared.state_row, 0, n, shared.w_hh, panels.first, panels.last, buffers.sums,
                         shared.row, copy, epilogue, s % 2);
        else
            gemm_once(state, shared.state_row, n, static_cast<const T*>(call.w_hh), call.H, call.H, panels, own_panel,
                      epilogue);
        for_each_reset(plan, group, s + 1, [&](int64_t r) {
            __builtin_memset(next + r * shared.state_row + units.first, 0, (units.last - units.first) * sizeof(A));
        });
        drive += n * drive_row;
        rows.next_step(n);
        group.barrier.wait();
    }
}

// Panel p of [W_ih W_hh]^T.
template <class T, class W>
void pack_fused(const elman_call& call, W* panels, int64_t p) {
    const int64_t c0 = p * panel_width<T>, columns = call.H - c0;
    const int64_t width = can_be_narrow<W> && columns <= lanes<T> ? lanes<T> : panel_width<T>;
    W* const to = panels + c0 * (call.I + call.H);
    pack_transposed(static_cast<const T*>(call.w_ih) + c0 * call.I, call.I, columns, to, 0);
    pack_transposed(static_cast<const T*>(call.w_hh) + c0 * call.H, call.H, columns, to + call.I * width, 0);
}

// This thread's share of the panels.
template <class T, class W>
ELMAN_INLINE void pack_weights(const Plan& plan, const ForwardShared<T, W>& shared, int thread) {
    const elman_call& call = *plan.call;
    for (int64_t p = thread; p < shared.w_hh.count(); p += plan.threads) {
        if (shared.fused_weights) {
            pack_fused<T>(call, const_cast<W*>(shared.w_hh.data), p);
            continue;
        }
        if (shared.w_ih.data)
            pack_transposed(static_cast<const T*>(call.w_ih), call.I, call.H, const_cast<W*>(shared.w_ih.data), p);
        if (shared.w_hh.data)
            pack_transposed(static_cast<const T*>(call.w_hh), call.H, call.H, const_cast<W*>(shared.w_hh.data), p);
    }
}

// drive of a chunk, of which this member computes the columns of `panels`.
template <class T, class W>
ELMAN_INLINE void compute_drive(const elman_call& call, Group& group, const Chunk& chunk,
                                const ForwardShared<T, W>& shared,
                                const typename ForwardShared<T, W>::GroupBuffers& buffers, Share gathered, Share panels,
                                W* own_panel, typename ForwardShared<T, W>::A* copy) {
    gather_x<T>(call, group, chunk, gathered.first, gathered.last, buffers.x, shared.x_row);
    group.barrier.wait();
    const DriveEpilogue<T> epilogue{buffers.drive, shared.row, shared.bias};
    if (shared.w_ih.data)
        gemm_blocked(buffers.x, shared.x_row, 0, chunk.rows, shared.w_ih, panels.first, panels.last, buffers.drive,
                     shared.row, copy, epilogue);
    else
        gemm_once(buffers.x, shared.x_row, chunk.rows, static_cast<const T*>(call.w_ih), call.I, call.H, panels,
                  own_panel, epilogue);
}

template <class T, class W>
void forward_group(Plan& plan, const ForwardShared<T, W>& shared, int thread, int g) {
    const elman_call& call = *plan.call;
    Group& group = plan.group[g];
    const auto& buffers = shared.groups[g];
    const int member = thread % plan.members;
    auto* const copy = shared.copy + thread * copy_size<typename ForwardShared<T, W>::A>;
    W* const own_panel = shared.own_panel + thread * shared.own_panel_size;
    const Share rows = share(group.n, member, plan.members);
    const Share panels = share(shared.w_hh.count(), member, plan.members);
    start_state<T>(call, group, rows.first, rows.last, buffers.state[0] + (shared.fused_weights ? call.I : 0),
                   shared.state_row);
    for_each_reset(plan, group, 0, [&](int64_t r) {
        if (r < rows.first || r >= rows.last) return;
        auto* const state = buffers.state[0] + (shared.fused_weights ? call.I : 0);
        __builtin_memset(state + r * shared.state_row, 0, call.H * sizeof *state);
    });
    group.barrier.wait();
    for (int64_t i = 0; i < group.chunk_count; ++i) {
        const Chunk& chunk = group.chunks[i];
        const Share gathered = share(chunk.rows, member, plan.members);
        if (!shared.fused_weights)
            compute_drive(call, group, chunk, shared, buffers, gathered, panels, own_panel, copy);
        forward_steps(plan, group, chunk, shared, buffers, panels, shared.row_pointers[thread], own_panel, copy);
    }
    finish_rows<T>(call, group, rows.first, rows.last);
}

template <class T, class W>
void forward_thread(Plan& plan, const ForwardShared<T, W>& shared, int thread) {
    pack_weights(plan, shared, thread);
    plan.everyone.wait();
    for (int g = thread / plan.members; g < plan.groups; g += plan.teams()) forward_group(plan, shared, thread, g);
}

// Whether W = [W_ih W_hh] fits the first-level cache, and there are rows enough that summing the inputs' share of many
// steps at once would gain nothing.
template <class T, class W>
bool fuses_weights(const Plan& plan) {
    const int64_t K = plan.call->I + plan.call->H;
    return together<W> == 1 && plan.split == 1 && plan.call->B >= group_sequences * plan.groups && !cuts_k<T>(K) &&
           K * row_length<T>(plan.call->H) * int64_t(sizeof(W)) <= fused_weights_bytes;
}

template <class T, class W>
void take_group_buffers(const Plan& plan, Scratch& scratch, ForwardShared<T, W>& shared) {
    using A = typename ForwardShared<T, W>::A;
    shared.groups = scratch.take<typename ForwardShared<T, W>::GroupBuffers>(plan.groups);
    for (int g = 0; g < plan.groups; ++g) {
        const Group& group = plan.group[g];
        auto& buffers = shared.groups[g];
        scratch.begin_page();
        buffers.x = scratch.take<A>(shared.fused_weights ? 0 : group.chunk_rows * shared.x_row);
        buffers.drive = scratch.take<T>(shared.fused_weights ? 0 : group.chunk_rows * shared.row);
        for (A*& state : buffers.state) state = scratch.take<A>(group.n * shared.state_row);
        buffers.sums = scratch.take<T>(cuts_k<A>(plan.call->H) ? group.n * shared.row : 0);
    }
}

// The memory that the threads share, with `lists` row pointers a sequence; whether the weights are fused is said in
// `shared` before.
template <class T, class W>
void take_forward(const Plan& plan, Scratch& scratch, ForwardShared<T, W>& shared, int64_t lists) {
    using A = typename ForwardShared<T, W>::A;
    const elman_call& call = *plan.call;
    const bool large = call.H * call.H * int64_t(sizeof(W)) > own_cache_bytes;
    const bool one_chunk = plan.most_chunks() <= 1,
               few_steps = call.T <= (large ? unpacked_steps_large : unpacked_steps);
    if (shared.fused_weights) {
        shared.w_hh = take_panels<T, W>(scratch, call.I + call.H, call.H);
    } else {
        shared.w_ih = one_chunk ? Panels<T, W>{nullptr, call.I, call.H} : take_panels<T, W>(scratch, call.I, call.H);
        shared.w_hh = few_steps ? Panels<T, W>{nullptr, call.H, call.H} : take_panels<T, W>(scratch, call.H, call.H);
    }
    shared.own_panel_size =
        one_chunk || few_steps ? padded_k<W>(call.I > call.H ? call.I : call.H) * panel_width<T> : 0;
    shared.copy = scratch.take<A>(cuts_k<A>(call.H) || cuts_k<A>(call.I) ? plan.threads * copy_size<A> : 0);
    shared.own_panel = scratch.take<W>(plan.threads * shared.own_panel_size);
    shared.x_row = row_length<T>(call.I);
    shared.row = row_length<T>(call.H);
    // what a panel of bfloat16 gives is two vectors wide, even where its second one has no unit
    const int64_t units = can_be_narrow<W> ? padded<T>(call.H) : shared.w_hh.count() * panel_width<T>;
    shared.state_row = shared.fused_weights ? row_length<T>(call.I + units) : shared.row;
    take_group_buffers(plan, scratch, shared);
    shared.row_pointers = take_pointers<T>(scratch, plan, lists, false);
    scratch.begin_page();
    shared.bias = sum_biases<T>(call, scratch, shared.fused_weights);
    advise_huge(call.h, call.T * call.B * call.H * sizeof(T));
}

template <class T, class W = T>
Job forward(Plan& plan, Scratch& scratch) {
    ForwardShared<T, W> shared{};
    shared.fused_weights = fuses_weights<T, W>(plan);
    take_forward(plan, scratch, shared, 4);
    return Pass<ForwardShared<T, W>, forward_thread<T, W>>::job(plan, shared, scratch);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
