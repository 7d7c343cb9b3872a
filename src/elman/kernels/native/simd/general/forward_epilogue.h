// What the forward pass of the general recurrence does with the sums of a tile.
#pragma once
#include "simd/gemm/gemm.h"
#include "simd/general/shared.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct GeneralStateEpilogue {
    const T* drive;
    T* next;  // m * q_(t+1), what the next step's product reads, but for resets
    int64_t drive_row, next_row, H;
    int64_t f;
    bool current;
    const T *keep, *gain;    // vectors over the units, or null
    T* const* h;             // rows of h_t
    T* const* extra;         // rows of what else is saved, or null
    const T* const* before;  // rows of p_t, where `keep`
    const T* const* mask;    // rows of the mask, or null
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) {
            prefetch<NV, true>(h[row + m] + column);
            if (extra) prefetch<NV, true>(extra[row + m] + column);
            prefetch<NV, false>(drive + (row + m) * drive_row + column);
        }
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        if (H - column >= NV * lanes<T>)
            finish<true>(row, column, acc);
        else
            finish<false>(row, column, acc);
    }
    template <bool whole>
    static ELMAN_INLINE vec<T> in(const T* from, int64_t n) {
        return whole ? load(from) : load_n(from, n);
    }
    template <bool whole>
    static ELMAN_INLINE void out(T* to, vec<T> v, int64_t n) {
        if (whole)
            store(to, v);
        else
            store_n(to, v, n);
    }
    template <bool whole, int M, int NV>
    ELMAN_INLINE void finish(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        vec<T> state[M * NV];
        ELMAN_UNROLL for (int m = 0; m < M; ++m) ELMAN_UNROLL for (int v = 0; v < NV; ++v) state[m * NV + v] =
            acc[m][v] + load(drive + (row + m) * drive_row + column + v * lanes<T>);
        if (!current) apply<T>(f, state);
        if (keep) {
            if (!current) save<whole, M, NV>(extra, row, column, state);
            ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
                const int64_t c = column + v * lanes<T>;
                const vec<T> kept = load(keep + c), taken = load(gain + c);
                ELMAN_UNROLL for (int m = 0; m < M; ++m) state[m * NV + v] =
                    kept * in<whole>(before[row + m] + c, H - c) + taken * state[m * NV + v];
            }
        }
        if (current) {
            save<whole, M, NV>(extra, row, column, state);
            apply<T>(f, state);
        }
        save<whole, M, NV>(h, row, column, state);
        ELMAN_UNROLL for (int m = 0; m < M; ++m) ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<T>;
            vec<T> q = state[m * NV + v];
            if (mask) q *= in<whole>(mask[row + m] + c, H - c);
            store(next + (row + m) * next_row + c, q);
        }
    }
    template <bool whole, int M, int NV>
    ELMAN_INLINE void save(T* const* rows, int64_t row, int64_t column, const vec<T> (&state)[M * NV]) const {
        if (!rows) return;
        ELMAN_UNROLL for (int m = 0; m < M; ++m) ELMAN_UNROLL for (int v = 0; v < NV; ++v)
            out<whole>(rows[row + m] + column + v * lanes<T>, state[m * NV + v], H - column - v * lanes<T>);
    }
};

template <class T>
constexpr bool prefetches<GeneralStateEpilogue<T>> = true;

}  // namespace
}  // namespace elman::ELMAN_ISA
