// Standard normal noise by a counter, as kernels/general/noise.py says it: Philox 4x32-7, then Box and Muller. A lane
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
constexpr int rounds = 7;
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

ELMAN_INLINE wide exclusive_or(wide a, wide b, wide c) {
#if ELMAN_BYTES == 64
    return (wide)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96);
#else
    return a ^ b ^ c;
#endif
}

// What the rounds take of the seed, and the counters of a block's first words.
struct NoiseKeys {
    wide round[rounds][2];
    wide first[block_counters / counters];
    explicit NoiseKeys(int64_t seed) {
        uint32_t k[2] = {uint32_t(uint64_t(seed)), uint32_t(uint64_t(seed) >> 32)};
        for (auto& keys : round) {
            for (int i = 0; i < 2; ++i) keys[i] = wide{} + k[i];
            k[0] += 0x9E3779B9u, k[1] += 0xBB67AE85u;
        }
        for (int64_t i = 0; i < block_counters; ++i) first[i / counters][i % counters] = i;
    }
};

// Where the noise of one row stands: all of the counter but its first word.
struct NoisePlace {
    int64_t b, t, stream;
};

// The four words of N vectors of counters, side by side: one round of one vector waits for the round before.
template <int N>
ELMAN_INLINE void philox(const wide (&first)[N], const NoisePlace& place, const NoiseKeys& keys, wide (&w)[N][4]) {
    const wide m0 = wide{} + 0xD2511F53u, m1 = wide{} + 0xCD9E8D57u;
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        w[i][0] = first[i];
        w[i][1] = wide{} + uint32_t(place.b);
        w[i][2] = wide{} + uint32_t(place.t);
        w[i][3] = wide{} + uint32_t(place.stream);
    }
    ELMAN_UNROLL for (int round = 0; round < rounds; ++round) ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        const wide p0 = product(w[i][0], m0), p1 = product(w[i][2], m1);
        w[i][0] = exclusive_or(p1 >> 32, w[i][1], keys.round[round][0]);
        w[i][1] = p1;
        w[i][2] = exclusive_or(p0 >> 32, w[i][3], keys.round[round][1]);
        w[i][3] = p0;
    }
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
    if constexpr (sizeof(T) ==
                  4) {  // an estimate and one Newton step: the root of 16 floats keeps a port for 20 cycles
        const vec<T> inverse = (vec<T>)_mm512_rsqrt14_ps((__m512)(x < T(1e-30) ? splat<T>(1e-30) : x));
        const vec<T> root = x * inverse;
        return root + (x - root * root) * (inverse * T(0.5));
    }
#elif ELMAN_BYTES == 32
    if constexpr (sizeof(T) == 4) return (vec<T>)_mm256_sqrt_ps((__m256)x);
#endif
    for (int64_t i = 0; i < lanes<T>; ++i)
        x[i] = sizeof(T) == 4 ? T(__builtin_sqrtf(float(x[i]))) : __builtin_sqrt(x[i]);
    return x;
}

// Two normal numbers a lane out of two words, of which the upper 24 bits count; N vectors side by side.
template <class T, int N>
ELMAN_INLINE void box_muller(const words_of<T> (&w0)[N], const words_of<T> (&w1)[N], vec<T> (&by_cos)[N],
                             vec<T> (&by_sin)[N]) {
    typedef integers_of<T> integers;
    using C = Circle<T>;
    constexpr int sign = 8 * sizeof(T) - 2;
    vec<T> radius[N], s[N], c[N], t[N];
    integers quarter[N];
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        const vec<T> u = __builtin_convertvector((integers)(w0[i] >> 8) + 1, vec<T>);  // 1 to 2^24
        radius[i] = root_of<T>(log_of<T>(u * T(5.9604644775390625e-08)) * T(-2));      // 2^-24
    }
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        const integers angle = (integers)(w1[i] >> 8);
        quarter[i] = (angle + (1 << 21)) >> 22;
        t[i] = __builtin_convertvector(angle - (quarter[i] << 22), vec<T>) * T(3.7450702829238594e-07);  // 2 pi / 2^24
        s[i] = splat<T>(C::sin_c[C::sin_terms - 1]), c[i] = splat<T>(C::cos_c[C::cos_terms - 1]);
    }
    ELMAN_UNROLL for (int k = C::sin_terms - 2; k >= 0; --k) ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        s[i] = s[i] * (t[i] * t[i]) + C::sin_c[k];
        c[i] = c[i] * (t[i] * t[i]) + C::cos_c[k];
    }
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        const vec<T> square = t[i] * t[i];
        s[i] = s[i] * square * t[i] + t[i];
        c[i] = c[i] * square * square + (T(1) - square * T(0.5));
        const integers odd = (quarter[i] & 1) != 0;
        const vec<T> cosine = odd ? s[i] : c[i], sine = odd ? c[i] : s[i];
        by_cos[i] = radius[i] * (vec<T>)((words_of<T>)cosine ^ ((words_of<T>)((quarter[i] + 1) & 2) << sign));
        by_sin[i] = radius[i] * (vec<T>)((words_of<T>)sine ^ ((words_of<T>)(quarter[i] & 2) << sign));
    }
}

// The numbers of N vectors of counters; `to` is where the block of each begins, `at` its first counter there.
template <int N>
ELMAN_INLINE void normal_vectors(const wide (&w)[N][4], float* const (&to)[N], const int64_t (&at)[N]) {
    const wide low = wide{} + 0xffffffffu;
    words_of<float> w0[N], w1[N];
    vec<float> by_cos[N], by_sin[N];
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        w0[i] = (words_of<float>)((w[i][0] & low) | w[i][2] << 32);
        w1[i] = (words_of<float>)((w[i][1] & low) | w[i][3] << 32);
    }
    box_muller<float, N>(w0, w1, by_cos, by_sin);
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        store(to[i] + 2 * at[i], by_cos[i]);
        store(to[i] + block_units / 2 + 2 * at[i], by_sin[i]);
    }
}

template <int N>
ELMAN_INLINE void normal_vectors(const wide (&w)[N][4], double* const (&to)[N], const int64_t (&at)[N]) {
    const wide low = wide{} + 0xffffffffu;
    for (int i = 0; i < N; ++i)
        for (int odd = 0; odd < 2; ++odd) {
            const words_of<double> w0[1] = {w[i][2 * odd] & low}, w1[1] = {w[i][2 * odd + 1] & low};
            vec<double> by_cos[1], by_sin[1];
            box_muller<double, 1>(w0, w1, by_cos, by_sin);
            for (int64_t lane = 0; lane < counters; ++lane) {
                to[i][2 * (at[i] + lane) + odd] = by_cos[0][lane];
                to[i][block_units / 2 + 2 * (at[i] + lane) + odd] = by_sin[0][lane];
            }
        }
}

constexpr int vectors_a_block = block_counters / counters;
constexpr int vectors_at_once = 4;
constexpr int64_t units_at_once = vectors_at_once * counters * 4;

template <int N, class T>
ELMAN_INLINE void normal_group(const NoisePlace& place, const NoiseKeys& keys, int64_t block, T* to) {
    wide first[N], w[N][4];
    T* rows[N];
    int64_t at[N];
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        first[i] = keys.first[i % vectors_a_block] + uint64_t((block + i / vectors_a_block) * block_counters);
        rows[i] = to + i / vectors_a_block * block_units;
        at[i] = i % vectors_a_block * counters;
    }
    philox<N>(first, place, keys, w);
    normal_vectors<N>(w, rows, at);
}

// The noise of one row from a block on, at least `units` of it and at most `units_at_once`.
template <class T>
void normal_blocks(const NoisePlace& place, const NoiseKeys& keys, int64_t block, int64_t units, T* to) {
    if (units <= block_units && vectors_a_block < vectors_at_once)
        normal_group<vectors_a_block>(place, keys, block, to);
    else if (units <= 2 * block_units && 2 * vectors_a_block < vectors_at_once)
        normal_group<2 * vectors_a_block>(place, keys, block, to);
    else
        normal_group<vectors_at_once>(place, keys, block, to);
}

// The noise of one recurrence.
inline void normal_rows(int64_t seed, int64_t stream, int64_t T, int64_t B, int64_t H, float* to) {
    alignas(64) float part[units_at_once];
    const NoiseKeys keys(seed);
    for (int64_t t = 0; t < T; ++t)
        for (int64_t b = 0; b < B; ++b, to += H)
            for (int64_t c = 0; c < H; c += units_at_once) {
                normal_blocks({b, t, stream}, keys, c / block_units, H - c, part);
                const int64_t n = H - c < units_at_once ? H - c : units_at_once;
                __builtin_memcpy(to + c, part, n * sizeof(float));
            }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
