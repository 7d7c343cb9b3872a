// The forward pass of one thread. drive = x W_ih^T + bias for a chunk of steps at a time, while it stays in cache; then
// the recurrence over them, one product and its nonlinearity a step.

template <class T, class W>
struct ForwardShared {  // one per call, and `of_group` one per group
    Panels<T, W> w_ih, w_hh;  // data is null where each panel is used only once: it is then packed just before
    W* own_panel;             // one a thread, for that
    long own_panel_size;
    T* copy;  // of blocks of x and of the state; one a thread
    const T* bias;  // (row) or null
    struct OfGroup {
        T *x, *drive, *state[2];
        T* sums;  // parts of long sums
    }* of_group;
    const T*** row_pointers;  // one list a thread
    long x_row, row;          // row lengths of x, and of drive and state
};

template <class T>
struct EmitDrive {
    T* drive;
    long row_length;
    const T* bias;
    template <int M, int NV>
    ELMAN_INLINE void expect_tile(long row, long column) const {
        for (int m = 0; m < M; ++m) expect<NV, true>(drive + (row + m) * row_length + column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        for (int v = 0; v < NV; ++v) {
            const long c = column + v * lanes<T>;
            const vec<T> b = bias ? load(bias + c) : vec<T>{};
            for (int m = 0; m < M; ++m) store(drive + (row + m) * row_length + c, acc[m][v] + b);
        }
    }
};

template <class T>
constexpr bool expects<EmitDrive<T>> = true;

template <class T>
struct EmitState {
    const T* drive;
    T* next;  // mask * h_t, what the next step's product reads
    long row_length, H;
    T* const* h;             // rows of h_t
    const T* const* before;  // rows of h_(t-1), with the identity connection
    const T* const* mask;    // rows of the mask, or null
    bool relu;
    template <int M, int NV>
    ELMAN_INLINE void expect_tile(long row, long column) const {
        for (int m = 0; m < M; ++m) {
            expect<NV, true>(h[row + m] + column);
            expect<NV, false>(drive + (row + m) * row_length + column);
        }
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        if (!relu && !before && !mask && H - column >= NV * lanes<T>) {  // the usual, with no question on its way
            ELMAN_UNROLL for (int m = 0; m < M; ++m)
                ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
                    const long c = column + v * lanes<T>, at = (row + m) * row_length + c;
                    const vec<T> f = tanh_of<T>(acc[m][v] + load(drive + at));
                    store(h[row + m] + c, f);
                    store(next + at, f);
                }
            return;
        }
        for (int v = 0; v < NV; ++v) {
            const long c = column + v * lanes<T>, n = H - c;
            for (int m = 0; m < M; ++m) {
                const long at = (row + m) * row_length + c;
                const vec<T> a = acc[m][v] + load(drive + at);
                vec<T> f = relu ? (a < T(0) ? vec<T>{} : a) : tanh_of<T>(a);
                if (before) f += load_n(before[row + m] + c, n);
                store_n(h[row + m] + c, f, n);
                if (mask) f *= load_n(mask[row + m] + c, n);
                store(next + at, f);
            }
        }
    }
};

template <class T>
constexpr bool expects<EmitState<T>> = true;

// Where sequence r of the group stands at its step s: time runs backwards from its own end in the reverse direction.
ELMAN_INLINE long time_of(const Group& group, long r, long s, bool reverse) {
    return reverse ? group.length[r] - 1 - s : s;
}

// Whether x of a later step can be on its way while the processor multiplies: not where the weights fill the cache.
template <class T>
ELMAN_INLINE bool can_expect_x(const elman_call& call) {
    return call.I * sizeof(T) >= 64 && call.H * (call.H + call.I) * sizeof(T) <= 160 * 1024;
}

template <class T>
ELMAN_INLINE void expect_x(const elman_call& call, const Group& group, long r, long s) {
    const T* x = static_cast<const T*>(call.x) + time_of(group, r, s, call.reverse) * call.x_stride[0] +
                 group.sequence[r] * call.x_stride[1];
    for (long i = 0; i < call.I; i += 64 / sizeof(T)) __builtin_prefetch(x + i * call.x_stride[2], 0, 2);
}

template <class T>
void gather_x(const elman_call& call, const Group& group, const Chunk& chunk, long first, long last, T* to,
              long row_length) {
    long row = 0;
    for (long s = chunk.first; s < chunk.last; ++s) {
        const long n = group.active[s];
        for (long r = 0; r < n; ++r, ++row) {
            if (row < first || row >= last) continue;
            const T* x = static_cast<const T*>(call.x) + time_of(group, r, s, call.reverse) * call.x_stride[0] +
                         group.sequence[r] * call.x_stride[1];
            T* const copy = to + row * row_length;
            long i = 0;
            if (call.x_stride[2] == 1)
                for (; i + lanes<T> <= call.I; i += lanes<T>) store(copy + i, load(x + i));
            for (; i < call.I; i += lanes<T>)
                store_n(copy + i, load_n(x + i * call.x_stride[2], call.I - i, call.x_stride[2]), call.I - i);
        }
    }
}

template <class T>
void start_state(const elman_call& call, const Group& group, long first, long last, T* state, long row_length) {
    for (long r = first; r < last; ++r) {
        const T* h0 = static_cast<const T*>(call.h0) + group.sequence[r] * call.H;
        const T* mask = call.mask ? static_cast<const T*>(call.mask) + group.sequence[r] * call.H : nullptr;
        for (long c = 0; c < row_length; c += lanes<T>) {
            vec<T> v = load_n(h0 + c, call.H - c);
            if (mask) v *= load_n(mask + c, call.H - c);
            store(state + r * row_length + c, v);
        }
    }
}

// h_last, and the zeros past each sequence's end.
template <class T>
void finish_rows(const elman_call& call, const Group& group, long first, long last) {
    T* h = static_cast<T*>(call.h);
    for (long r = first; r < last; ++r) {
        const long b = group.sequence[r], length = group.length[r];
        const T* from = length ? h + time_of(group, r, length - 1, call.reverse) * call.h_stride[0] + b * call.h_stride[1]
                               : static_cast<const T*>(call.h0) + b * call.H;
        __builtin_memcpy(static_cast<T*>(call.h_last) + b * call.H, from, call.H * sizeof(T));
        for (long t = length; t < call.T; ++t)
            __builtin_memset(h + t * call.h_stride[0] + b * call.h_stride[1], 0, call.H * sizeof(T));
    }
}

struct Share {
    long first, last;
};
ELMAN_INLINE Share share(long n, long member, long members) {
    return {n * member / members, n * (member + 1) / members};
}

// A W^T with W (columns, K) as it is in memory, a panel at a time through `room`.
template <class T, class W, class Emit>
void gemm_once(const T* a, long lda, long rows, const T* w, long K, long columns, Share panels, W* room,
               const Emit& emit) {
    for (long p = panels.first; p < panels.last; ++p) {
        const long column = p * panel_width<T>;
        pack_transposed(w + column * K, K, columns - column, room, 0);
        gemm_panel(a, lda, 0, rows, room, columns - column <= lanes<T>, column, 0, K, emit);
    }
}

template <class T, class W>
void forward_steps(const elman_call& call, Group& group, const Chunk& chunk, const ForwardShared<T, W>& shared,
                   const typename ForwardShared<T, W>::OfGroup& mine, Share panels, const T** rows, W* own_panel, T* copy) {
    T** h = const_cast<T**>(rows);
    const T** before = call.residual ? rows + group.n : nullptr;
    const T** mask = call.mask ? rows + 2 * group.n : nullptr;
    const T* drive = mine.drive;
    const bool ahead = can_expect_x<T>(call);
    for (long s = chunk.first; s < chunk.last; ++s) {
        const long n = group.active[s];
        for (long r = 0; r < n; ++r) {
            const long b = group.sequence[r];
            T* const of_sequence = static_cast<T*>(call.h) + b * call.h_stride[1];
            h[r] = of_sequence + time_of(group, r, s, call.reverse) * call.h_stride[0];
            if (before)
                before[r] = s ? of_sequence + time_of(group, r, s - 1, call.reverse) * call.h_stride[0]
                              : static_cast<const T*>(call.h0) + b * call.H;
            if (mask) mask[r] = static_cast<const T*>(call.mask) + b * call.H;
        }
        const long later = s + chunk.last - chunk.first;
        if (ahead && later < group.steps)
            for (long r = 0; r < group.active[later]; ++r) expect_x<T>(call, group, r, later);
        const EmitState<T> emit{drive, mine.state[(s + 1) % 2], shared.row,  call.H, h,
                                before, mask,                   call.nonlinearity == ELMAN_RELU};
        if (shared.w_hh.data)
            gemm_blocked(mine.state[s % 2], shared.row, 0, n, shared.w_hh, panels.first, panels.last, mine.sums,
                         shared.row, copy, emit);
        else
            gemm_once(mine.state[s % 2], shared.row, n, static_cast<const T*>(call.w_hh), call.H, call.H, panels, own_panel,
                      emit);
        drive += n * shared.row;
        group.barrier.wait();
    }
}

template <class T, class W>
void forward_thread(Plan& plan, const ForwardShared<T, W>& shared, int thread) {
    const elman_call& call = *plan.call;
    Group& group = plan.group[thread / plan.members];
    const auto& mine = shared.of_group[thread / plan.members];
    const int member = thread % plan.members;
    T* const copy = shared.copy + thread * copy_size<T>;
    W* const own_panel = shared.own_panel + thread * shared.own_panel_size;
    for (long p = thread; p < shared.w_hh.count(); p += plan.threads) {
        if (shared.w_ih.data)
            pack_transposed(static_cast<const T*>(call.w_ih), call.I, call.H, const_cast<W*>(shared.w_ih.data), p);
        if (shared.w_hh.data)
            pack_transposed(static_cast<const T*>(call.w_hh), call.H, call.H, const_cast<W*>(shared.w_hh.data), p);
    }
    const Share rows = share(group.n, member, plan.members);
    start_state(call, group, rows.first, rows.last, mine.state[0], shared.row);
    const Share panels = share(shared.w_hh.count(), member, plan.members);
    plan.everyone.wait();
    for (long i = 0; i < group.chunk_count; ++i) {
        const Chunk& chunk = group.chunks[i];
        const Share gathered = share(chunk.rows, member, plan.members);
        gather_x(call, group, chunk, gathered.first, gathered.last, mine.x, shared.x_row);
        group.barrier.wait();
        const EmitDrive<T> emit{mine.drive, shared.row, shared.bias};
        if (shared.w_ih.data)
            gemm_blocked(mine.x, shared.x_row, 0, chunk.rows, shared.w_ih, panels.first, panels.last, mine.drive,
                         shared.row, copy, emit);
        else
            gemm_once(mine.x, shared.x_row, chunk.rows, static_cast<const T*>(call.w_ih), call.I, call.H, panels,
                      own_panel, emit);
        forward_steps(call, group, chunk, shared, mine, panels, shared.row_pointers[thread], own_panel, copy);
    }
    finish_rows<T>(call, group, rows.first, rows.last);
}
