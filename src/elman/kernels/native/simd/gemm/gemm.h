// The matrix products: C (rows, columns) = A (rows, K) W (K, columns), with W packed into panels of two vectors'
// width. A register tile of up to ELMAN_ROWS rows times one panel is summed over all of K, then handed to `epilogue`,
// which adds the drive, applies the nonlinearity and stores: no product is written to memory unfinished.
#pragma once
#include "runtime/thresholds.h"
#include "simd/gemm/panels.h"

namespace elman::ELMAN_ISA {
namespace {

// Few rows leave few independent sums, and a fused multiply-add takes four cycles: they share out K instead. Not where
// A is a copy: its rows may be units, which are cut by the number of members, and a row at the end of a cut would be
// summed in another order than in the middle.
template <int M>
constexpr int shares = M == 1   ? 4
                       : M == 2 ? 2
                                : 1;

// TA: A is stored (K, rows) with row length lda, else (rows, K). K is padded (panels.h).
template <class T, bool TA, int M, int NV, class A, class W>
ELMAN_INLINE void sum_tile(const A* a, int64_t lda, const W* w, int64_t K, vec<T> (&acc)[M][NV]) {
    constexpr int S = TA ? 1 : shares<M>;
    constexpr int64_t D = together<A>;
    vec<T> part[S][M][NV];
    ELMAN_UNROLL for (int s = 0; s < S; ++s) ELMAN_UNROLL for (int m = 0; m < M; ++m)
        ELMAN_UNROLL for (int v = 0; v < NV; ++v) part[s][m][v] = vec<T>{};
    auto add = [&](int s, int64_t k) ELMAN_ALWAYS {
        vec<T> b[NV];
        load_panel<T>(w, k, b);
        ELMAN_UNROLL for (int m = 0; m < M; ++m) {
            const vec<T> s_a = factor(a + (TA ? k * lda + m * D : m * lda + k));
            ELMAN_UNROLL for (int v = 0; v < NV; ++v) part[s][m][v] = plus_product<T>(w, part[s][m][v], s_a, b[v]);
        }
    };
    int64_t k = 0;
    for (; k + S * D <= K; k += S * D) ELMAN_UNROLL for (int s = 0; s < S; ++s) add(s, k + s * D);
    for (; k < K; k += D) add(0, k);
    ELMAN_UNROLL for (int m = 0; m < M; ++m) ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
        acc[m][v] = part[0][m][v];
        ELMAN_UNROLL for (int s = 1; s < S; ++s) acc[m][v] += part[s][m][v];
    }
}

// A tile's sums meet memory only when they are done; what they will meet there can be on its way by then.
constexpr int vectors_a_line = ELMAN_BYTES < int(cache_line) ? int(cache_line) / ELMAN_BYTES : 1;
template <int NV, bool W, class T>
ELMAN_INLINE void prefetch(const T* at) {
    constexpr int bytes = ELMAN_BYTES / int(together<T>);  // of what a vector of sums is stored in
    for (int v = 0; v < NV; v += vectors_a_line) __builtin_prefetch(reinterpret_cast<const char*>(at) + v * bytes, W);
}

template <class Epilogue>
constexpr bool prefetches = false;  // true for what has an prefetch_tile<M, NV>(row, column)

// An epilogue of much code, such as the activations of the general recurrence, is compiled once for each size of a
// tile, not once more in each product that it ends.
template <class Epilogue>
constexpr bool is_large = false;

template <class T, int M, int NV, class Epilogue>
__attribute__((noinline)) void finish_tile(int64_t row, int64_t column, vec<T> (&acc)[M][NV],
                                           const Epilogue& epilogue) {
    epilogue(row, column, acc);
}

template <class T, bool TA, int M, int NV, class A, class W, class Epilogue>
__attribute__((noinline)) void one_tile(const A* a, int64_t lda, const W* w, int64_t K, int64_t row, int64_t column,
                                        const Epilogue& epilogue) {
    vec<T> acc[M][NV];
    if constexpr (prefetches<Epilogue>) epilogue.template prefetch_tile<M, NV>(row, column);
    sum_tile<T, TA, M, NV>(a, lda, w, K, acc);
    if constexpr (is_large<Epilogue>)
        finish_tile<T>(row, column, acc, epilogue);
    else
        epilogue(row, column, acc);
}

template <class T, bool TA, int NV, int M, class A, class W, class Epilogue>
ELMAN_INLINE void tile_of(int64_t m, const A* a, int64_t lda, const W* w, int64_t K, int64_t row, int64_t column,
                          const Epilogue& epilogue) {
    if constexpr (M <= ELMAN_ROWS) {
        if (m == M)
            one_tile<T, TA, M, NV>(a, lda, w, K, row, column, epilogue);
        else
            tile_of<T, TA, NV, M + 1>(m, a, lda, w, K, row, column, epilogue);
    }
}

template <class T, bool TA, int NV, class A, class W, class Epilogue>
ELMAN_INLINE void one_panel(const A* a, int64_t lda, int64_t first, int64_t last, const W* w, int64_t K, int64_t column,
                            const Epilogue& epilogue) {
    const int64_t tiles = (last - first + ELMAN_ROWS - 1) / ELMAN_ROWS;
    for (int64_t i = 0, row = first; i < tiles; ++i) {
        const int64_t m = (last - row + tiles - i - 1) / (tiles - i);
        tile_of<T, TA, NV, 1>(m, a + row * (TA ? together<A> : lda), lda, w, K, row, column, epilogue);
        row += m;
    }
}

// Rows [first, last) of A times one panel, which begins at `panel`; K taken from k0 to k1.
template <class T, bool TA = false, class A, class W, class Epilogue>
ELMAN_INLINE void gemm_panel(const A* a, int64_t lda, int64_t first, int64_t last, const W* panel, bool narrow,
                             int64_t column, int64_t k0, int64_t k1, const Epilogue& epilogue) {
    a += TA ? k0 * lda : k0;
    if (narrow && can_be_narrow<W>)
        one_panel<T, TA, 1>(a, lda, first, last, panel + k0 * lanes<T>, k1 - k0, column, epilogue);
    else
        one_panel<T, TA, 2>(a, lda, first, last, panel + k0 * panel_width<T>, k1 - k0, column, epilogue);
}

// Rows [first, last) of A times panels [p0, p1), K taken from k0 to k1. A product that comes again and again goes
// `back` every other time, from the last panel: what is left of W in a cache that is too small for it is then met
// first.
template <bool TA = false, class T, class A, class W, class Epilogue>
ELMAN_INLINE void gemm(const A* a, int64_t lda, int64_t first, int64_t last, const Panels<T, W>& w, int64_t p0,
                       int64_t p1, int64_t k0, int64_t k1, const Epilogue& epilogue, bool back = false) {
    if (first >= last) return;
    for (int64_t i = p0; i < p1; ++i) {
        const int64_t p = back ? p0 + p1 - 1 - i : i;
        const int64_t column = p * panel_width<T>;
        gemm_panel<T, TA>(a, lda, first, last, w.data + column * w.K, w.narrow(p), column, k0, k1, epilogue);
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
