// The functions f of the general recurrence, and g f'(a) written in y = f(a): see kernels/general/activations.py.
#pragma once
#include "elman_general.h"
#include "simd/general/exponential.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
constexpr T leaky_slope = T(0.01);

// tanh of half of a: no digits are lost where it counts, and f' = y (1 - y) is as exact as y.
template <class T>
ELMAN_INLINE vec<T> sigmoid_of(vec<T> a) {
    return tanh_of<T>(a * T(0.5)) * T(0.5) + T(0.5);
}

// max(a, 0) + log(1 + e), e = exp(-|a|); what 1 + e rounds away is added again.
template <class T>
ELMAN_INLINE vec<T> softplus_of(vec<T> a) {
    const vec<T> e = expm1_of<T>(a > T(0) ? -a : a) + T(1), w = e + T(1);
    return (a < T(0) ? vec<T>{} : a) + (log_of<T>(w) + (e - (w - T(1))) / w);
}

template <class T>
ELMAN_INLINE vec<T> clamped(vec<T> a) {
    const vec<T> low = a < T(-1) ? splat<T>(-1) : a;
    return low > T(1) ? splat<T>(1) : low;
}

// f of n vectors in their place; NaN passes.
template <class T>
__attribute__((noinline)) void apply_other(int64_t f, vec<T>* x, int n) {
    for (int i = 0; i < n; ++i) {
        const vec<T> a = x[i];
        switch (f) {
            case ELMAN_TANH:
                x[i] = tanh_of<T>(a);
                break;
            case ELMAN_RELU:
                x[i] = a < T(0) ? vec<T>{} : a;
                break;
            case ELMAN_SIGMOID:
                x[i] = sigmoid_of<T>(a);
                break;
            case ELMAN_SOFTPLUS:
                x[i] = softplus_of<T>(a);
                break;
            case ELMAN_HARDTANH:
                x[i] = clamped<T>(a);
                break;
            case ELMAN_RECTIFIED_TANH:
                x[i] = tanh_of<T>(a < T(0) ? vec<T>{} : a);
                break;
            case ELMAN_LEAKY_RELU:
                x[i] = a < T(0) ? a * leaky_slope<T> : a;
                break;
            default:
                break;
        }
    }
}

// Not inlined: it stands twice in each of the epilogues, and is most of their code.
template <class T, int N>
__attribute__((noinline)) void apply_each(int64_t f, vec<T> (&x)[N]) {
    if (f == ELMAN_TANH)
        tanh_each<T>(x);
    else if (f == ELMAN_RELU)
        ELMAN_UNROLL for (int i = 0; i < N; ++i) x[i] = x[i] < T(0) ? vec<T>{} : x[i];
    else
        apply_other<T>(f, x, N);
}

template <class T, int N>
ELMAN_INLINE void apply(int64_t f, vec<T> (&x)[N]) {
    if (f != ELMAN_IDENTITY) apply_each<T>(f, x);
}

template <class T>
__attribute__((noinline)) void softplus_slope(const vec<T>* y, vec<T>* slope) {
    *slope = -expm1_of<T>(-*y);
}

// What is shut off is zero whatever g is; the gradient at NaN passes, as in torch.
template <class T>
ELMAN_INLINE vec<T> through(int64_t f, vec<T> g, vec<T> y) {
    switch (f) {
        case ELMAN_TANH:
            return g * (T(1) - y * y);
        case ELMAN_RELU:
            return y <= T(0) ? vec<T>{} : g;
        case ELMAN_SIGMOID:
            return g * (y * (T(1) - y));
        case ELMAN_SOFTPLUS: {
            vec<T> slope;
            softplus_slope<T>(&y, &slope);
            return g * slope;
        }
        case ELMAN_HARDTANH:
            return y <= T(-1) ? vec<T>{} : (y >= T(1) ? vec<T>{} : g);
        case ELMAN_RECTIFIED_TANH:
            return y <= T(0) ? vec<T>{} : g * (T(1) - y * y);
        case ELMAN_LEAKY_RELU:
            return y > T(0) ? g : g * leaky_slope<T>;
        default:
            return g;
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
