// Where the sequences' rows lie in the caller's tensors, and how they come from there and go back.
#pragma once
#include "runtime/plan.h"
#include "runtime/thresholds.h"
#include "simd/vec.h"

namespace elman::ELMAN_ISA {
namespace {

// Where sequence r of the group stands at its step s: time runs backwards from its own end in the reverse direction.
ELMAN_INLINE int64_t time_of(const Group& group, int64_t r, int64_t s, bool reverse) {
    return reverse ? group.length[r] - 1 - s : s;
}

// Whether x of a later step can be on its way while the processor multiplies: not where the weights fill the cache.
template <class T>
ELMAN_INLINE bool can_prefetch_x(const elman_call& call) {
    return call.I * sizeof(T) >= cache_line && call.H * (call.H + call.I) * sizeof(T) <= prefetch_weights_bytes;
}

template <class T>
ELMAN_INLINE void prefetch_x(const elman_call& call, const T* x) {
    for (int64_t i = 0; i < call.I; i += cache_line / sizeof(T)) __builtin_prefetch(x + i * call.x_stride[2], 0, 3);
}

template <class T>
ELMAN_INLINE const T* row_of_x(const elman_call& call, const Group& group, int64_t r, int64_t s) {
    return static_cast<const T*>(call.x) + time_of(group, r, s, call.reverse) * call.x_stride[0] +
           group.sequence[r] * call.x_stride[1];
}

template <class T, class A>
ELMAN_INLINE void copy_row(const elman_call& call, const T* x, A* to) {
    int64_t i = 0;
    if (call.x_stride[2] == 1)
        for (; i + lanes<T> <= call.I; i += lanes<T>) store(to + i, load(x + i));
    for (; i < call.I; i += lanes<T>) {
        const vec<T> v = load_n(x + i * call.x_stride[2], call.I - i, call.x_stride[2]);
        if constexpr (std::is_same_v<A, T>)
            store_n(to + i, v, call.I - i);
        else  // zeros behind the end, to which K is padded
            store(to + i, v);
    }
}

template <class T, class A>
void gather_x(const elman_call& call, const Group& group, const Chunk& chunk, int64_t first, int64_t last, A* to,
              int64_t row_length) {
    int64_t row = 0;
    for (int64_t s = chunk.first; s < chunk.last; ++s) {
        const int64_t n = group.active[s];
        for (int64_t r = 0; r < n; ++r, ++row) {
            if (row < first || row >= last) continue;
            copy_row(call, row_of_x<T>(call, group, r, s), to + row * row_length);
        }
    }
}

template <class T, class A>
void start_state(const elman_call& call, const Group& group, int64_t first, int64_t last, A* state,
                 int64_t row_length) {
    for (int64_t r = first; r < last; ++r) {
        const T* h0 = static_cast<const T*>(call.h0) + group.sequence[r] * call.H;
        const T* mask = call.mask ? static_cast<const T*>(call.mask) + group.sequence[r] * call.H : nullptr;
        for (int64_t c = 0; c < call.H; c += lanes<T>) {
            vec<T> v = load_n(h0 + c, call.H - c);
            if (mask) v *= load_n(mask + c, call.H - c);
            store(state + r * row_length + c, v);
        }
    }
}

// h_last, and the zeros past each sequence's end.
template <class T>
void finish_rows(const elman_call& call, const Group& group, int64_t first, int64_t last) {
    T* h = static_cast<T*>(call.h);
    for (int64_t r = first; r < last; ++r) {
        const int64_t b = group.sequence[r], length = group.length[r];
        const T* from = length
                            ? h + time_of(group, r, length - 1, call.reverse) * call.h_stride[0] + b * call.h_stride[1]
                            : static_cast<const T*>(call.h0) + b * call.H;
        __builtin_memcpy(static_cast<T*>(call.h_last) + b * call.H, from, call.H * sizeof(T));
        for (int64_t t = length; t < call.T; ++t)
            __builtin_memset(h + t * call.h_stride[0] + b * call.h_stride[1], 0, call.H * sizeof(T));
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
