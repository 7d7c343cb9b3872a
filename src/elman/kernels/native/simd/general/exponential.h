// exp(x) - 1 for x <= 0, log x for normal x > 0, by the same polynomials for every instruction set.
#pragma once
#include <type_traits>

#include "simd/tanh.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct WordVector {
    typedef typename Exp<T>::word type __attribute__((vector_size(ELMAN_BYTES)));
    typedef std::make_signed_t<typename Exp<T>::word> integers __attribute__((vector_size(ELMAN_BYTES)));
};
template <class T>
using words_of = typename WordVector<T>::type;
template <class T>
using integers_of = typename WordVector<T>::integers;
template <class T>
struct Log;
template <>
struct Log<float> {
    static constexpr uint32_t root_half = 0x3f3504f3, one = 0x3f800000, fraction = 0x7fffff;
    static constexpr float lowest = -87;  // exp of less is denormal
    static constexpr float c[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                   -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                   2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
};
template <>
struct Log<double> {
    static constexpr uint64_t root_half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000, fraction = 0xfffffffffffff;
    static constexpr double lowest = -708;
    static constexpr int terms = 12;
};

// As in tanh.h: x = n ln 2 + r, p = exp(r) - 1, and exp(x) - 1 = 2^n p + (2^n - 1). NaN passes.
template <class T>
ELMAN_INLINE vec<T> expm1_of(vec<T> x) {
    using E = Exp<T>;
    x = x < Log<T>::lowest ? splat<T>(Log<T>::lowest) : x;
    const vec<T> shifted = x * (E::two_log2e / 2) + E::shifter, n = shifted - E::shifter;
    vec<T> r = x - n * E::ln2;
    if constexpr (E::ln2_rest != 0) r -= n * E::ln2_rest;
    vec<T> c = splat<T>(E::c[E::terms - 1]);
    ELMAN_UNROLL for (int i = E::terms - 2; i >= 0; --i) c = c * r + E::c[i];
    const vec<T> p = r * r * c + r, scale = (vec<T>)((words_of<T>)shifted << E::mantissa);
    return scale * p + (scale - T(1));
}

// x = 2^e m with m between sqrt(1/2) and sqrt(2). log m of a float32 is a polynomial in m - 1 (Cephes' logf), which
// takes no division; of a float64 it is 2 atanh((m - 1) / (m + 1)) by its series.
template <class T>
ELMAN_INLINE vec<T> log_of(vec<T> x) {
    using L = Log<T>;
    const words_of<T> word = (words_of<T>)x + (L::one - L::root_half);
    const integers_of<T> e =
        (integers_of<T>)(word >> Exp<T>::mantissa) - ((int64_t(1) << (8 * sizeof(T) - 2 - Exp<T>::mantissa)) - 1);
    const vec<T> m = (vec<T>)((word & L::fraction) + L::root_half), n = __builtin_convertvector(e, vec<T>);
    if constexpr (sizeof(T) == 4) {
        const vec<T> f = m - T(1), square = f * f;
        vec<T> c = splat<T>(L::c[0]);
        ELMAN_UNROLL for (int i = 1; i < 9; ++i) c = c * f + L::c[i];
        return n * Exp<T>::ln2 + (square * f * c - square * T(0.5) + f);
    } else {
        const vec<T> s = (m - T(1)) / (m + T(1)), square = s * s;
        vec<T> c = splat<T>(T(2) / (2 * L::terms + 1));
        ELMAN_UNROLL for (int i = L::terms - 1; i >= 1; --i) c = c * square + T(2) / T(2 * i + 1);
        return n * Exp<T>::ln2 + (s * square * c + (s + s) + n * Exp<T>::ln2_rest);
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
