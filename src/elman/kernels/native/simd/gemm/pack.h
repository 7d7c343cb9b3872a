// Matrices into panels, zeros in the columns past the end.
#pragma once
#include <utility>

#include "simd/gemm/panels.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define ELMAN_SHUFFLES
#endif
#endif

namespace elman::ELMAN_ISA {
namespace {

#ifdef ELMAN_SHUFFLES
// One round of the transposition of a square of vectors: blocks of S x S change places across the diagonal.
template <class T, int S, int... lane>
ELMAN_INLINE void exchange(vec<T>& a, vec<T>& b, std::integer_sequence<int, lane...>) {
    constexpr int L = lanes<T>;
    const vec<T> first = __builtin_shufflevector(a, b, (lane & S ? L + lane - S : lane)...);
    b = __builtin_shufflevector(a, b, (lane & S ? L + lane : lane + S)...);
    a = first;
}

template <class T, int S = 1>
ELMAN_INLINE void transpose(vec<T> (&rows)[lanes<T>]) {
    if constexpr (S < lanes<T>) {
        for (int r = 0; r < lanes<T>; ++r)
            if (!(r & S)) exchange<T, S>(rows[r], rows[r + S], std::make_integer_sequence<int, lanes<T>>{});
        transpose<T, 2 * S>(rows);
    }
}
#else
template <class T>
ELMAN_INLINE void transpose(vec<T> (&rows)[lanes<T>]) {
    for (int r = 0; r < lanes<T>; ++r)
        for (int c = 0; c < r; ++c) {
            const T kept = rows[r][c];
            rows[r][c] = rows[c][r];
            rows[c][r] = kept;
        }
}
#endif

// Panel p of W^T: w is (columns, K) in memory, as both weights are for the forward products.
template <class T>
void pack_transposed(const T* w, int64_t K, int64_t columns, T* panels, int64_t p) {
    const int64_t c0 = p * panel_width<T>;
    const int64_t width = columns - c0 <= lanes<T> ? lanes<T> : panel_width<T>;
    T* to = panels + c0 * K;
    constexpr int64_t block = lanes<T>;
    for (int64_t c = 0; c < width; c += block) {
        const int64_t n = columns - c0 - c < block ? columns - c0 - c : block;
        int64_t k = 0;
#ifdef ELMAN_SHUFFLES
        for (; n == block && k + block <= K; k += block) {
            vec<T> square[block];
            for (int64_t i = 0; i < block; ++i) square[i] = load(w + (c0 + c + i) * K + k);
            transpose<T>(square);
            for (int64_t i = 0; i < block; ++i) store(to + (k + i) * width + c, square[i]);
        }
#endif
        for (; k < K; ++k) {
            T* out = to + k * width + c;
            const T* in = w + (c0 + c) * K + k;
            if (n >= block)
                for (int64_t i = 0; i < block; ++i) out[i] = in[i * K];
            else
                for (int64_t i = 0; i < block; ++i) out[i] = i < n ? in[i * K] : T(0);
        }
    }
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
constexpr int64_t low_half = 0;
#else
constexpr int64_t low_half = 1;
#endif

// The same in bfloat16, where every panel has its full width.
inline void pack_transposed(const float* w, int64_t K, int64_t columns, bfloat16* panels, int64_t p) {
    const int64_t c0 = p * panel_width<float>, n = lanes<float>;
    bfloat16* to = panels + c0 * K;
    for (int64_t k = 0; k < K; ++k)
        for (int64_t c = 0; c < panel_width<float>; ++c) {
            const bool low = c < n;
            to[k * 2 * n + 2 * (low ? c : c - n) + (low ? low_half : 1 - low_half)] =
                c0 + c < columns ? rounded(w[(c0 + c) * K + k]) : bfloat16{0};
        }
}

// Panel p of W: w is (K, columns) in memory.
template <class T>
void pack_straight(const T* w, int64_t K, int64_t columns, T* to, int64_t p) {
    const int64_t c0 = p * panel_width<T>;
    const int64_t width = columns - c0 <= lanes<T> ? lanes<T> : panel_width<T>;
    for (int64_t k = 0; k < K; ++k)
        for (int64_t c = 0; c < width; c += lanes<T>)
            store(to + k * width + c, load_n(w + k * columns + c0 + c, columns - c0 - c));
}

// One row of K in every panel (panels of `K` rows): how the rows of x and of h become a factor of the weights'
// gradients.
template <class T>
ELMAN_INLINE void pack_row(const T* row, int64_t stride, const T* mask, int64_t columns, T* panels, int64_t K,
                           int64_t k) {
    for (int64_t c0 = 0; c0 < columns; c0 += panel_width<T>) {
        const int64_t width = columns - c0 <= lanes<T> ? lanes<T> : panel_width<T>;
        T* to = panels + c0 * K + k * width;
        for (int64_t c = 0; c < width; c += lanes<T>) {
            vec<T> v = load_n(row + (c0 + c) * stride, columns - c0 - c, stride);
            if (mask) v *= load_n(mask + c0 + c, columns - c0 - c);
            store(to + c, v);
        }
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
