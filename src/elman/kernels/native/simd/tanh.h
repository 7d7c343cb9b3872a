// tanh x = sign(x) e / (e + 2) with e = exp(2|x|) - 1. With 2|x| = n ln 2 + r, |r| <= ln 2 / 2, and
// p = exp(r) - 1 = r + r^2 c(r), e = 2^n p + (2^n - 1): no cancellation at small x, saturation to exactly 1 at large x.
// NaN passes: at_most leaves it, and r carries it. A processor looks only so far ahead for what it can begin, so what
// counts is how long a vector takes: c is summed in two halves, e + 2 beside e, and a tile's vectors go side by side.
#pragma once
#include "simd/vec.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct Exp;
template <>
struct Exp<float> {
    typedef uint32_t word;
    static constexpr int mantissa = 23;
    static constexpr float largest = 9.5f, shifter = 12582912.f + 127, two_log2e = 2.88539008f;
    static constexpr float ln2 = 0.693147181f, ln2_rest = 0;  // the rest, -2e-9, is felt by no float32
    static constexpr int terms = 5;
    // The polynomial with the least largest error, 1.3e-8 of p: 1 / (i+2)! but for that.
    static constexpr float c[terms] = {0.499999982f, 0.166665436f, 0.0416671999f, 0.00836652056f, 0.00138825214f};
};
template <>
struct Exp<double> {
    typedef uint64_t word;
    static constexpr int mantissa = 52;
    static constexpr double largest = 20, shifter = 6755399441055744. + 1023, two_log2e = 2.8853900817779268;
    static constexpr double ln2 = 6.93147180369123816490e-01, ln2_rest = 1.90821492927058770002e-10;
    static constexpr int terms = 12;
    static constexpr double c[terms] = {1. / 2,       1. / 6,        1. / 24,        1. / 120,
                                        1. / 720,     1. / 5040,     1. / 40320,     1. / 362880,
                                        1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800};
};

template <class T>
ELMAN_INLINE vec<T> quotient(vec<T> a, vec<T> b) {
    return a / b;
}
#if ELMAN_BYTES == 64
// Division of 16 floats keeps a port busy for 16 cycles; an estimate and one Newton step take 3.
template <>
ELMAN_INLINE vec<float> quotient<float>(vec<float> a, vec<float> b) {
    vec<float> r = (vec<float>)_mm512_rcp14_ps((__m512)b);
    r += r * (1.f - b * r);
    return a * r;
}
#endif

// N vectors in their place, all of them one stage on before the next stage begins.
template <class T, int N>
ELMAN_INLINE void tanh_each(vec<T> (&x)[N]) {
    using E = Exp<T>;
    typedef typename E::word word;
    typedef word words __attribute__((vector_size(ELMAN_BYTES)));
    const words sign_bit = (words){} + (word(1) << (8 * sizeof(T) - 1));
    vec<T> shifted[N], r[N];
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        const vec<T> a = at_most<T>((vec<T>)((words)x[i] & ~sign_bit), E::largest);
        shifted[i] = a * E::two_log2e + E::shifter;
        const vec<T> n = shifted[i] - E::shifter;
        r[i] = (a + a) - n * E::ln2;
        if constexpr (E::ln2_rest != 0) r[i] -= n * E::ln2_rest;
    }
    constexpr int last = E::terms - 1, other = last - 1;
    ELMAN_UNROLL for (int j = 0; j < N; ++j) {
        const vec<T> square = r[j] * r[j];
        vec<T> c[2] = {splat<T>(E::c[last]), splat<T>(E::c[other])};  // of r^last, r^(last-2), ... and of the others
        ELMAN_UNROLL for (int i = last - 2; i >= 0; --i) c[(last - i) % 2] = c[(last - i) % 2] * square + E::c[i];
        r[j] = square * (r[j] * c[other % 2] + c[last % 2]) + r[j];
    }
    ELMAN_UNROLL for (int i = 0; i < N; ++i) {
        const vec<T> scale = (vec<T>)((words)shifted[i] << E::mantissa);
        const vec<T> e = scale * r[i] + (scale - T(1)), sum = scale * r[i] + (scale + T(1));
        x[i] = (vec<T>)((words)quotient<T>(e, sum) | ((words)x[i] & sign_bit));
    }
}

template <class T>
ELMAN_INLINE vec<T> tanh_of(vec<T> x) {
    vec<T> one[1] = {x};
    tanh_each<T>(one);
    return one[0];
}

}  // namespace
}  // namespace elman::ELMAN_ISA
