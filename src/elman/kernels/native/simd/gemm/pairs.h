// Factors in bfloat16 for processors that multiply it: two neighbours along K share four bytes, and one instruction
// adds both of their products to a sum in float32 (AVX512-BF16: VDPBF16PS). Rows of A are stored so as they are; a
// panel of W has the pairs of a row of K beside each other. K is even: what is odd has a zero behind it on both sides.
#pragma once
#include "simd/gemm/pack.h"

namespace elman::ELMAN_ISA {
namespace {

typedef uint16_t half_words __attribute__((vector_size(ELMAN_BYTES / 2)));
typedef uint32_t words __attribute__((vector_size(ELMAN_BYTES)));

// Rounded to the nearest, ties to even, in the lower half of each lane; NaN stays one.
ELMAN_INLINE words rounded_words(vec<float> v) {
#if defined(__AVX512BF16__)
    return (words)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)v));
#else
    const words bits = (words)v, up = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16 | 64) : up;
#endif
}

ELMAN_INLINE void store(paired_bfloat16* to, vec<float> v) {
#if defined(__AVX512BF16__)
    const __m256bh half = _mm512_cvtneps_pbh((__m512)v);
    __builtin_memcpy(to, &half, sizeof half);
#else
    const half_words half = __builtin_convertvector(rounded_words(v), half_words);
    __builtin_memcpy(to, &half, sizeof half);
#endif
}

ELMAN_INLINE vec<float> load(const paired_bfloat16* from) {
    half_words half;
    __builtin_memcpy(&half, from, sizeof half);
    return (vec<float>)(__builtin_convertvector(half, words) << 16);
}

// What A and W have at two neighbours along K, one number of A beside a vector of W.
ELMAN_INLINE vec<float> factor(const paired_bfloat16* a) {
    uint32_t both;
    __builtin_memcpy(&both, a, sizeof both);
    return (vec<float>)(both - words{});
}

template <class T, int NV>
ELMAN_INLINE void load_panel(const paired_bfloat16* w, int64_t k, vec<T> (&b)[NV]) {
    for (int v = 0; v < NV; ++v) __builtin_memcpy(&b[v], w + k * NV * lanes<float> + 2 * v * lanes<float>, ELMAN_BYTES);
}

template <class T>
ELMAN_INLINE vec<T> plus_product(const paired_bfloat16*, vec<T> sum, vec<T> a, vec<T> b) {
#if defined(__AVX512BF16__)
    return (vec<float>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    const words low_a = (words)a << 16, low_b = (words)b << 16, high_a = (words)a & 0xffff0000u,
                high_b = (words)b & 0xffff0000u;
    return sum + (vec<float>)high_a * (vec<float>)high_b + (vec<float>)low_a * (vec<float>)low_b;
#endif
}

// Panel p of W^T: w is (columns, K) in memory, and so the pairs are made by rounding alone, and transposed as pairs.
inline void pack_transposed(const float* w, int64_t K, int64_t columns, paired_bfloat16* panels, int64_t p) {
    constexpr int64_t block = lanes<float>;
    const int64_t c0 = p * panel_width<float>, even = padded_k<paired_bfloat16>(K);
    const int64_t width = columns - c0 <= block ? block : panel_width<float>;
    paired_bfloat16* to = panels + c0 * even;
    for (int64_t c = 0; c < width; c += block)
        for (int64_t k = 0; k < even; k += 2 * block) {
            vec<float> square[block] = {};
            for (int64_t i = 0; i < block && c0 + c + i < columns; ++i) {
                const float* row = w + (c0 + c + i) * K;
                paired_bfloat16 pairs[2 * block];
                store(pairs, load_n(row + k, K - k));
                store(pairs + block, load_n(row + k + block, K - k - block));
                __builtin_memcpy(&square[i], pairs, ELMAN_BYTES);
            }
            transpose<float>(square);
            for (int64_t i = 0; i < block && k + 2 * i < even; ++i)
                __builtin_memcpy(to + (k + 2 * i) * width + 2 * c, &square[i], ELMAN_BYTES);
        }
}

// Panel p of W: w is (K, columns) in memory.
inline void pack_straight(const float* w, int64_t K, int64_t columns, paired_bfloat16* to, int64_t p) {
    const int64_t c0 = p * panel_width<float>;
    const int64_t width = columns - c0 <= lanes<float> ? lanes<float> : panel_width<float>;
    for (int64_t k = 0; k < K; k += 2)
        for (int64_t c = 0; c < width; c += lanes<float>) {
            const float* at = w + k * columns + c0 + c;
            const int64_t n = columns - c0 - c;
            words pairs = rounded_words(load_n(at, n));
            if (k + 1 < K) pairs |= rounded_words(load_n(at + columns, n)) << 16;
            __builtin_memcpy(to + k * width + 2 * c, &pairs, ELMAN_BYTES);
        }
}

// One row of K in every panel (panels of `K` rows), the even one of two before the odd one.
ELMAN_INLINE void pack_row(const float* row, int64_t stride, const float* mask, int64_t columns,
                           paired_bfloat16* panels, int64_t K, int64_t k) {
    for (int64_t c0 = 0; c0 < columns; c0 += panel_width<float>) {
        const int64_t width = columns - c0 <= lanes<float> ? lanes<float> : panel_width<float>;
        paired_bfloat16* const to = panels + c0 * K + (k - k % 2) * width;
        for (int64_t c = 0; c < width; c += lanes<float>) {
            vec<float> v = load_n(row + (c0 + c) * stride, columns - c0 - c, stride);
            if (mask) v *= load_n(mask + c0 + c, columns - c0 - c);
            words pairs = rounded_words(v), even = {};
            if (k % 2) {
                __builtin_memcpy(&even, to + 2 * c, ELMAN_BYTES);
                pairs = pairs << 16 | even;
            }
            __builtin_memcpy(to + 2 * c, &pairs, ELMAN_BYTES);
        }
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
