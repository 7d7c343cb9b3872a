// The forward pass of one thread. drive = x W_ih^T + bias for a chunk of steps at a time, while it stays in cache; then
// the recurrence over them, one product and its nonlinearity a step. Small weights are left `whole`: a row of the state
// is [x_t ; h_(t-1)], and a step is its one product with W = [W_ih W_hh], as the lecture writes it.

template <class T, class W>
struct ForwardShared {  // one per call, and `of_group` one per group
    bool whole;
    Panels<T, W> w_ih, w_hh;  // data is null where each panel is used only once: it is then packed just before
    W* own_panel;             // one a thread, for that
    long own_panel_size;
    T* copy;  // of blocks of x and of the state; one a thread
    const T* bias;  // (row), or null, but not where `whole`
    struct OfGroup {
        T *x, *drive, *state[2];
        T* sums;  // parts of long sums
    }* of_group;
    const T*** row_pointers;  // one list a thread
    long x_row, row, state_row;  // row lengths of x, of drive and of the state
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
    long drive_row, next_row, H;
    long expected;           // from a row of h to the one that is fetched ahead
    T* const* h;             // rows of h_t
    const T* const* before;  // rows of h_(t-1), with the identity connection
    const T* const* mask;    // rows of the mask, or null
    bool relu;
    template <int M, int NV>
    ELMAN_INLINE void expect_tile(long row, long column) const {
        for (int m = 0; m < M; ++m) {
            expect<NV, true>(h[row + m] + expected + column);
            if (drive_row) expect<NV, false>(drive + (row + m) * drive_row + column);
        }
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        if (!relu && !before && !mask && H - column >= NV * lanes<T>) {  // the usual, with no question on its way
            T* to[M];
            ELMAN_UNROLL for (int m = 0; m < M; ++m) to[m] = h[row + m] + column;
            const long of_drive = drive_row, of_next = next_row;
            const T* driven = drive + row * of_drive + column;
            T* entering = next + row * of_next + column;
            vec<T> f[M * NV];
            ELMAN_UNROLL for (int m = 0; m < M; ++m, driven += of_drive)
                ELMAN_UNROLL for (int v = 0; v < NV; ++v) f[m * NV + v] = acc[m][v] + load(driven + v * lanes<T>);
            tanh_each<T>(f);
            ELMAN_UNROLL for (int m = 0; m < M; ++m, entering += of_next)
                ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
                    store(to[m] + v * lanes<T>, f[m * NV + v]);
                    store(entering + v * lanes<T>, f[m * NV + v]);
                }
            return;
        }
        for (int v = 0; v < NV; ++v) {
            const long c = column + v * lanes<T>, n = H - c;
            for (int m = 0; m < M; ++m) {
                const vec<T> a = acc[m][v] + load(drive + (row + m) * drive_row + c);
                vec<T> f = relu ? (a < T(0) ? vec<T>{} : a) : tanh_of<T>(a);
                if (before) f += load_n(before[row + m] + c, n);
                store_n(h[row + m] + c, f, n);
                if (mask) f *= load_n(mask[row + m] + c, n);
                store(next + (row + m) * next_row + c, f);
            }
        }
    }
};

template <class T>
constexpr bool expects<EmitState<T>> = true;

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
    const T** x = rows + 3 * group.n;
    const long h_step = call.reverse ? -call.h_stride[0] : call.h_stride[0];
    const long x_step = call.reverse ? -call.x_stride[0] : call.x_stride[0];
    for (long r = 0; r < group.active[chunk.first]; ++r) {
        const long b = group.sequence[r], t = time_of(group, r, chunk.first, call.reverse);
        h[r] = static_cast<T*>(call.h) + t * call.h_stride[0] + b * call.h_stride[1];
        x[r] = row_of_x<T>(call, group, r, chunk.first);
        if (mask) mask[r] = static_cast<const T*>(call.mask) + b * call.H;
    }
    const T* drive = shared.whole ? shared.bias : mine.drive;
    const long inputs = shared.whole ? call.I : 0, drive_row = shared.whole ? 0 : shared.row;
    const long ahead = !can_expect_x<T>(call) ? group.steps : shared.whole ? 2 : chunk.last - chunk.first;
    for (long s = chunk.first; s < chunk.last; ++s) {
        const long n = group.active[s];
        if (before)
            for (long r = 0; r < n; ++r)
                before[r] = s ? h[r] - h_step : static_cast<const T*>(call.h0) + group.sequence[r] * call.H;
        T* const state = mine.state[s % 2];
        if (shared.whole)
            for (long r = 0; r < n; ++r) copy_row(call, x[r], state + r * shared.state_row);
        if (s + ahead < group.steps)
            for (long r = 0; r < group.active[s + ahead]; ++r) expect_x(call, x[r] + ahead * x_step);
        const EmitState<T> emit{drive,     mine.state[(s + 1) % 2] + inputs,
                                drive_row, shared.state_row,
                                call.H,    shared.whole && s + 1 < chunk.last ? h_step : 0,
                                h,         before,
                                mask,      call.nonlinearity == ELMAN_RELU};
        if (shared.w_hh.data)
            gemm_blocked(state, shared.state_row, 0, n, shared.w_hh, panels.first, panels.last, mine.sums, shared.row, copy,
                         emit, s % 2);
        else
            gemm_once(state, shared.state_row, n, static_cast<const T*>(call.w_hh), call.H, call.H, panels, own_panel, emit);
        drive += n * drive_row;
        for (long r = 0; r < n; ++r) {
            h[r] += h_step;
            x[r] += x_step;
        }
        group.barrier.wait();
    }
}

// Panel p of [W_ih W_hh]^T.
template <class T, class W>
void pack_whole(const elman_call& call, W* panels, long p) {
    const long c0 = p * panel_width<T>, columns = call.H - c0;
    const long width = sizeof(W) == sizeof(T) && columns <= lanes<T> ? lanes<T> : panel_width<T>;
    W* const to = panels + c0 * (call.I + call.H);
    pack_transposed(static_cast<const T*>(call.w_ih) + c0 * call.I, call.I, columns, to, 0);
    pack_transposed(static_cast<const T*>(call.w_hh) + c0 * call.H, call.H, columns, to + call.I * width, 0);
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
        if (shared.whole) {
            pack_whole<T>(call, const_cast<W*>(shared.w_hh.data), p);
            continue;
        }
        if (shared.w_ih.data)
            pack_transposed(static_cast<const T*>(call.w_ih), call.I, call.H, const_cast<W*>(shared.w_ih.data), p);
        if (shared.w_hh.data)
            pack_transposed(static_cast<const T*>(call.w_hh), call.H, call.H, const_cast<W*>(shared.w_hh.data), p);
    }
    const Share rows = share(group.n, member, plan.members);
    start_state(call, group, rows.first, rows.last, mine.state[0] + (shared.whole ? call.I : 0), shared.state_row);
    const Share panels = share(shared.w_hh.count(), member, plan.members);
    plan.everyone.wait();
    for (long i = 0; i < group.chunk_count; ++i) {
        const Chunk& chunk = group.chunks[i];
        if (shared.whole) {
            forward_steps(call, group, chunk, shared, mine, panels, shared.row_pointers[thread], own_panel, copy);
            continue;
        }
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
