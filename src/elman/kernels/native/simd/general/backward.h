// The backward pass of the general recurrence, one thread's part. It goes as the plain one does (simd/backward.h); the
// equations are those of kernels/general/reference.py.
#pragma once
#include "simd/backward.h"
#include "simd/general/backward_epilogue.h"
#include "simd/general/low_rank.h"
#include "simd/general/sparse_gradient.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct GeneralBackward {
    BackwardShared<T> plain;
    UnitVectors<T> units;
    LowRank<T> low;
    Sparse<T> sparse;  // by columns
    T* grad_sparse;    // the gradient of a sparse w_hh, or null
    struct GroupBuffers {
        T* carry;                   // (n, row) g of the step before, or null
        T* q0;                      // (n, row) f(h0) in the current form, or null
        T *leak, *noise, *restart;  // (row) this group's sums, or null
        T* low;                     // (n, low.row), of low rank
        SparseRoom<T> room;
        SparseGradient<T> gradient;
    };
    GroupBuffers* groups;
    uint8_t** cut;  // one list a thread: of each sequence, whether it is reset
};

// Which of the sequences running at step s are reset before it.
inline const uint8_t* find_cuts(const elman_general_call& general, const Group& group, int64_t s, uint8_t* cut) {
    if (!general.reset) return nullptr;
    for (int64_t r = 0; r < group.active[s]; ++r)
        cut[r] = is_reset(general, time_of(group, r, s, general.call.reverse), group.sequence[r]);
    return cut;
}

template <class T>
Onward<T> onward_of(const elman_general_call& general, const GeneralBackward<T>& shared,
                    const typename GeneralBackward<T>::GroupBuffers& own, const T* const* mask, const uint8_t* cut) {
    return {general.call.nonlinearity,
            general.current != 0,
            shared.units.keep,
            shared.units.gain,
            shared.units.entered,
            mask,
            cut,
            own.carry,
            shared.plain.row,
            general.call.H,
            own.leak,
            own.restart};
}

// delta of a chunk; `later` is delta of the first step after it, or null at the end.
template <class T>
void general_deltas(const elman_general_call& general, Group& group, const Chunk& chunk,
                    const GeneralBackward<T>& shared, const typename BackwardShared<T>::GroupBuffers& buffers,
                    const typename GeneralBackward<T>::GroupBuffers& own, T* delta, const T* later, Share panels,
                    const T** pointers, T* copy, uint8_t* cut) {
    const elman_call& call = general.call;
    const BackwardShared<T>& plain = shared.plain;
    const int64_t first_list = group.n;
    T* at = delta + chunk.rows * plain.row;
    const bool ahead = call.grad_w_ih && can_prefetch_x<T>(call);
    for (int64_t s = chunk.last - 1; s >= chunk.first; --s) {
        const int64_t n = group.active[s], going_on = group.active[s + 1];
        at -= n * plain.row;
        if (ahead)
            for (int64_t r = 0; r < n; ++r) prefetch_x(call, row_of_x<T>(call, group, r, s));
        const T **h = pointers, **y = h + first_list, **before = y + first_list, **grad_h = before + first_list,
                **last = grad_h + first_list, **mask = last + first_list;
        for (int64_t r = 0; r < n; ++r) {
            const int64_t b = group.sequence[r], t = time_of(group, r, s, call.reverse);
            h[r] = row_of_h<T>(call, t, b);
            y[r] = general.extra ? row_of_extra<T>(general, t, b) : h[r];
            if (own.leak) before[r] = state_before(general, shared.units, group, r, s);
            if (call.grad_h)
                grad_h[r] = static_cast<const T*>(call.grad_h) + t * call.grad_h_stride[0] + b * call.grad_h_stride[1];
            if (call.grad_h_last) last[r] = static_cast<const T*>(call.grad_h_last) + b * call.H;
            mask[r] = row_of_mask<T>(call, b);
        }
        const uint8_t* cuts = going_on ? find_cuts(general, group, s + 1, cut) : nullptr;
        GeneralDeltaEpilogue<T> epilogue{onward_of(general, shared, own, call.mask ? mask : nullptr, cuts),
                                         at,
                                         h,
                                         y,
                                         before,
                                         call.grad_h ? grad_h : nullptr,
                                         call.grad_h ? call.grad_h_stride[2] : 1,
                                         nullptr,
                                         true};
        if (shared.low.in.data)
            low_rank_product(later, plain.row, 0, going_on, shared.low, own.low, epilogue);
        else if (shared.sparse.starts)
            sparse_product(later, plain.row, going_on, shared.sparse, own.room, panels, group.barrier, epilogue);
        else
            gemm_blocked(later, plain.row, 0, going_on, plain.w_hh, panels.first, panels.last, buffers.sums, plain.row,
                         copy, epilogue, s % 2);
        epilogue.last = call.grad_h_last ? last : nullptr;
        epilogue.going_on = false;
        gemm(delta, plain.row, going_on, n, plain.w_hh, panels.first, panels.last, 0, 0, epilogue);
        later = at;
        group.barrier.wait();
    }
}

// What enters W_hh in step s of sequence r.
template <class T>
ELMAN_INLINE const T* row_of_q(const elman_general_call& general, const GeneralBackward<T>& shared, const T* q0,
                               const Group& group, int64_t r, int64_t s) {
    if (is_reset(general, time_of(group, r, s, general.call.reverse), group.sequence[r])) return shared.units.entered;
    return s == 0 && q0 ? q0 + r * shared.plain.row : h_before<T>(general.call, group, r, s);
}

// The rows of x and of m * q_t that belong to rows [first, last) of the chunk's deltas, into panels.
template <class T>
void pack_general_inputs(const elman_general_call& general, const GeneralBackward<T>& shared, const T* q0,
                         const Group& group, const Chunk& chunk, Share rows, int64_t K, T* x, T* h) {
    const elman_call& call = general.call;
    int64_t row = 0;
    for (int64_t s = chunk.first; s < chunk.last; ++s)
        for (int64_t r = 0; r < group.active[s]; ++r, ++row) {
            if (row < rows.first || row >= rows.last) continue;
            const int64_t b = group.sequence[r];
            if (call.grad_w_ih)
                pack_row(row_of_x<T>(call, group, r, s), call.x_stride[2], static_cast<const T*>(nullptr), call.I, x, K,
                         row);
            if (!call.grad_w_hh) continue;
            pack_row(row_of_q(general, shared, q0, group, r, s), 1, row_of_mask<T>(call, b), call.H, h, K, row);
        }
}

// A chunk's part of the gradient of a sparse w_hh.
template <class T>
void add_sparse_gradient(const elman_general_call& general, const GeneralBackward<T>& shared,
                         const typename GeneralBackward<T>::GroupBuffers& own, Group& group, const Chunk& chunk,
                         const T* delta, Share rows, Share units, bool fresh) {
    int64_t row = 0;
    for (int64_t s = chunk.first; s < chunk.last; ++s)
        for (int64_t r = 0; r < group.active[s]; ++r, ++row) {
            if (row < rows.first || row >= rows.last) continue;
            own.gradient.q[row] = row_of_q(general, shared, own.q0, group, r, s);
            own.gradient.mask[row] = row_of_mask<T>(general.call, group.sequence[r]);
        }
    group.barrier.wait();
    turn_factors(shared.sparse, own.gradient, row, delta, shared.plain.row, units);
    group.barrier.wait();
    add_connection_gradients(shared.sparse, own.gradient, row, units, fresh);
}

// The whole gradient of a sparse w_hh, this thread's columns of it.
template <class T>
void finish_sparse_gradient(Plan& plan, const GeneralBackward<T>& shared, int thread) {
    const int64_t H = plan.call->H;
    const Share share_of = share(H, thread, plan.threads);
    __builtin_memset(shared.grad_sparse + share_of.first * H, 0, (share_of.last - share_of.first) * H * sizeof(T));
    plan.everyone.wait();
    const T** values = shared.plain.row_pointers[thread];
    int groups = 0;
    for (int g = 0; g < plan.groups; ++g)
        if (plan.group[g].chunk_count) values[groups++] = shared.groups[g].gradient.values;
    if (groups)
        give_connection_gradients(shared.sparse, values, groups, share_of.first, share_of.last, shared.grad_sparse);
}

// dL/ds in the columns of `units`: the noise is drawn again.
template <class T>
void add_noise_gradient(const elman_general_call& general, const Group& group, const Chunk& chunk, const T* delta,
                        int64_t row_length, Share units, T* sum) {
    alignas(64) T block[units_at_once];
    const NoiseKeys keys(general.seed);
    for (int64_t s = chunk.first; s < chunk.last; ++s)
        for (int64_t r = 0; r < group.active[s]; ++r, delta += row_length) {
            const NoisePlace place = {group.sequence[r], time_of(group, r, s, general.call.reverse), general.stream};
            for (int64_t c = units.first / units_at_once * units_at_once; c < units.last; c += units_at_once) {
                normal_blocks(place, keys, c / block_units, units.last - c, block);
                for (int64_t i = c < units.first ? units.first : c; i < c + units_at_once && i < units.last;
                     i += lanes<T>)
                    store(sum + i, load(sum + i) + load(delta + i) * load(block + i - c));
            }
        }
}

template <class T>
void general_grad_h0(const elman_general_call& general, Group& group, const GeneralBackward<T>& shared,
                     const typename GeneralBackward<T>::GroupBuffers& own, const T* delta, Share panels, Share rows,
                     const T** pointers, uint8_t* cut) {
    const elman_call& call = general.call;
    const T **q = pointers + group.n, **mask = q + group.n;
    for (int64_t r = 0; r < group.n; ++r) {
        pointers[r] = static_cast<T*>(call.grad_h0) + group.sequence[r] * call.H;
        q[r] = own.q0 ? own.q0 + r * shared.plain.row : nullptr;
        mask[r] = row_of_mask<T>(call, group.sequence[r]);
    }
    T** to = const_cast<T**>(pointers);
    if (group.steps) {
        const uint8_t* cuts = find_cuts(general, group, 0, cut);
        const GeneralGradH0Epilogue<T> epilogue{onward_of(general, shared, own, call.mask ? mask : nullptr, cuts), to,
                                                q};
        if (shared.low.in.data)
            low_rank_product(delta, shared.plain.row, 0, group.active[0], shared.low, own.low, epilogue);
        else if (shared.sparse.starts)
            sparse_product(delta, shared.plain.row, group.active[0], shared.sparse, own.room, panels, group.barrier,
                           epilogue);
        else
            gemm(delta, shared.plain.row, 0, group.active[0], shared.plain.w_hh, panels.first, panels.last, 0, call.H,
                 epilogue);
    }
    give_grad_of_no_steps(call, group, rows, to);
}

// dL/dz of a chunk, and the zeros past each sequence's end; by the only member of the group.
template <class T>
void give_grad_z(const elman_general_call& general, const Group& group, const Chunk& chunk, int64_t row_length,
                 const T* delta) {
    const elman_call& call = general.call;
    for (int64_t s = chunk.first; s < chunk.last; ++s)
        for (int64_t r = 0; r < group.active[s]; ++r, delta += row_length)
            __builtin_memcpy(static_cast<T*>(general.grad_z) +
                                 (time_of(group, r, s, call.reverse) * call.B + group.sequence[r]) * call.H,
                             delta, call.H * sizeof(T));
}

template <class T>
void zero_grad_z(const elman_general_call& general, const Group& group) {
    const elman_call& call = general.call;
    for (int64_t r = 0; r < group.n; ++r)
        for (int64_t t = group.length[r]; t < call.T; ++t)
            __builtin_memset(static_cast<T*>(general.grad_z) + (t * call.B + group.sequence[r]) * call.H, 0,
                             call.H * sizeof(T));
}

// f(h0) of a member's sequences, and zeros in its part of the group's sums.
template <class T>
void prepare_general(const elman_general_call& general, const Group& group, int64_t row_length,
                     const typename GeneralBackward<T>::GroupBuffers& own, Share rows, Share units) {
    const elman_call& call = general.call;
    for (int64_t r = rows.first; own.q0 && r < rows.last; ++r)
        for (int64_t c = 0; c < call.H; c += lanes<T>) {
            vec<T> v[1] = {load_n(static_cast<const T*>(call.h0) + group.sequence[r] * call.H + c, call.H - c)};
            apply<T>(call.nonlinearity, v);
            store(own.q0 + r * row_length + c, v[0]);
        }
    const int64_t last = units.last == call.H ? row_length : units.last;
    T* const sums[] = {own.leak, own.noise, own.restart};
    for (T* sum : sums)
        if (sum) __builtin_memset(sum + units.first, 0, (last - units.first) * sizeof(T));
}

// The groups' sums, added in a fixed order. The current form's z - p is (v - p) / a.
template <class T>
void finish_unit_sums(const Plan& plan, const GeneralBackward<T>& shared) {
    const elman_general_call& general = general_of(*plan.call);
    auto add = [&](void* to, T* GeneralBackward<T>::GroupBuffers::*part, const T* divide) {
        for (int64_t c = 0; to && c < general.call.H; ++c) {
            T sum = 0;
            for (int g = 0; g < plan.groups; ++g) sum += (shared.groups[g].*part)[c];
            static_cast<T*>(to)[c] = divide ? sum / divide[c] : sum;
        }
    };
    add(general.grad_leak, &GeneralBackward<T>::GroupBuffers::leak, general.current ? shared.units.gain : nullptr);
    add(general.grad_noise, &GeneralBackward<T>::GroupBuffers::noise, nullptr);
    add(general.grad_restart, &GeneralBackward<T>::GroupBuffers::restart, nullptr);
}

template <class T>
void general_backward_group(Plan& plan, const GeneralBackward<T>& shared, int thread, int g) {
    const elman_call& call = *plan.call;
    const elman_general_call& general = general_of(call);
    Group& group = plan.group[g];
    const BackwardShared<T>& plain = shared.plain;
    const auto& buffers = plain.groups[g];
    const auto& own = shared.groups[g];
    const int member = thread % plan.members;
    const Share rows = share(group.n, member, plan.members), panels = share(plain.w_hh.count(), member, plan.members);
    const Share units = {panels.first * panel_width<T>,
                         panels.last == plain.w_hh.count() ? call.H : panels.last * panel_width<T>};
    const T** pointers = plain.row_pointers[thread];
    T* const copy = plain.copy + thread * copy_size<T>;
    const bool weights = call.grad_w_ih || call.grad_w_hh || call.grad_bias;
    if (!group.chunk_count) zero_sums<T>(call, buffers, units);
    prepare_general<T>(general, group, plain.row, own, rows, units);
    group.barrier.wait();
    const T* later = nullptr;
    T* delta = buffers.delta[0];
    for (int64_t i = group.chunk_count - 1; i >= 0; --i) {
        const Chunk& chunk = group.chunks[i];
        const Share packed = share(chunk.rows, member, plan.members);
        delta = buffers.delta[i % 2];
        general_deltas(general, group, chunk, shared, buffers, own, delta, later, panels, pointers, copy,
                       shared.cut[thread]);
        if (weights) {
            pack_general_inputs(general, shared, own.q0, group, chunk, packed, plain.chunk_rows, buffers.x, buffers.h);
            group.barrier.wait();
            add_weight_gradients(call, chunk.rows, plain, buffers, delta, units, i == group.chunk_count - 1, copy);
        }
        if (shared.grad_sparse)
            add_sparse_gradient(general, shared, own, group, chunk, delta, packed, units, i == group.chunk_count - 1);
        if (general.grad_z) give_grad_z(general, group, chunk, plain.row, delta);
        if (own.noise) add_noise_gradient(general, group, chunk, delta, plain.row, units, own.noise);
        if (call.grad_x) give_grad_x(plan, group, chunk, plain, buffers, delta, thread, pointers, copy);
        later = delta;
        group.barrier.wait();
    }
    if (call.grad_h0) general_grad_h0(general, group, shared, own, delta, panels, rows, pointers, shared.cut[thread]);
    if (call.grad_x) zero_past_ends<T>(call, group, rows);
    if (general.grad_z) zero_grad_z<T>(general, group);
}

template <class T>
void general_backward_thread(Plan& plan, const GeneralBackward<T>& shared, int thread) {
    const elman_general_call& general = general_of(*plan.call);
    if (shared.low.in.data)
        pack_low_rank(plan, shared.low, general.call.w_hh, general.w_in, thread);
    else if (!shared.sparse.starts)
        pack_recurrent_weights(plan, shared.plain, thread);
    pack_input_weights(plan, shared.plain, thread);
    plan.everyone.wait();
    for (int g = thread / plan.members; g < plan.groups; g += plan.teams())
        general_backward_group(plan, shared, thread, g);
    plan.everyone.wait();
    add_all_groups(plan, shared.plain, thread, const_cast<T**>(shared.plain.row_pointers[thread]));
    if (shared.grad_sparse) finish_sparse_gradient(plan, shared, thread);
    if (thread == 0) finish_unit_sums(plan, shared);
}

template <class T>
Job general_backward(Plan& plan, Scratch& scratch) {
    elman_general_call& general = const_cast<elman_general_call&>(general_of(*plan.call));  // the library's own copy
    const elman_call& call = general.call;
    if (general.grad_restart && !call.grad_h0) general.call.grad_h0 = scratch.take<T>(call.B * call.H);
    GeneralBackward<T> shared{};
    if (general.connected) {
        shared.grad_sparse = static_cast<T*>(general.call.grad_w_hh);
        general.call.grad_w_hh = nullptr;
    }
    take_backward(plan, scratch, shared.plain, 6);
    shared.units = take_unit_vectors<T>(general, scratch);
    shared.low = take_low_rank<T>(plan, scratch);
    const int64_t row = shared.plain.row, side = most_side_by_side<T>(plan);
    shared.sparse = take_sparse<T>(general, side, true, scratch);
    shared.groups = scratch.take<typename GeneralBackward<T>::GroupBuffers>(plan.groups);
    for (int g = 0; g < plan.groups; ++g) {
        scratch.begin_page();
        auto room = [&](bool wanted, int64_t n) { return wanted ? scratch.take<T>(n) : nullptr; };
        const int64_t n = plan.group[g].n;
        shared.groups[g] = {room(shared.units.keep, n * row),
                            room(general.current, n * row),
                            room(general.grad_leak, row),
                            room(general.grad_noise, row),
                            room(general.grad_restart, row),
                            shared.low.in.data ? shared.low.sums[g] : nullptr,
                            take_sparse_room(shared.sparse, side, n, scratch),
                            {}};
        if (shared.grad_sparse)
            shared.groups[g].gradient = take_sparse_gradient(shared.sparse, plan.group[g].chunk_rows, scratch);
    }
    shared.cut = scratch.take<uint8_t*>(plan.threads);
    for (int i = 0; i < plan.threads; ++i) {
        int64_t most = 0;
        for (int g = i / plan.members; g < plan.groups; g += plan.teams())
            if (most < plan.group[g].n) most = plan.group[g].n;
        shared.cut[i] = scratch.take<uint8_t>(most);
    }
    return Pass<GeneralBackward<T>, general_backward_thread<T>>::job(plan, shared, scratch);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
