// Products with a long K or of many rows: K is cut, and A read through copies.
#pragma once
#include "simd/gemm/gemm.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct PartialSumEpilogue {  // a part of the sum over K, kept or added to
    T* sums;
    int64_t row_length;
    bool fresh;
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) prefetch<NV, true>(sums + (row + m) * row_length + column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                T* at = sums + (row + m) * row_length + column + v * lanes<T>;
                store(at, fresh ? acc[m][v] : load(at) + acc[m][v]);
            }
    }
};

template <class T>
constexpr bool prefetches<PartialSumEpilogue<T>> = true;

template <class T, class Epilogue>
struct FinalSumEpilogue {  // the last part: the whole sum goes on
    const T* sums;
    int64_t row_length;
    const Epilogue& epilogue;
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) prefetch<NV, false>(sums + (row + m) * row_length + column);
        if constexpr (prefetches<Epilogue>) epilogue.template prefetch_tile<M, NV>(row, column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) acc[m][v] += load(sums + (row + m) * row_length + column + v * lanes<T>);
        finish_tile<T>(row, column, acc, epilogue);
    }
};

template <class T, class Epilogue>
constexpr bool prefetches<FinalSumEpilogue<T, Epilogue>> = true;

// Large products read A through a copy in the order in which the tiles want it: k by k, a tile's rows side by side.
// This many k at a time leave a panel in the first-level cache while tile after tile meets it.
template <class A>
constexpr int64_t k_block = 256 * together<A>;
// Up to this many k there is little but the result to write: a tile's rows are then finished from end to end.
constexpr int64_t few_k = 16;
// Up to this many panels a copy of A would not be read often enough to pay for itself.
constexpr int64_t few_panels = 16;
// Rows of A copied at a time: at most 252, whole tiles.
constexpr int64_t row_block = 252 / ELMAN_ROWS * ELMAN_ROWS;

template <class A>
constexpr int64_t copy_size = row_block* k_block<A>;  // numbers in a copy of a block

// Whether a sum over K is long enough to be cut; what is cut needs a copy of A and a place for its parts.
template <class A>
ELMAN_INLINE bool cuts_k(int64_t K) {
    return padded_k<A>(K) >= 2 * k_block<A>;
}

// K from k0 to k1, padded. A that is stored (K, rows) ends at k1, and zeros take the place of what is behind it.
template <bool TA, class A>
void copy_tiles(const A* a, int64_t lda, int64_t first, int64_t last, int64_t k0, int64_t k1, A* to) {
    constexpr int64_t D = together<A>;
    const int64_t K = padded_k<A>(k1 - k0);
    for (int64_t row = first; row < last; row += ELMAN_ROWS) {
        const int64_t m = last - row < ELMAN_ROWS ? last - row : ELMAN_ROWS;
        if (TA) {
            for (int64_t k = k0; k < k1; k += D)
                for (int64_t i = 0; i < m; ++i)
                    for (int64_t d = 0; d < D; ++d)
                        to[(k - k0) * m + i * D + d] = k + d < k1 ? a[(k + d) * lda + row + i] : A{};
        } else {
            for (int64_t i = 0; i < m; ++i)
                for (int64_t k = k0; k < k1; k += D)
                    for (int64_t d = 0; d < D; ++d) to[(k - k0) * m + i * D + d] = a[(row + i) * lda + k + d];
        }
        to += m * K;
    }
}

template <class T, int NV, class A, class W, class Epilogue>
ELMAN_INLINE void copied_panel(const A* copy, int64_t first, int64_t last, const W* panel, int64_t K, int64_t column,
                               const Epilogue& epilogue) {
    for (int64_t row = first; row < last; row += ELMAN_ROWS) {
        const int64_t m = last - row < ELMAN_ROWS ? last - row : ELMAN_ROWS;
        tile_of<T, true, NV, 1>(m, copy, m, panel, K, row, column, epilogue);
        copy += m * K;
    }
}

// Rows [first, last), which `copy` holds over [k0, k1), times panels [p0, p1).
template <class T, class A, class W, class Epilogue>
void gemm_of_copy(const A* copy, int64_t first, int64_t last, const Panels<T, W>& w, int64_t p0, int64_t p1, int64_t k0,
                  int64_t k1, const Epilogue& epilogue) {
    if (k1 - k0 <= few_k && last - first > ELMAN_ROWS) {
        for (int64_t row = first; row < last; row += ELMAN_ROWS)
            gemm_of_copy(copy + (row - first) * (k1 - k0), row, row + ELMAN_ROWS < last ? row + ELMAN_ROWS : last, w,
                         p0, p1, k0, k1, epilogue);
        return;
    }
    for (int64_t p = p0; p < p1; ++p) {
        const int64_t column = p * panel_width<T>;
        const W* panel = w.data + column * w.K;
        if (w.narrow(p))
            copied_panel<T, 1>(copy, first, last, panel + k0 * lanes<T>, k1 - k0, column, epilogue);
        else
            copied_panel<T, 2>(copy, first, last, panel + k0 * panel_width<T>, k1 - k0, column, epilogue);
    }
}

// Rows [first, last) of A times panels [p0, p1) over [k0, k1), through copies of blocks of A in `copy`.
template <bool TA, class T, class A, class W, class Epilogue>
void gemm_copied(const A* a, int64_t lda, int64_t first, int64_t last, const Panels<T, W>& w, int64_t p0, int64_t p1,
                 int64_t k0, int64_t k1, A* copy, const Epilogue& epilogue) {
    for (int64_t row = first; row < last; row += row_block) {
        const int64_t end = row + row_block < last ? row + row_block : last;
        copy_tiles<TA>(a, lda, row, end, k0, k1, copy);
        gemm_of_copy(copy, row, end, w, p0, p1, k0, k1, epilogue);
    }
}

// Rows [first, last) of A times panels [p0, p1), all of K. Where K is long and there are several tiles of rows, K is
// cut: `sums` (rows, columns) holds what is not finished. What of A is being read goes through `copy`, but not for a
// few panels.
template <class T, class A, class W, class Epilogue>
ELMAN_INLINE void gemm_blocked(const A* a, int64_t lda, int64_t first, int64_t last, const Panels<T, W>& w, int64_t p0,
                               int64_t p1, T* sums, int64_t sums_row, A* copy, const Epilogue& epilogue,
                               bool back = false) {
    if (last - first <= 2 * ELMAN_ROWS || !cuts_k<A>(w.K)) {
        gemm(a, lda, first, last, w, p0, p1, 0, w.K, epilogue, back);
        return;
    }
    auto part = [&](int64_t k0, int64_t k1, const auto& to) ELMAN_ALWAYS {
        if (p1 - p0 <= few_panels)
            gemm(a, lda, first, last, w, p0, p1, k0, k1, to, back);
        else
            gemm_copied<false>(a, lda, first, last, w, p0, p1, k0, k1, copy, to);
    };
    int64_t k = 0;
    for (; k + k_block<A> < w.K; k += k_block<A>)
        part(k, k + k_block<A>, PartialSumEpilogue<T>{sums, sums_row, k == 0});
    part(k, w.K, FinalSumEpilogue<T, Epilogue>{sums, sums_row, epilogue});
}

}  // namespace
}  // namespace elman::ELMAN_ISA
