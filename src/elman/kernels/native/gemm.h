// The matrix products: C (rows, columns) = A (rows, K) W (K, columns), with W packed into panels of two vectors'
// width. A register tile of up to ELMAN_ROWS rows times one panel is summed over all of K, then handed to `emit`,
// which adds the drive, applies the nonlinearity and stores: no product is written to memory unfinished.

template <class T>
constexpr long panel_width = 2 * lanes<T>;

template <class T, class W = T>
struct Panels {
    const W* data;
    long K, columns;  // the panel of columns [c, c + width) starts at data + c * K
    long count() const { return (columns + panel_width<T> - 1) / panel_width<T>; }
    bool narrow(long p) const { return columns - p * panel_width<T> <= lanes<T>; }
};

template <class T>
ELMAN_INLINE long padded(long columns) {
    return (columns + lanes<T> - 1) / lanes<T> * lanes<T>;
}

// A row length at which the rows of a tile do not fall into the same cache set.
template <class T>
ELMAN_INLINE long row_length(long columns) {
    const long n = (columns + panel_width<T> - 1) / panel_width<T> * panel_width<T>;
    return n * sizeof(T) % 1024 == 0 ? n + lanes<T> : n;
}

// Row k of a panel of NV vectors.
template <class T, int NV>
ELMAN_INLINE void load_panel(const T* w, long k, vec<T> (&b)[NV]) {
    for (int v = 0; v < NV; ++v) b[v] = load(w + (k * NV + v) * lanes<T>);
}

// Weights in bfloat16, for inference: a float32 whose lower half is gone. The two vectors of a panel's row share one: the
// first in the low halves, the second in the high ones, so that a shift and a mask bring them back.
struct bfloat16 {
    uint16_t bits;
};
ELMAN_INLINE bfloat16 rounded(float f) {
    uint32_t bits;
    __builtin_memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return {uint16_t(bits >> 16 | 64)};  // NaN stays one
    return {uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
template <class T, int NV>
ELMAN_INLINE void load_panel(const bfloat16* w, long k, vec<T> (&b)[NV]) {
    typedef uint32_t words __attribute__((vector_size(ELMAN_BYTES)));
    words both;
    __builtin_memcpy(&both, w + k * 2 * lanes<T>, sizeof both);
    b[0] = (vec<T>)(both << 16);
    b[NV - 1] = NV == 1 ? b[0] : (vec<T>)(both & 0xffff0000u);
}

// Few rows leave few independent sums, and a fused multiply-add takes four cycles: they share out K instead.
template <int M>
constexpr int shares = M == 1 ? 4 : M == 2 ? 2 : 1;

// TA: A is stored (K, rows) with row length lda, else (rows, K).
template <class T, bool TA, int M, int NV, class W>
ELMAN_INLINE void sum_tile(const T* a, long lda, const W* w, long K, vec<T> (&acc)[M][NV]) {
    constexpr int S = shares<M>;
    vec<T> part[S][M][NV];
    ELMAN_UNROLL for (int s = 0; s < S; ++s)
        ELMAN_UNROLL for (int m = 0; m < M; ++m)
            ELMAN_UNROLL for (int v = 0; v < NV; ++v) part[s][m][v] = vec<T>{};
    auto add = [&](int s, long k) ELMAN_ALWAYS {
        vec<T> b[NV];
        load_panel<T>(w, k, b);
        ELMAN_UNROLL for (int m = 0; m < M; ++m) {
            const vec<T> s_a = splat(TA ? a[k * lda + m] : a[m * lda + k]);
            ELMAN_UNROLL for (int v = 0; v < NV; ++v) part[s][m][v] += s_a * b[v];
        }
    };
    long k = 0;
    for (; k + S <= K; k += S)
        ELMAN_UNROLL for (int s = 0; s < S; ++s) add(s, k + s);
    for (; k < K; ++k) add(0, k);
    ELMAN_UNROLL for (int m = 0; m < M; ++m)
        ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
            acc[m][v] = part[0][m][v];
            ELMAN_UNROLL for (int s = 1; s < S; ++s) acc[m][v] += part[s][m][v];
        }
}

// A tile's sums meet memory only when they are done; what they will meet there can be on its way by then.
template <int NV, bool W, class T>
ELMAN_INLINE void expect(const T* at) {
    for (int v = 0; v < NV; v += ELMAN_BYTES < 64 ? 64 / ELMAN_BYTES : 1) __builtin_prefetch(at + v * lanes<T>, W);
}

template <class Emit>
constexpr bool expects = false;  // true for what has an expect_tile<M, NV>(row, column)

template <class T, bool TA, int M, int NV, class W, class Emit>
__attribute__((noinline)) void one_tile(const T* a, long lda, const W* w, long K, long row, long column,
                                        const Emit& emit) {
    vec<T> acc[M][NV];
    if constexpr (expects<Emit>) emit.template expect_tile<M, NV>(row, column);
    sum_tile<T, TA, M, NV>(a, lda, w, K, acc);
    emit(row, column, acc);
}

template <class T, bool TA, int NV, int M, class W, class Emit>
ELMAN_INLINE void tile_of(long m, const T* a, long lda, const W* w, long K, long row, long column,
                          const Emit& emit) {
    if constexpr (M <= ELMAN_ROWS) {
        if (m == M)
            one_tile<T, TA, M, NV>(a, lda, w, K, row, column, emit);
        else
            tile_of<T, TA, NV, M + 1>(m, a, lda, w, K, row, column, emit);
    }
}

template <class T, bool TA, int NV, class W, class Emit>
ELMAN_INLINE void one_panel(const T* a, long lda, long first, long last, const W* w, long K, long column,
                            const Emit& emit) {
    const long tiles = (last - first + ELMAN_ROWS - 1) / ELMAN_ROWS;
    for (long i = 0, row = first; i < tiles; ++i) {
        const long m = (last - row + tiles - i - 1) / (tiles - i);
        tile_of<T, TA, NV, 1>(m, a + (TA ? row : row * lda), lda, w, K, row, column, emit);
        row += m;
    }
}

// Rows [first, last) of A times one panel, which begins at `panel`; K taken from k0 to k1.
template <class T, bool TA = false, class W, class Emit>
ELMAN_INLINE void gemm_panel(const T* a, long lda, long first, long last, const W* panel, bool narrow, long column,
                             long k0, long k1, const Emit& emit) {
    a += TA ? k0 * lda : k0;
    if (narrow && sizeof(W) == sizeof(T))
        one_panel<T, TA, 1>(a, lda, first, last, panel + k0 * lanes<T>, k1 - k0, column, emit);
    else
        one_panel<T, TA, 2>(a, lda, first, last, panel + k0 * panel_width<T>, k1 - k0, column, emit);
}

// Rows [first, last) of A times panels [p0, p1), K taken from k0 to k1. A product that comes again and again goes `back`
// every other time, from the last panel: what is left of W in a cache that is too small for it is then met first.
template <class T, bool TA = false, class W, class Emit>
ELMAN_INLINE void gemm(const T* a, long lda, long first, long last, const Panels<T, W>& w, long p0, long p1, long k0,
                       long k1, const Emit& emit, bool back = false) {
    if (first >= last) return;
    for (long i = p0; i < p1; ++i) {
        const long p = back ? p0 + p1 - 1 - i : i;
        const long column = p * panel_width<T>;
        gemm_panel<T, TA>(a, lda, first, last, w.data + column * w.K, w.narrow(p), column, k0, k1, emit);
    }
}

template <class T>
struct EmitPart {  // a part of the sum over K, kept or added to
    T* sums;
    long row_length;
    bool fresh;
    template <int M, int NV>
    ELMAN_INLINE void expect_tile(long row, long column) const {
        for (int m = 0; m < M; ++m) expect<NV, true>(sums + (row + m) * row_length + column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                T* at = sums + (row + m) * row_length + column + v * lanes<T>;
                store(at, fresh ? acc[m][v] : load(at) + acc[m][v]);
            }
    }
};

template <class T>
constexpr bool expects<EmitPart<T>> = true;

template <class T, class Emit>
struct EmitLast {  // the last part: the whole sum goes on
    const T* sums;
    long row_length;
    const Emit& emit;
    template <int M, int NV>
    ELMAN_INLINE void expect_tile(long row, long column) const {
        for (int m = 0; m < M; ++m) expect<NV, false>(sums + (row + m) * row_length + column);
        if constexpr (expects<Emit>) emit.template expect_tile<M, NV>(row, column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v)
                acc[m][v] += load(sums + (row + m) * row_length + column + v * lanes<T>);
        emit(row, column, acc);
    }
};

template <class T, class Emit>
constexpr bool expects<EmitLast<T, Emit>> = true;

// Large products read A through a copy in the order in which the tiles want it: k by k, a tile's rows side by side. This
// many k at a time leave a panel in the first-level cache while tile after tile meets it.
constexpr long k_block = 256;
constexpr long few_k = 16, few_panels = 16;
constexpr long row_block = 252;  // rows of A copied at a time: a multiple of every ELMAN_ROWS

template <class T>
constexpr long copy_size = row_block * k_block;

template <class T, bool TA>
void copy_tiles(const T* a, long lda, long first, long last, long k0, long k1, T* to) {
    for (long row = first; row < last; row += ELMAN_ROWS) {
        const long m = last - row < ELMAN_ROWS ? last - row : ELMAN_ROWS;
        if (TA)
            for (long k = k0; k < k1; ++k)
                for (long i = 0; i < m; ++i) to[(k - k0) * m + i] = a[k * lda + row + i];
        else
            for (long i = 0; i < m; ++i)
                for (long k = k0; k < k1; ++k) to[(k - k0) * m + i] = a[(row + i) * lda + k];
        to += m * (k1 - k0);
    }
}

template <class T, int NV, class W, class Emit>
ELMAN_INLINE void copied_panel(const T* copy, long first, long last, const W* panel, long K, long column,
                               const Emit& emit) {
    for (long row = first; row < last; row += ELMAN_ROWS) {
        const long m = last - row < ELMAN_ROWS ? last - row : ELMAN_ROWS;
        tile_of<T, true, NV, 1>(m, copy, m, panel, K, row, column, emit);
        copy += m * K;
    }
}

// Rows [first, last), which `copy` holds over [k0, k1), times panels [p0, p1).
template <class T, class W, class Emit>
void gemm_of_copy(const T* copy, long first, long last, const Panels<T, W>& w, long p0, long p1, long k0, long k1,
                  const Emit& emit) {
    if (k1 - k0 <= few_k && last - first > ELMAN_ROWS) {  // little but the result to write: a tile's rows from end to end
        for (long row = first; row < last; row += ELMAN_ROWS)
            gemm_of_copy(copy + (row - first) * (k1 - k0), row, row + ELMAN_ROWS < last ? row + ELMAN_ROWS : last, w, p0, p1,
                         k0, k1, emit);
        return;
    }
    for (long p = p0; p < p1; ++p) {
        const long column = p * panel_width<T>;
        const W* panel = w.data + column * w.K;
        if (w.narrow(p) && sizeof(W) == sizeof(T))
            copied_panel<T, 1>(copy, first, last, panel + k0 * lanes<T>, k1 - k0, column, emit);
        else
            copied_panel<T, 2>(copy, first, last, panel + k0 * panel_width<T>, k1 - k0, column, emit);
    }
}

// Rows [first, last) of A times panels [p0, p1) over [k0, k1), through copies of blocks of A in `copy`.
template <class T, bool TA, class W, class Emit>
void gemm_copied(const T* a, long lda, long first, long last, const Panels<T, W>& w, long p0, long p1, long k0, long k1,
                 T* copy, const Emit& emit) {
    for (long row = first; row < last; row += row_block) {
        const long end = row + row_block < last ? row + row_block : last;
        copy_tiles<T, TA>(a, lda, row, end, k0, k1, copy);
        gemm_of_copy(copy, row, end, w, p0, p1, k0, k1, emit);
    }
}

// Rows [first, last) of A times panels [p0, p1), all of K. Where K is long and there are several tiles of rows, K is cut:
// `sums` (rows, columns) holds what is not finished. What of A is being read goes through `copy`, but not for a few
// panels, which would not read it often enough.
template <class T, class W, class Emit>
ELMAN_INLINE void gemm_blocked(const T* a, long lda, long first, long last, const Panels<T, W>& w, long p0, long p1,
                               T* sums, long sums_row, T* copy, const Emit& emit, bool back = false) {
    if (last - first <= 2 * ELMAN_ROWS || w.K < 2 * k_block) {
        gemm(a, lda, first, last, w, p0, p1, 0, w.K, emit, back);
        return;
    }
    auto part = [&](long k0, long k1, const auto& to) ELMAN_ALWAYS {
        if (p1 - p0 <= few_panels)
            gemm(a, lda, first, last, w, p0, p1, k0, k1, to, back);
        else
            gemm_copied<T, false>(a, lda, first, last, w, p0, p1, k0, k1, copy, to);
    };
    long k = 0;
    for (; k + k_block < w.K; k += k_block) part(k, k + k_block, EmitPart<T>{sums, sums_row, k == 0});
    part(k, w.K, EmitLast<T, Emit>{sums, sums_row, emit});
}
