// What the backward pass does with the sums of a tile.
#pragma once
#include "simd/gemm/gemm.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T, class A>
struct DeltaEpilogue {
    A* delta;
    int64_t row_length, H;
    const T* const* h;       // rows of h_t
    const T* const* before;  // rows of h_(t-1), or null
    const T* const* grad_h;  // rows of grad_h_t, or null
    int64_t grad_stride;
    const T* const* last;  // rows of grad_h_last for the sequences that end here, or null
    const T* const* mask;
    T* carry;      // (n, H) or null
    bool carried;  // dh_(t+1) is in it for these rows
    bool relu;
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) {
            prefetch<NV, true>(delta + (row + m) * row_length + column);
            prefetch<NV, false>(h[row + m] + column);
            if (grad_h) prefetch<NV, false>(grad_h[row + m] + column * grad_stride);
        }
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        if (grad_h && grad_stride == 1 && !last && !mask && !carry && !before && !relu && H - column >= NV * lanes<T>) {
            ELMAN_UNROLL for (int m = 0; m < M; ++m)  // the usual, with no question on its way
                ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
                const int64_t c = column + v * lanes<T>;
                const vec<T> u = load(h[row + m] + c);
                store(delta + (row + m) * row_length + c, (acc[m][v] + load(grad_h[row + m] + c)) * (T(1) - u * u));
            }
            return;
        }
        for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<T>, n = H - c;
            for (int m = 0; m < M; ++m) {
                const int64_t r = row + m;
                vec<T> dh = acc[m][v];
                if (mask) dh *= load_n(mask[r] + c, n);
                if (grad_h) dh += load_n(grad_h[r] + c * grad_stride, n, grad_stride);
                if (last) dh += load_n(last[r] + c, n);
                if (carry) {
                    if (carried) dh += load(carry + r * row_length + c);
                    store(carry + r * row_length + c, dh);
                }
                vec<T> u = load_n(h[r] + c, n);
                if (before) u -= load_n(before[r] + c, n);
                vec<T> delta_row = relu ? (u <= T(0) ? vec<T>{} : dh) : dh * (T(1) - u * u);
                if constexpr (!std::is_same_v<A, T>) delta_row = first_n<T>(delta_row, n);
                store(delta + r * row_length + c, delta_row);
            }
        }
    }
};

template <class T, class A>
constexpr bool prefetches<DeltaEpilogue<T, A>> = true;

template <class T>
struct AccumulateEpilogue {  // C = the tile, or C += the tile
    T* to;
    int64_t row_length, columns;
    bool fresh;
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) prefetch<NV, true>(to + (row + m) * row_length + column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                const int64_t c = column + v * lanes<T>, n = columns - c;
                T* at = to + (row + m) * row_length + c;
                store_n(at, fresh ? acc[m][v] : load_n(at, n) + acc[m][v], n);
            }
    }
};

template <class T>
constexpr bool prefetches<AccumulateEpilogue<T>> = true;

template <class T>
struct RowsEpilogue {  // row pointers, tails cut
    T* const* to;
    int64_t columns;
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) prefetch<NV, true>(to[row + m] + column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                const int64_t c = column + v * lanes<T>;
                store_n(to[row + m] + c, acc[m][v], columns - c);
            }
    }
};

template <class T>
constexpr bool prefetches<RowsEpilogue<T>> = true;

// grad_h0 = mask * (delta_0 W_hh) [+ dh_0]; a sequence of length 0 hands grad_h_last on.
template <class T>
struct GradH0Epilogue {
    T* const* to;
    const T* const* mask;
    const T* carry;
    int64_t row_length, H;
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                const int64_t c = column + v * lanes<T>;
                vec<T> dh = acc[m][v];
                if (mask) dh *= load_n(mask[row + m] + c, H - c);
                if (carry) dh += load(carry + (row + m) * row_length + c);
                store_n(to[row + m] + c, dh, H - c);
            }
    }
};

}  // namespace
}  // namespace elman::ELMAN_ISA
