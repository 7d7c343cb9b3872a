// The backward pass of one thread, from the last step to the first, a chunk of steps at a time: the deltas one step after
// the other, then, while they are in cache, what they add to the gradients of the weights and of x in one product each.
//
//     dh_t    = grad_h_t + mask * (delta_(t+1) W_hh)  [+ dh_(t+1), with the identity connection]
//     delta_t = dh_t * f'(a_t),   f' = 1 - u^2 or [u > 0],   u = h_t  [- h_(t-1)]

template <class T>
struct BackwardShared {
    Panels<T> w_ih, w_hh;
    struct OfGroup {
        T* delta[2];            // (chunk rows, H), of this chunk and of the one before it
        T *x, *h;               // panels of the rows of x and of mask * h_(t-1)
        T* sums;                // parts of long sums
        T* carry;               // (n, H) dh_(t+1), with the identity connection
        T *w_ih, *w_hh, *bias;  // this group's sums: the gradients themselves where there is one group
    }* of_group;
    const T*** row_pointers;
    T* copy;       // of blocks of delta; one a thread
    T* own_panel;  // one a thread, where each panel of W_ih is used only once; w_ih.data is then null
    long own_panel_size, row, x_row, chunk_rows;
};

template <class T>
struct EmitDelta {
    T* delta;
    long row_length, H;
    const T* const* h;       // rows of h_t
    const T* const* before;  // rows of h_(t-1), or null
    const T* const* grad_h;  // rows of grad_h_t, or null
    long grad_stride;
    const T* const* last;  // rows of grad_h_last for the sequences that end here, or null
    const T* const* mask;
    T* carry;         // (n, H) or null
    bool carried;     // dh_(t+1) is in it for these rows
    bool relu;
    template <int M, int NV>
    ELMAN_INLINE void expect_tile(long row, long column) const {
        for (int m = 0; m < M; ++m) {
            expect<NV, true>(delta + (row + m) * row_length + column);
            expect<NV, false>(h[row + m] + column);
            if (grad_h) expect<NV, false>(grad_h[row + m] + column * grad_stride);
        }
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        if (grad_h && grad_stride == 1 && !last && !mask && !carry && !before && !relu && H - column >= NV * lanes<T>) {
            ELMAN_UNROLL for (int m = 0; m < M; ++m)  // the usual, with no question on its way
                ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
                    const long c = column + v * lanes<T>;
                    const vec<T> u = load(h[row + m] + c);
                    store(delta + (row + m) * row_length + c, (acc[m][v] + load(grad_h[row + m] + c)) * (T(1) - u * u));
                }
            return;
        }
        for (int v = 0; v < NV; ++v) {
            const long c = column + v * lanes<T>, n = H - c;
            for (int m = 0; m < M; ++m) {
                const long r = row + m;
                vec<T> dh = acc[m][v];
                if (mask) dh *= load_n(mask[r] + c, n);
                if (grad_h) dh += load_n(grad_h[r] + c * grad_stride, n, grad_stride);
                if (last) dh += load_n(last[r] + c, n);
                if (carry) {
                    if (carried) dh += load(carry + r * row_length + c);
                    store(carry + r * row_length + c, dh);
                }
                vec<T> u = load_n(h[r] + c, n);
                if (before) u -= load_n(before[r] + c, n);
                const vec<T> delta_row = relu ? (u <= T(0) ? vec<T>{} : dh) : dh * (T(1) - u * u);
                store(delta + r * row_length + c, delta_row);
            }
        }
    }
};

template <class T>
constexpr bool expects<EmitDelta<T>> = true;

template <class T>
struct EmitSum {  // C = the tile, or C += the tile
    T* to;
    long row_length, columns;
    bool fresh;
    template <int M, int NV>
    ELMAN_INLINE void expect_tile(long row, long column) const {
        for (int m = 0; m < M; ++m) expect<NV, true>(to + (row + m) * row_length + column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                const long c = column + v * lanes<T>, n = columns - c;
                T* at = to + (row + m) * row_length + c;
                store_n(at, fresh ? acc[m][v] : load_n(at, n) + acc[m][v], n);
            }
    }
};

template <class T>
constexpr bool expects<EmitSum<T>> = true;

template <class T>
struct EmitRows {  // row pointers, tails cut
    T* const* to;
    long columns;
    template <int M, int NV>
    ELMAN_INLINE void expect_tile(long row, long column) const {
        for (int m = 0; m < M; ++m) expect<NV, true>(to[row + m] + column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                const long c = column + v * lanes<T>;
                store_n(to[row + m] + c, acc[m][v], columns - c);
            }
    }
};

template <class T>
constexpr bool expects<EmitRows<T>> = true;

template <class T>
const T* h_before(const elman_call& call, const Group& group, long r, long s) {
    const long b = group.sequence[r];
    if (s == 0) return static_cast<const T*>(call.h0) + b * call.H;
    return static_cast<const T*>(call.h) + time_of(group, r, s - 1, call.reverse) * call.h_stride[0] +
           b * call.h_stride[1];
}

// The row pointers of one step, as EmitDelta wants them.
template <class T>
struct StepRows {
    const T **h, **before = nullptr, **grad_h = nullptr, **last = nullptr, **mask = nullptr;
    StepRows(const elman_call& call, const Group& group, long s, const T** room) {
        const long n = group.active[s];
        h = room;
        if (call.residual) before = room + group.n;
        if (call.grad_h) grad_h = room + 2 * group.n;
        if (call.grad_h_last) last = room + 3 * group.n;
        if (call.mask) mask = room + 4 * group.n;
        for (long r = 0; r < n; ++r) {
            const long b = group.sequence[r], t = time_of(group, r, s, call.reverse);
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
template <class T>
void delta_steps(const elman_call& call, Group& group, const Chunk& chunk, const BackwardShared<T>& shared,
                 const typename BackwardShared<T>::OfGroup& mine, T* delta, const T* later, Share panels,
                 const T** room, T* copy) {
    T* at = delta + chunk.rows * shared.row;
    const bool ahead = call.grad_w_ih && can_expect_x<T>(call);
    for (long s = chunk.last - 1; s >= chunk.first; --s) {
        const long n = group.active[s], going_on = group.active[s + 1];
        at -= n * shared.row;
        const StepRows<T> rows(call, group, s, room);
        if (ahead)
            for (long r = 0; r < n; ++r) expect_x(call, row_of_x<T>(call, group, r, s));
        EmitDelta<T> emit{at,           shared.row,    call.H,       rows.h,
                          rows.before,  rows.grad_h,   call.grad_h_stride[2], nullptr,
                          rows.mask,    call.residual ? mine.carry : nullptr,
                          true,         call.nonlinearity == ELMAN_RELU};
        gemm_blocked(later, shared.row, 0, going_on, shared.w_hh, panels.first, panels.last, mine.sums, shared.row, copy, emit,
                     s % 2);
        emit.last = rows.last;
        emit.carried = false;
        gemm(delta, shared.row, going_on, n, shared.w_hh, panels.first, panels.last, 0, 0, emit);
        later = at;
        group.barrier.wait();
    }
}

// The rows of x and of mask * h_(t-1) that belong to rows [first, last) of the chunk's deltas, into panels.
template <class T>
void pack_inputs(const elman_call& call, const Group& group, const Chunk& chunk, Share rows, long K, T* x, T* h) {
    long row = 0;
    for (long s = chunk.first; s < chunk.last; ++s)
        for (long r = 0; r < group.active[s]; ++r, ++row) {
            if (row < rows.first || row >= rows.last) continue;
            const long b = group.sequence[r];
            if (call.grad_w_ih)
                pack_row(static_cast<const T*>(call.x) + time_of(group, r, s, call.reverse) * call.x_stride[0] +
                             b * call.x_stride[1],
                         call.x_stride[2], static_cast<const T*>(nullptr), call.I, x, K, row);
            if (call.grad_w_hh)
                pack_row(h_before<T>(call, group, r, s), 1,
                         call.mask ? static_cast<const T*>(call.mask) + b * call.H : nullptr, call.H, h, K, row);
        }
}

// This member's rows of grad_w_ih, grad_w_hh and grad_bias. K is cut: long sums in float32 lose digits.
template <class T>
void add_weight_gradients(const elman_call& call, long rows, const BackwardShared<T>& shared,
                          const typename BackwardShared<T>::OfGroup& mine, const T* delta, Share units, bool fresh, T* copy) {
    const Panels<T> x{mine.x, shared.chunk_rows, call.I}, h{mine.h, shared.chunk_rows, call.H};
    for (long k = 0; k < rows; k += k_block, fresh = false) {
        const long end = k + k_block < rows ? k + k_block : rows;
        for (long unit = units.first; unit < units.last; unit += row_block) {
            const long past = unit + row_block < units.last ? unit + row_block : units.last;
            copy_tiles<T, true>(delta, shared.row, unit, past, k, end, copy);
            if (call.grad_w_ih)
                gemm_of_copy(copy, unit, past, x, 0, x.count(), k, end, EmitSum<T>{mine.w_ih, call.I, call.I, fresh});
            if (call.grad_w_hh)
                gemm_of_copy(copy, unit, past, h, 0, h.count(), k, end, EmitSum<T>{mine.w_hh, call.H, call.H, fresh});
        }
        if (call.grad_bias)
            for (long c = units.first; c < units.last; c += lanes<T>) {
                vec<T> sum[2] = {};
                for (long row = k; row < end; ++row) sum[row & 1] += load(delta + row * shared.row + c);
                const long n = units.last - c;
                sum[0] += sum[1];
                store_n(mine.bias + c, fresh ? sum[0] : load_n(mine.bias + c, n) + sum[0], n);
            }
    }
}

// NV vectors of one row of A W, with W (K, columns) read as it is in memory.
template <class T, int NV, class Emit>
void row_straight(const T* a, const T* w, long K, long columns, long row, long column, const Emit& emit) {
    vec<T> acc[1][NV] = {};
    for (long k = 0; k < K; ++k)
        ELMAN_UNROLL for (int v = 0; v < NV; ++v) acc[0][v] += splat(a[k]) * load(w + k * columns + column + v * lanes<T>);
    emit(row, column, acc);
}

// A W with W (K, columns) as it is in memory: a panel at a time through `room`, or directly, for a row alone.
template <class T, class Emit>
void gemm_once_straight(const T* a, long lda, long rows, const T* w, long K, long columns, Share panels, T* room,
                        const Emit& emit) {
    long p = panels.first;
    constexpr long wide = 4;  // panels
    for (; rows == 1 && p + wide <= panels.last && (p + wide) * panel_width<T> <= columns; p += wide)
        row_straight<T, 2 * wide>(a, w, K, columns, 0, p * panel_width<T>, emit);
    for (; p < panels.last; ++p) {
        const long column = p * panel_width<T>;
        pack_straight(w, K, columns, room, p);
        gemm_panel(a, lda, 0, rows, room, columns - column <= lanes<T>, column, 0, K, emit);
    }
}

template <class T>
void give_grad_x(const elman_call& call, const Group& group, const Chunk& chunk, Share rows, Share panels,
                 const BackwardShared<T>& shared, const typename BackwardShared<T>::OfGroup& mine, const T* delta,
                 int thread, const T** room, T* copy) {
    long row = 0;
    for (long s = chunk.first; s < chunk.last; ++s)
        for (long r = 0; r < group.active[s]; ++r, ++row)
            room[row] = static_cast<T*>(call.grad_x) + time_of(group, r, s, call.reverse) * call.grad_x_stride[0] +
                        group.sequence[r] * call.grad_x_stride[1];
    const EmitRows<T> emit{const_cast<T**>(room), call.I};
    if (shared.w_ih.data)
        gemm_blocked(delta, shared.row, rows.first, rows.last, shared.w_ih, 0, shared.w_ih.count(), mine.sums,
                     shared.x_row, copy, emit);
    else
        gemm_once_straight(delta, shared.row, chunk.rows, static_cast<const T*>(call.w_ih), call.H, call.I, panels,
                           shared.own_panel + thread * shared.own_panel_size, emit);
}

// grad_h0 = mask * (delta_0 W_hh) [+ dh_0]; a sequence of length 0 hands grad_h_last on.
template <class T>
struct EmitStart {
    T* const* to;
    const T* const* mask;
    const T* carry;
    long row_length, H;
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                const long c = column + v * lanes<T>;
                vec<T> dh = acc[m][v];
                if (mask) dh *= load_n(mask[row + m] + c, H - c);
                if (carry) dh += load(carry + (row + m) * row_length + c);
                store_n(to[row + m] + c, dh, H - c);
            }
    }
};

template <class T>
void give_grad_h0(const elman_call& call, const Group& group, const BackwardShared<T>& shared,
                  const typename BackwardShared<T>::OfGroup& mine, const T* delta, Share panels, Share rows,
                  const T** room) {
    const T** mask = room + group.n;
    for (long r = 0; r < group.n; ++r) {
        room[r] = static_cast<T*>(call.grad_h0) + group.sequence[r] * call.H;
        if (call.mask) mask[r] = static_cast<const T*>(call.mask) + group.sequence[r] * call.H;
    }
    T** to = const_cast<T**>(room);
    gemm(delta, shared.row, 0, group.steps ? group.active[0] : 0, shared.w_hh, panels.first, panels.last, 0, call.H,
         EmitStart<T>{to, call.mask ? mask : nullptr, call.residual ? mine.carry : nullptr, shared.row, call.H});
    for (long r = rows.first; r < rows.last; ++r) {
        if (group.length[r]) continue;
        if (call.grad_h_last)
            __builtin_memcpy(to[r], static_cast<const T*>(call.grad_h_last) + group.sequence[r] * call.H,
                             call.H * sizeof(T));
        else
            __builtin_memset(to[r], 0, call.H * sizeof(T));
    }
}

// Rows [first, last) of a weight's gradient: the groups' sums added in a fixed order.
template <class T>
void add_groups(T* to, Share numbers, T* const* parts, int groups) {
    for (long i = numbers.first; i < numbers.last; i += lanes<T>) {
        const long n = numbers.last - i;
        vec<T> sum = load_n(parts[0] + i, n);
        for (int g = 1; g < groups; ++g) sum += load_n(parts[g] + i, n);
        store_n(to + i, sum, n);
    }
}

template <class T>
void add_all_groups(const Plan& plan, const BackwardShared<T>& shared, int thread, T** parts) {
    const elman_call& call = *plan.call;
    if (plan.groups == 1) return;
    const Share rows = share(call.H, thread, plan.threads);
    auto add = [&](void* to, T* BackwardShared<T>::OfGroup::*part, long columns) {
        if (!to) return;
        for (int g = 0; g < plan.groups; ++g) parts[g] = shared.of_group[g].*part;
        add_groups(static_cast<T*>(to), {rows.first * columns, rows.last * columns}, parts, plan.groups);
    };
    add(call.grad_w_ih, &BackwardShared<T>::OfGroup::w_ih, call.I);
    add(call.grad_w_hh, &BackwardShared<T>::OfGroup::w_hh, call.H);
    add(call.grad_bias, &BackwardShared<T>::OfGroup::bias, 1);
}

template <class T>
void prepare_backward(Plan& plan, const BackwardShared<T>& shared, int thread, Share units) {
    const elman_call& call = *plan.call;
    const auto& mine = shared.of_group[thread / plan.members];
    for (long p = thread; (call.T > 1 || call.grad_h0) && p < shared.w_hh.count(); p += plan.threads)
        pack_straight(static_cast<const T*>(call.w_hh), call.H, call.H,
                      const_cast<T*>(shared.w_hh.data) + p * panel_width<T> * call.H, p);
    if (call.grad_x && shared.w_ih.data)
        for (long p = thread; p < shared.w_ih.count(); p += plan.threads)
            pack_straight(static_cast<const T*>(call.w_ih), call.H, call.I,
                          const_cast<T*>(shared.w_ih.data) + p * panel_width<T> * call.H, p);
    if (plan.group[thread / plan.members].chunk_count) return;  // the first chunk's sums will be stored, not added
    const long n = units.last - units.first;
    if (call.grad_w_ih) __builtin_memset(mine.w_ih + units.first * call.I, 0, n * call.I * sizeof(T));
    if (call.grad_w_hh) __builtin_memset(mine.w_hh + units.first * call.H, 0, n * call.H * sizeof(T));
    if (call.grad_bias) __builtin_memset(mine.bias + units.first, 0, n * sizeof(T));
}

template <class T>
void zero_past_ends(const elman_call& call, const Group& group, Share rows) {
    for (long r = rows.first; r < rows.last; ++r)
        for (long t = group.length[r]; t < call.T; ++t)
            __builtin_memset(static_cast<T*>(call.grad_x) + t * call.grad_x_stride[0] +
                                 group.sequence[r] * call.grad_x_stride[1],
                             0, call.I * sizeof(T));
}

template <class T>
void backward_thread(Plan& plan, const BackwardShared<T>& shared, int thread) {
    const elman_call& call = *plan.call;
    Group& group = plan.group[thread / plan.members];
    const auto& mine = shared.of_group[thread / plan.members];
    const int member = thread % plan.members;
    const Share rows = share(group.n, member, plan.members);
    const Share panels = share(shared.w_hh.count(), member, plan.members);
    const Share units = {panels.first * panel_width<T>,  // whole vectors, and columns this member wrote itself
                         panels.last == shared.w_hh.count() ? call.H : panels.last * panel_width<T>};
    const T** room = shared.row_pointers[thread];
    T* const copy = shared.copy + thread * copy_size<T>;
    const bool weights = call.grad_w_ih || call.grad_w_hh || call.grad_bias;
    prepare_backward(plan, shared, thread, units);
    plan.everyone.wait();
    const T* later = nullptr;
    T* delta = mine.delta[0];
    for (long i = group.chunk_count - 1; i >= 0; --i) {
        const Chunk& chunk = group.chunks[i];
        const Share packed = share(chunk.rows, member, plan.members);
        delta = mine.delta[i % 2];
        delta_steps(call, group, chunk, shared, mine, delta, later, panels, room, copy);
        if (weights) {
            pack_inputs(call, group, chunk, packed, shared.chunk_rows, mine.x, mine.h);
            group.barrier.wait();
            add_weight_gradients(call, chunk.rows, shared, mine, delta, units, i == group.chunk_count - 1, copy);
        }
        if (call.grad_x)
            give_grad_x(call, group, chunk, packed, share(shared.w_ih.count(), member, plan.members), shared, mine, delta,
                        thread, room, copy);
        later = delta;
        group.barrier.wait();
    }
    if (call.grad_h0) give_grad_h0(call, group, shared, mine, delta, panels, rows, room);
    if (call.grad_x) zero_past_ends<T>(call, group, rows);
    plan.everyone.wait();
    add_all_groups(plan, shared, thread, const_cast<T**>(room));
}
