// What the forward pass does with the sums of a tile.
#pragma once
#include "simd/gemm/gemm.h"
#include "simd/tanh.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct DriveEpilogue {
    T* drive;
    int64_t row_length;
    const T* bias;
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) prefetch<NV, true>(drive + (row + m) * row_length + column);
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<T>;
            const vec<T> b = bias ? load(bias + c) : vec<T>{};
            for (int m = 0; m < M; ++m) store(drive + (row + m) * row_length + c, acc[m][v] + b);
        }
    }
};

template <class T>
constexpr bool prefetches<DriveEpilogue<T>> = true;

template <class T, class A>
struct StateEpilogue {
    const T* drive;
    A* next;  // mask * h_t, what the next step's product reads
    int64_t drive_row, next_row, H;
    int64_t prefetch_ahead;  // from a row of h to the one that is fetched ahead
    T* const* h;             // rows of h_t
    const T* const* before;  // rows of h_(t-1), with the identity connection
    const T* const* mask;    // rows of the mask, or null
    bool relu;
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) {
            prefetch<NV, true>(h[row + m] + prefetch_ahead + column);
            if (drive_row) prefetch<NV, false>(drive + (row + m) * drive_row + column);
        }
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        if (!relu && !before && !mask && H - column >= NV * lanes<T>) {  // the usual, with no question on its way
            T* to[M];
            ELMAN_UNROLL for (int m = 0; m < M; ++m) to[m] = h[row + m] + column;
            const int64_t of_drive = drive_row, of_next = next_row;
            const T* driven = drive + row * of_drive + column;
            A* entering = next + row * of_next + column;
            vec<T> f[M * NV];
            ELMAN_UNROLL for (int m = 0; m < M; ++m, driven += of_drive) ELMAN_UNROLL for (int v = 0; v < NV; ++v)
                f[m * NV + v] = acc[m][v] + load(driven + v * lanes<T>);
            tanh_each<T>(f);
            ELMAN_UNROLL for (int m = 0; m < M; ++m, entering += of_next) ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
                store(to[m] + v * lanes<T>, f[m * NV + v]);
                store(entering + v * lanes<T>, f[m * NV + v]);
            }
            return;
        }
        for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<T>, n = H - c;
            for (int m = 0; m < M; ++m) {
                const vec<T> a = acc[m][v] + load(drive + (row + m) * drive_row + c);
                vec<T> f = relu ? (a < T(0) ? vec<T>{} : a) : tanh_of<T>(a);
                if (before) f += load_n(before[row + m] + c, n);
                store_n(h[row + m] + c, f, n);
                if (mask) f *= load_n(mask[row + m] + c, n);
                if constexpr (!std::is_same_v<A, T>) f = first_n<T>(f, n);  // K's padding, where 0 * inf is NaN
                store(next + (row + m) * next_row + c, f);
            }
        }
    }
};

template <class T, class A>
constexpr bool prefetches<StateEpilogue<T, A>> = true;

}  // namespace
}  // namespace elman::ELMAN_ISA
