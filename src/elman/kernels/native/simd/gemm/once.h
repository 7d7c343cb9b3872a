// Products with weights that are used only once: a panel is packed just before, or not at all.
#pragma once
#include "runtime/plan.h"
#include "simd/gemm/gemm.h"
#include "simd/gemm/pack.h"

namespace elman::ELMAN_ISA {
namespace {

// A W^T with W (columns, K) as it is in memory, a panel at a time through `workspace`.
template <class T, class A, class W, class Epilogue>
void gemm_once(const A* a, int64_t lda, int64_t rows, const T* w, int64_t K, int64_t columns, Share panels,
               W* workspace, const Epilogue& epilogue) {
    for (int64_t p = panels.first; p < panels.last; ++p) {
        const int64_t column = p * panel_width<T>;
        pack_transposed(w + column * K, K, columns - column, workspace, 0);
        gemm_panel<T>(a, lda, 0, rows, workspace, columns - column <= lanes<T>, column, 0, padded_k<W>(K), epilogue);
    }
}

// NV vectors of one row of A W, with W (K, columns) read as it is in memory.
template <class T, int NV, class Epilogue>
void row_straight(const T* a, const T* w, int64_t K, int64_t columns, int64_t row, int64_t column,
                  const Epilogue& epilogue) {
    vec<T> acc[1][NV] = {};
    for (int64_t k = 0; k < K; ++k)
        ELMAN_UNROLL for (int v = 0; v < NV; ++v) acc[0][v] +=
            splat(a[k]) * load(w + k * columns + column + v * lanes<T>);
    epilogue(row, column, acc);
}

// A W with W (K, columns) as it is in memory: a panel at a time through `workspace`, or directly, for a row alone.
template <class T, class A, class W, class Epilogue>
void gemm_once_straight(const A* a, int64_t lda, int64_t rows, const T* w, int64_t K, int64_t columns, Share panels,
                        W* workspace, const Epilogue& epilogue) {
    int64_t p = panels.first;
    constexpr int64_t wide = 4;  // panels of a row that are summed side by side
    if constexpr (std::is_same_v<A, T>)
        for (; rows == 1 && p + wide <= panels.last && (p + wide) * panel_width<T> <= columns; p += wide)
            row_straight<T, 2 * wide>(a, w, K, columns, 0, p * panel_width<T>, epilogue);
    for (; p < panels.last; ++p) {
        const int64_t column = p * panel_width<T>;
        pack_straight(w, K, columns, workspace, p);
        gemm_panel<T>(a, lda, 0, rows, workspace, columns - column <= lanes<T>, column, 0, padded_k<W>(K), epilogue);
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
