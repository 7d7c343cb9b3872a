// The states of a reservoir. A group's sum goes over its connections: a vector of weights, times the state of the one
// unit that they all come from. Up to 4 sequences go side by side, so that each weight is loaded once for all of them.
#pragma once
#include "elman_general.h"
#include "elman_reservoir.h"
#include "runtime/scratch.h"
#include "simd/tanh.h"

namespace elman::ELMAN_ISA {
namespace {

// The 8 numbers of a group: `parts` vectors, of a register's size or, where that is more than 8 numbers, smaller.
template <class T>
struct Group {
    static constexpr int bytes = ELMAN_GROUP * sizeof(T) < ELMAN_BYTES ? ELMAN_GROUP * sizeof(T) : ELMAN_BYTES;
    static constexpr int parts = ELMAN_GROUP * sizeof(T) / bytes, width = ELMAN_GROUP / parts;
    typedef T part __attribute__((vector_size(bytes)));
    typedef T unaligned __attribute__((vector_size(bytes), aligned(sizeof(T)), may_alias));
    static ELMAN_INLINE part load(const T* p) { return *reinterpret_cast<const unaligned*>(p); }
    // Weights of float32 are stored so because the memory that they come from is what a step of many units waits for.
    template <class V>
    static ELMAN_INLINE part weight(const V* p) {
        if constexpr (sizeof(V) == sizeof(T)) {
            return load(p);
        } else {
            typedef V narrow __attribute__((vector_size(width * sizeof(V)), aligned(sizeof(V)), may_alias));
            return __builtin_convertvector(*reinterpret_cast<const narrow*>(p), part);
        }
    }
    static ELMAN_INLINE void store(T* p, part v) { *reinterpret_cast<unaligned*>(p) = v; }
};

// Sums of group g for M sequences: W_ih x + W_hh h + b into a row of `sums` each, `width` numbers wide.
template <class T, class V, int M>
ELMAN_INLINE void group_sums(const elman_reservoir_call& call, int64_t g, const T* const (&x)[M],
                             const T* const (&before)[M], T* sums, int64_t width) {
    typedef Group<T> group;
    typedef typename group::part part;
    constexpr int P = group::parts, W = group::width;
    constexpr int U = M * P >= 8 ? 1 : 8 / (M * P);  // sums of a unit side by side, since each waits for itself
    const V* values = static_cast<const V*>(call.values);
    const T* w_ih = static_cast<const T*>(call.w_ih) + g * ELMAN_GROUP;
    const T* bias = static_cast<const T*>(call.bias) + g * ELMAN_GROUP;
    part sum[M][U][P] = {};
    ELMAN_UNROLL for (int m = 0; m < M; ++m) {
        ELMAN_UNROLL for (int p = 0; p < P; ++p) sum[m][0][p] = group::load(bias + p * W);
        for (int64_t i = 0; i < call.I; ++i)
            ELMAN_UNROLL for (int p = 0; p < P; ++p) sum[m][0][p] += x[m][i] * group::load(w_ih + i * width + p * W);
    }
    int64_t k = call.starts[g];
    const int64_t end = call.starts[g + 1];
    auto add = [&](int64_t k, int u) ELMAN_ALWAYS {
        const int32_t source = call.sources[k];
        ELMAN_UNROLL for (int p = 0; p < P; ++p) {
            const part weight = group::weight(values + k * ELMAN_GROUP + p * W);
            ELMAN_UNROLL for (int m = 0; m < M; ++m) sum[m][u][p] += before[m][source] * weight;
        }
    };
    for (; k + U <= end; k += U) ELMAN_UNROLL for (int u = 0; u < U; ++u) add(k + u, u);
    for (; k < end; ++k) add(k, 0);
    ELMAN_UNROLL for (int m = 0; m < M; ++m) ELMAN_UNROLL for (int p = 0; p < P; ++p) {
        ELMAN_UNROLL for (int u = 1; u < U; ++u) sum[m][0][p] += sum[m][u][p];
        group::store(sums + m * width + g * ELMAN_GROUP + p * W, sum[m][0][p]);
    }
}

// The new state of a sequence from its sums; `before` and `h` are H wide.
template <class T>
ELMAN_INLINE void leaky_state(const elman_reservoir_call& call, const T* sums, const T* before, T* h) {
    constexpr int N = 4;
    const T* leak = static_cast<const T*>(call.leak);
    for (int64_t j = 0; j < call.H; j += N * lanes<T>) {
        vec<T> a[N];
        ELMAN_UNROLL for (int n = 0; n < N; ++n) a[n] = load_n(sums + j + n * lanes<T>, call.H - j - n * lanes<T>);
        if (call.nonlinearity == ELMAN_TANH) tanh_each<T>(a);
        ELMAN_UNROLL for (int n = 0; n < N; ++n) {
            const int64_t at = j + n * lanes<T>, left = call.H - at;
            if (call.nonlinearity == ELMAN_RELU) a[n] = a[n] > T(0) ? a[n] : vec<T>{};
            const vec<T> old = load_n(before + at, left);
            store_n(h + at, old + load_n(leak + at, left) * (a[n] - old), left);
        }
    }
}

// All steps of the sequences from b on, M of them.
template <class T, class V, int M>
void reservoir_sequences(const elman_reservoir_call& call, int64_t b, T* sums, int64_t width) {
    const T *x[M], *before[M];
    ELMAN_UNROLL for (int m = 0; m < M; ++m) before[m] = static_cast<const T*>(call.h0) + (b + m) * call.H;
    for (int64_t t = 0; t < call.T; ++t) {
        ELMAN_UNROLL for (int m = 0; m < M; ++m) x[m] = static_cast<const T*>(call.x) + (t * call.B + b + m) * call.I;
        for (int64_t g = 0; g * ELMAN_GROUP < call.H; ++g) group_sums<T, V, M>(call, g, x, before, sums, width);
        ELMAN_UNROLL for (int m = 0; m < M; ++m) {
            T* h = static_cast<T*>(call.h) + t * call.h_stride[0] + (b + m) * call.h_stride[1];
            leaky_state<T>(call, sums + m * width, before[m], h);
            before[m] = h;
        }
    }
}

template <class T, class V>
void reservoir_of(const elman_reservoir_call& call, Scratch& scratch) {
    const int64_t width = (call.H + ELMAN_GROUP - 1) / ELMAN_GROUP * ELMAN_GROUP;
    T* sums = scratch.take<T>(4 * width);
    int64_t b = 0;
    for (; b + 4 <= call.B; b += 4) reservoir_sequences<T, V, 4>(call, b, sums, width);
    for (; b + 2 <= call.B; b += 2) reservoir_sequences<T, V, 2>(call, b, sums, width);
    for (; b < call.B; ++b) reservoir_sequences<T, V, 1>(call, b, sums, width);
}

template <class T>
void reservoir(const elman_reservoir_call& call, Scratch& scratch) {
    if (call.values_dtype == ELMAN_FLOAT32)
        reservoir_of<T, float>(call, scratch);
    else
        reservoir_of<T, T>(call, scratch);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
