// Standard normal noise by a counter, as kernels/general/noise.py says it: Philox 4x32-10, then Box and Muller. A lane
// of 64 bits holds one word of 32: a product of two words fills it, and what stands in its upper half is never read.
#pragma once
#include "simd/general/exponential.h"

#if defined(__SSE2__) && ELMAN_BYTES == 16
#include <emmintrin.h>
#endif

namespace elman::ELMAN_ISA {
namespace {

typedef uint64_t wide __attribute__((vector_size(ELMAN_BYTES)));
constexpr int counters = ELMAN_BYTES / 8;  // computed side by side
constexpr int64_t block_units = 32, block_counters = 8;

// The product of the lanes' lower halves.
ELMAN_INLINE wide product(wide a, wide b) {
#if ELMAN_BYTES == 64
    return (wide)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif ELMAN_BYTES == 32
    return (wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

struct Words {
    wide w[4];
};

// Where the noise of one row stands: all of the counter but its first word.
struct NoisePlace {
    uint64_t seed, b, t, stream;
};

ELMAN_INLINE Words philox(wide first, const NoisePlace& place) {
    const wide zero = {};
    wide a = first, b = zero + uint32_t(place.b), c = zero + uint32_t(place.t), d = zero + uint32_t(place.stream);
    const wide m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u;
    uint32_t k0 = uint32_t(place.seed), k1 = uint32_t(place.seed >> 32);
    ELMAN_UNROLL for (int round = 0; round < 10; ++round) {
        const wide p0 = product(a, m0), p1 = product(c, m1);
        a = (p1 >> 32) ^ b ^ (zero + k0);
        b = p1;
        c = (p0 >> 32) ^ d ^ (zero + k1);
        d = p0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return {{a, b, c, d}};
}

template <class T>
struct Circle;
template <>
struct Circle<float> {
    static constexpr int sin_terms = 3, cos_terms = 3;
    static constexpr float sin_c[] = {-1.6666654611e-1f, 8.3321608736e-3f, -1.9515295891e-4f};
    static constexpr float cos_c[] = {4.166664568298827e-2f, -1.388731625493765e-3f, 2.443315711809948e-5f};
};
template <>
struct Circle<double> {
    static constexpr int sin_terms = 8, cos_terms = 8;
    static constexpr double sin_c[] = {-1. / 6,        1. / 120,         -1. / 5040,           1. / 362880,
                                       -1. / 39916800, 1. / 6227020800., -1. / 1307674368000., 1. / 355687428096000.};
    static constexpr double cos_c[] = {
        1. / 24,        -1. / 720,          1. / 40320,           -1. / 3628800,
        1. / 479001600, -1. / 87178291200., 1. / 20922789888000., -1. / 6402373705728000.};
};

template <class T>
ELMAN_INLINE vec<T> root_of(vec<T> x) {
#if ELMAN_BYTES == 64
    if constexpr (sizeof(T) == 4) return (vec<T>)_mm512_sqrt_ps((__m512)x);
#elif ELMAN_BYTES == 32
    if constexpr (sizeof(T) == 4) return (vec<T>)_mm256_sqrt_ps((__m256)x);
#endif
    for (int64_t i = 0; i < lanes<T>; ++i)
        x[i] = sizeof(T) == 4 ? T(__builtin_sqrtf(float(x[i]))) : __builtin_sqrt(x[i]);
    return x;
}

// Two normal numbers a lane out of two words, of which the upper 24 bits count.
template <class T>
ELMAN_INLINE void box_muller(words_of<T> w0, words_of<T> w1, vec<T>& by_cos, vec<T>& by_sin) {
    typedef integers_of<T> integers;
    const vec<T> u = __builtin_convertvector((integers)(w0 >> 8) + 1, vec<T>) * T(5.9604644775390625e-08);  // 2^-24
    const vec<T> radius = root_of<T>(log_of<T>(u) * T(-2));
    const integers angle = (integers)(w1 >> 8), quarter = (angle + (1 << 21)) >> 22;
    const vec<T> t =
        __builtin_convertvector(angle - (quarter << 22), vec<T>) * T(3.7450702829238594e-07);  // 2 pi / 2^24
    const vec<T> square = t * t;
    using C = Circle<T>;
    vec<T> s = splat<T>(C::sin_c[C::sin_terms - 1]), c = splat<T>(C::cos_c[C::cos_terms - 1]);
    ELMAN_UNROLL for (int i = C::sin_terms - 2; i >= 0; --i) s = s * square + C::sin_c[i];
    ELMAN_UNROLL for (int i = C::cos_terms - 2; i >= 0; --i) c = c * square + C::cos_c[i];
    s = s * square * t + t;
    c = c * square * square + (T(1) - square * T(0.5));
    const integers odd = (quarter & 1) != 0;
    const vec<T> cosine = odd ? s : c, sine = odd ? c : s;
    constexpr int sign = 8 * sizeof(T) - 2;
    by_cos = radius * (vec<T>)((words_of<T>)cosine ^ ((words_of<T>)((quarter + 1) & 2) << sign));
    by_sin = radius * (vec<T>)((words_of<T>)sine ^ ((words_of<T>)(quarter & 2) << sign));
}

// The noise of units [32 block, 32 block + 32) of one row.
ELMAN_INLINE void normal_block(const NoisePlace& place, int64_t block, float* to) {
    for (int64_t i = 0; i < block_counters; i += counters) {
        wide first = {};
        for (int64_t lane = 0; lane < counters; ++lane) first[lane] = block * block_counters + i + lane;
        const Words words = philox(first, place);
        const wide low = wide{} + 0xffffffffu;
        vec<float> by_cos, by_sin;
        box_muller<float>((words_of<float>)((words.w[0] & low) | words.w[2] << 32),
                          (words_of<float>)((words.w[1] & low) | words.w[3] << 32), by_cos, by_sin);
        store(to + 2 * i, by_cos);
        store(to + block_units / 2 + 2 * i, by_sin);
    }
}

ELMAN_INLINE void normal_block(const NoisePlace& place, int64_t block, double* to) {
    for (int64_t i = 0; i < block_counters; i += counters) {
        wide first = {};
        for (int64_t lane = 0; lane < counters; ++lane) first[lane] = block * block_counters + i + lane;
        const Words words = philox(first, place);
        for (int odd = 0; odd < 2; ++odd) {
            const wide low = wide{} + 0xffffffffu;
            vec<double> by_cos, by_sin;
            box_muller<double>(words.w[2 * odd] & low, words.w[2 * odd + 1] & low, by_cos, by_sin);
            for (int64_t lane = 0; lane < counters; ++lane) {
                to[2 * (i + lane) + odd] = by_cos[lane];
                to[block_units / 2 + 2 * (i + lane) + odd] = by_sin[lane];
            }
        }
    }
}

// The noise of whole blocks into `to` as far as `columns`.
inline void normal_rows(int64_t seed, int64_t stream, int64_t T, int64_t B, int64_t H, float* to) {
    alignas(64) float block[block_units];
    for (int64_t t = 0; t < T; ++t)
        for (int64_t b = 0; b < B; ++b, to += H)
            for (int64_t c = 0; c < H; c += block_units) {
                normal_block({uint64_t(seed), uint64_t(b), uint64_t(t), uint64_t(stream)}, c / block_units, block);
                const int64_t n = H - c < block_units ? H - c : block_units;
                __builtin_memcpy(to + c, block, n * sizeof(float));
            }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
