// One vector type for every instruction set: the compiler's own vectors, ELMAN_BYTES wide.
#pragma once
#include <stdint.h>

#include <type_traits>

#include "runtime/inline.h"
#include "simd/target.h"

#if ELMAN_BYTES >= 32
#include <immintrin.h>
#endif

namespace elman::ELMAN_ISA {
namespace {

template <class T, bool = std::is_arithmetic_v<T>>
struct Vector {};  // of what no processor calculates with, which functions of its own load and store
template <class T>
struct Vector<T, true> {
    typedef T type __attribute__((vector_size(ELMAN_BYTES)));
    typedef T unaligned __attribute__((vector_size(ELMAN_BYTES), aligned(sizeof(T)), may_alias));
    static constexpr int64_t lanes = ELMAN_BYTES / sizeof(T);
};
template <class T>
using vec = typename Vector<T>::type;
template <class T>
constexpr int64_t lanes = Vector<T>::lanes;

template <class T>
ELMAN_INLINE vec<T> load(const T* p) {
    return *reinterpret_cast<const typename Vector<T>::unaligned*>(p);
}

template <class T>
ELMAN_INLINE void store(T* p, vec<T> v) {
    *reinterpret_cast<typename Vector<T>::unaligned*>(p) = v;
}

template <class T>
ELMAN_INLINE vec<T> splat(T s) {
    return s - vec<T>{};
}

// The lesser of v and limit; NaN where v is.
template <class T>
ELMAN_INLINE vec<T> at_most(vec<T> v, T limit) {
    return v > limit ? splat<T>(limit) : v;
}
#if ELMAN_BYTES >= 32  // one instruction for two, which gives its second operand where either is NaN
template <>
ELMAN_INLINE vec<float> at_most<float>(vec<float> v, float limit) {
#if ELMAN_BYTES == 64
    return (vec<float>)_mm512_min_ps((__m512)splat<float>(limit), (__m512)v);
#else
    return (vec<float>)_mm256_min_ps((__m256)splat<float>(limit), (__m256)v);
#endif
}
#endif

#if ELMAN_BYTES == 64
ELMAN_INLINE vec<float> load_some(const float* p, int64_t n) {
    return (vec<float>)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
ELMAN_INLINE vec<double> load_some(const double* p, int64_t n) {
    return (vec<double>)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}
ELMAN_INLINE void store_some(float* p, vec<float> v, int64_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
ELMAN_INLINE void store_some(double* p, vec<double> v, int64_t n) {
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
}
#else
template <class T>
ELMAN_INLINE vec<T> load_some(const T* p, int64_t n) {
    vec<T> v = {};
    __builtin_memcpy(&v, p, n * sizeof(T));
    return v;
}
template <class T>
ELMAN_INLINE void store_some(T* p, vec<T> v, int64_t n) {
    __builtin_memcpy(p, &v, n * sizeof(T));
}
#endif

// The first n elements, zeros behind them; n may be larger than a vector, or not positive.
template <class T>
ELMAN_INLINE vec<T> load_n(const T* p, int64_t n) {
    if (n >= lanes<T>) return load(p);
    return n > 0 ? load_some(p, n) : vec<T>{};
}

template <class T>
ELMAN_INLINE void store_n(T* p, vec<T> v, int64_t n) {
    if (n >= lanes<T>)
        store(p, v);
    else if (n > 0)
        store_some(p, v, n);
}

// The first n elements of v, zeros behind them.
template <class T>
ELMAN_INLINE vec<T> first_n(vec<T> v, int64_t n) {
    if (n >= lanes<T>) return v;
    T kept[lanes<T>] = {};
    store_n(kept, v, n);
    return load(kept);
}

template <class T>
ELMAN_INLINE vec<T> load_n(const T* p, int64_t n, int64_t stride) {
    if (stride == 1) return load_n(p, n);
    vec<T> v = {};
    for (int64_t i = 0; i < lanes<T> && i < n; ++i) v[i] = p[i * stride];
    return v;
}

}  // namespace
}  // namespace elman::ELMAN_ISA
