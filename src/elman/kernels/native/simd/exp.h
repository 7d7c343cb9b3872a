// exp x for x <= 0, as softmax has it: the largest logit is taken away before. With x = n ln 2 + r, |r| <= ln 2 / 2,
// exp x = 2^n (1 + r + r^2 c(r)), c as in tanh.h. Where 2^n would be no normal number the result is 0; NaN passes.
#pragma once
#include "simd/tanh.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct ExpOfNegative;
template <>
struct ExpOfNegative<float> {
    static constexpr float least = -87.3f, log2e = 1.44269504f;
    static constexpr float ln2 = 0.693359375f, ln2_rest = -2.12194440e-4f;  // n times the first is exact
};
template <>
struct ExpOfNegative<double> {
    static constexpr double least = -708.3, log2e = 1.4426950408889634;
    static constexpr double ln2 = Exp<double>::ln2, ln2_rest = Exp<double>::ln2_rest;
};

template <class T>
ELMAN_INLINE vec<T> exp_of_negative(vec<T> x) {
    using E = Exp<T>;
    using N = ExpOfNegative<T>;
    typedef typename E::word word;
    typedef word words __attribute__((vector_size(ELMAN_BYTES)));
    const vec<T> shifted = x * N::log2e + E::shifter;
    const vec<T> n = shifted - E::shifter;
    vec<T> r = x - n * N::ln2;
    r -= n * N::ln2_rest;
    constexpr int last = E::terms - 1, other = last - 1;
    const vec<T> square = r * r;
    vec<T> c[2] = {splat<T>(E::c[last]), splat<T>(E::c[other])};
    ELMAN_UNROLL for (int i = last - 2; i >= 0; --i) c[(last - i) % 2] = c[(last - i) % 2] * square + E::c[i];
    r = square * (r * c[other % 2] + c[last % 2]) + r;
    const vec<T> scale = (vec<T>)((words)shifted << E::mantissa);
    const vec<T> result = scale * r + scale;
    return x < N::least ? vec<T>{} : result;
}

}  // namespace
}  // namespace elman::ELMAN_ISA
