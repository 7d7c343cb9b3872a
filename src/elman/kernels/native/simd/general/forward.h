// The forward pass of the general recurrence, one thread's part. It goes as the plain one does (simd/forward.h): the
// drive of a chunk, to which the noise is added while it is in cache, then a product and a state a step.
#pragma once
#include "simd/forward.h"
#include "simd/general/forward_epilogue.h"
#include "simd/general/low_rank.h"
#include "simd/general/sparse.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct GeneralForward {
    ForwardShared<T, T> plain;
    UnitVectors<T> units;
    LowRank<T> low;
    Sparse<T> sparse;
    SparseRoom<T>* rooms;  // one a group
};

// drive += s * n in the columns [first, last) of a chunk's rows; `first` is a whole number of vectors.
template <class T>
void add_noise(const elman_general_call& general, const Group& group, const Chunk& chunk, const T* size, int64_t first,
               int64_t last, T* drive, int64_t row_length) {
    alignas(64) T block[units_at_once];
    const NoiseKeys keys(general.seed);
    for (int64_t s = chunk.first; s < chunk.last; ++s)
        for (int64_t r = 0; r < group.active[s]; ++r, drive += row_length) {
            const NoisePlace place = {group.sequence[r], time_of(group, r, s, general.call.reverse), general.stream};
            for (int64_t c = first / units_at_once * units_at_once; c < last; c += units_at_once) {
                normal_blocks(place, keys, c / block_units, last - c, block);
                for (int64_t i = c < first ? first : c; i < c + units_at_once && i < last; i += lanes<T>)
                    store(drive + i, load(drive + i) + load(size + i) * load(block + i - c));
            }
        }
}

// The rows that a step reads and writes, for the sequences still running; they move on with the steps.
template <class T>
struct GeneralForwardRows {
    T **h, **extra;
    const T **before, **mask, **x;
    const uint8_t** reset;
    int64_t h_step, extra_step, x_step, reset_step;  // from a step to the next
    GeneralForwardRows(const elman_general_call& general, const UnitVectors<T>& units, const Group& group,
                       int64_t first, const T** pointers) {
        const elman_call& call = general.call;
        const int64_t on = call.reverse ? -1 : 1;
        h = const_cast<T**>(pointers);
        extra = general.extra ? const_cast<T**>(pointers) + group.n : nullptr;
        before = units.keep ? pointers + 2 * group.n : nullptr;
        mask = call.mask ? pointers + 3 * group.n : nullptr;
        x = pointers + 4 * group.n;
        reset = general.reset ? reinterpret_cast<const uint8_t**>(pointers + 5 * group.n) : nullptr;
        h_step = on * call.h_stride[0], extra_step = on * general.extra_stride[0];
        x_step = on * call.x_stride[0], reset_step = on * general.reset_stride[0];
        for (int64_t r = 0; r < group.active[first]; ++r) {
            const int64_t b = group.sequence[r], t = time_of(group, r, first, call.reverse);
            h[r] = row_of_h<T>(call, t, b);
            x[r] = row_of_x<T>(call, group, r, first);
            if (extra) extra[r] = row_of_extra<T>(general, t, b);
            if (mask) mask[r] = row_of_mask<T>(call, b);
            if (reset) reset[r] = general.reset + t * general.reset_stride[0] + b * general.reset_stride[1];
        }
    }
    ELMAN_INLINE void find_before(const elman_general_call& general, const UnitVectors<T>& units, const Group& group,
                                  int64_t s) const {
        if (!before) return;
        const elman_call& call = general.call;
        T* const* const state = general.current ? extra : h;
        const int64_t step = general.current ? extra_step : h_step;
        for (int64_t r = 0; r < group.active[s]; ++r)
            before[r] = reset && *reset[r] ? units.restart
                        : s                ? state[r] - step
                                           : static_cast<const T*>(call.h0) + group.sequence[r] * call.H;
    }
    ELMAN_INLINE void next_step(int64_t n) const {
        for (int64_t r = 0; r < n; ++r) {
            h[r] += h_step;
            x[r] += x_step;
            if (extra) extra[r] += extra_step;
            if (reset) reset[r] += reset_step;
        }
    }
    // Where a reset stands before the next step, its restart state enters W_hh: columns [first, last) of the state.
    ELMAN_INLINE void enter_resets(const elman_call& call, const UnitVectors<T>& units, int64_t n, int64_t first,
                                   int64_t last, T* state, int64_t row_length) const {
        for (int64_t r = 0; r < n; ++r)
            if (reset[r][reset_step])
                enter(units.entered, mask ? mask[r] : nullptr, first, last, call.H, state + r * row_length);
    }
};

template <class T>
void general_steps(const elman_general_call& general, Group& group, const Chunk& chunk, const GeneralForward<T>& shared,
                   const typename ForwardShared<T, T>::GroupBuffers& buffers, Share panels, const T** pointers,
                   T* own_panel, T* copy, T* low_sums, const SparseRoom<T>& room) {
    const elman_call& call = general.call;
    const ForwardShared<T, T>& plain = shared.plain;
    const GeneralForwardRows<T> rows(general, shared.units, group, chunk.first, pointers);
    const T* drive = buffers.drive;
    const int64_t first = panels.first * panel_width<T>;
    const int64_t last = panels.last == plain.w_hh.count() ? call.H : panels.last * panel_width<T>;
    const int64_t ahead = can_prefetch_x<T>(call) ? chunk.last - chunk.first : group.steps;
    for (int64_t s = chunk.first; s < chunk.last; ++s) {
        const int64_t n = group.active[s];
        rows.find_before(general, shared.units, group, s);
        if (s + ahead < group.steps)
            for (int64_t r = 0; r < group.active[s + ahead]; ++r) prefetch_x(call, rows.x[r] + ahead * rows.x_step);
        T *const state = buffers.state[s % 2], *const next = buffers.state[(s + 1) % 2];
        const GeneralStateEpilogue<T> epilogue{drive,
                                               next,
                                               plain.row,
                                               plain.state_row,
                                               call.H,
                                               call.nonlinearity,
                                               general.current != 0,
                                               shared.units.keep,
                                               shared.units.gain,
                                               rows.h,
                                               rows.extra,
                                               rows.before,
                                               rows.mask};
        if (shared.low.in.data)
            low_rank_product(state, plain.state_row, 0, n, shared.low, low_sums, epilogue);
        else if (shared.sparse.starts)
            sparse_product(state, plain.state_row, n, shared.sparse, room, panels, group.barrier, epilogue);
        else if (plain.w_hh.data)
            gemm_blocked(state, plain.state_row, 0, n, plain.w_hh, panels.first, panels.last, buffers.sums, plain.row,
                         copy, epilogue, s % 2);
        else
            gemm_once(state, plain.state_row, n, static_cast<const T*>(call.w_hh), call.H, call.H, panels, own_panel,
                      epilogue);
        if (rows.reset && s + 1 < group.steps)
            rows.enter_resets(call, shared.units, group.active[s + 1], first, last, next, plain.state_row);
        drive += n * plain.row;
        rows.next_step(n);
        group.barrier.wait();
    }
}

// The states before the first step, as they enter W_hh.
template <class T>
void general_start(const elman_general_call& general, const UnitVectors<T>& units, const Group& group, Share rows,
                   T* state, int64_t row_length) {
    const elman_call& call = general.call;
    for (int64_t r = rows.first; r < rows.last; ++r) {
        const int64_t b = group.sequence[r];
        const T *h0 = static_cast<const T*>(call.h0) + b * call.H, *mask = row_of_mask<T>(call, b);
        for (int64_t c = 0; c < call.H; c += lanes<T>) {
            vec<T> v[1] = {load_n(h0 + c, call.H - c)};
            if (general.current) apply<T>(call.nonlinearity, v);
            if (mask) v[0] *= load_n(mask + c, call.H - c);
            store(state + r * row_length + c, v[0]);
        }
        if (group.length[r] && is_reset(general, time_of(group, r, 0, call.reverse), b))
            enter(units.entered, mask, 0, call.H, call.H, state + r * row_length);
    }
}

// The last states, and the zeros past each sequence's end.
template <class T>
void general_finish(const elman_general_call& general, const Group& group, Share rows) {
    const elman_call& call = general.call;
    const int64_t bytes = call.H * sizeof(T);
    for (int64_t r = rows.first; r < rows.last; ++r) {
        const int64_t b = group.sequence[r], length = group.length[r];
        const T* from = static_cast<const T*>(call.h0) + b * call.H;
        if (length) {
            const int64_t t = time_of(group, r, length - 1, call.reverse);
            from = general.current ? row_of_extra<T>(general, t, b) : row_of_h<T>(call, t, b);
        }
        __builtin_memcpy(static_cast<T*>(call.h_last) + b * call.H, from, bytes);
        for (int64_t t = length; t < call.T; ++t) {
            __builtin_memset(row_of_h<T>(call, t, b), 0, bytes);
            if (general.extra) __builtin_memset(row_of_extra<T>(general, t, b), 0, bytes);
        }
    }
}

template <class T>
void general_forward_group(Plan& plan, const GeneralForward<T>& shared, int thread, int g) {
    const elman_call& call = *plan.call;
    const elman_general_call& general = general_of(call);
    Group& group = plan.group[g];
    const auto& buffers = shared.plain.groups[g];
    const int member = thread % plan.members;
    T* const copy = shared.plain.copy + thread * copy_size<T>;
    T* const own_panel = shared.plain.own_panel + thread * shared.plain.own_panel_size;
    T* const low_sums = shared.low.in.data ? shared.low.sums[g] : nullptr;
    const Share rows = share(group.n, member, plan.members);
    general_start(general, shared.units, group, rows, buffers.state[0], shared.plain.state_row);
    const Share panels = share(shared.plain.w_hh.count(), member, plan.members);
    const int64_t first = panels.first * panel_width<T>, last = panels.last * panel_width<T>;
    group.barrier.wait();
    for (int64_t i = 0; i < group.chunk_count; ++i) {
        const Chunk& chunk = group.chunks[i];
        compute_drive(call, group, chunk, shared.plain, buffers, share(chunk.rows, member, plan.members), panels,
                      own_panel, copy);
        if (general.noise)
            add_noise(general, group, chunk, shared.units.noise, first, last < call.H ? last : call.H, buffers.drive,
                      shared.plain.row);
        general_steps(general, group, chunk, shared, buffers, panels, shared.plain.row_pointers[thread], own_panel,
                      copy, low_sums, shared.rooms[g]);
    }
    general_finish<T>(general, group, rows);
}

template <class T>
void general_forward_thread(Plan& plan, const GeneralForward<T>& shared, int thread) {
    pack_weights(plan, shared.plain, thread);
    if (shared.low.in.data) pack_low_rank(plan, shared.low, general_of(*plan.call).w_in, plan.call->w_hh, thread);
    plan.everyone.wait();
    for (int g = thread / plan.members; g < plan.groups; g += plan.teams())
        general_forward_group(plan, shared, thread, g);
}

template <class T>
Job general_forward(Plan& plan, Scratch& scratch) {
    const elman_call& call = *plan.call;
    GeneralForward<T> shared{};
    take_forward<T, T>(plan, scratch, shared.plain, 6);
    if (general_of(call).extra) advise_huge(general_of(call).extra, call.T * call.B * call.H * sizeof(T));
    shared.low = take_low_rank<T>(plan, scratch);
    const int64_t side = most_side_by_side<T>(plan);
    shared.sparse = take_sparse<T>(general_of(call), side, false, scratch);
    shared.rooms = scratch.take<SparseRoom<T>>(plan.groups);
    for (int g = 0; g < plan.groups; ++g)
        shared.rooms[g] = take_sparse_room(shared.sparse, side, plan.group[g].n, scratch);
    if (shared.low.in.data || shared.sparse.starts) shared.plain.w_hh.data = nullptr;
    shared.units = take_unit_vectors<T>(general_of(call), scratch);
    return Pass<GeneralForward<T>, general_forward_thread<T>>::job(plan, shared, scratch);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
