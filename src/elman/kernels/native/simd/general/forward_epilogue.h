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
            finish(row, column, acc);
        else
            finish_edge(row, column, &acc[0][0], M, NV);
    }
    template <int M, int NV>
    ELMAN_INLINE void finish(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        vec<T> state[M * NV];
        ELMAN_UNROLL for (int m = 0; m < M; ++m) ELMAN_UNROLL for (int v = 0; v < NV; ++v) state[m * NV + v] =
            acc[m][v] + load(drive + (row + m) * drive_row + column + v * lanes<T>);
        if (!current) apply<T>(f, state);
        if (keep) {
            if (!current) save<M, NV>(extra, row, column, state);
            ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
                const int64_t c = column + v * lanes<T>;
                const vec<T> kept = load(keep + c), taken = load(gain + c);
                ELMAN_UNROLL for (int m = 0; m < M; ++m) state[m * NV + v] =
                    kept * load(before[row + m] + c) + taken * state[m * NV + v];
            }
        }
        if (current) {
            save<M, NV>(extra, row, column, state);
            apply<T>(f, state);
        }
        save<M, NV>(h, row, column, state);
        ELMAN_UNROLL for (int m = 0; m < M; ++m) ELMAN_UNROLL for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<T>;
            vec<T> q = state[m * NV + v];
            if (mask) q *= load(mask[row + m] + c);
            store(next + (row + m) * next_row + c, q);
        }
    }
    template <int M, int NV>
    ELMAN_INLINE void save(T* const* rows, int64_t row, int64_t column, const vec<T> (&state)[M * NV]) const {
        if (!rows) return;
        ELMAN_UNROLL for (int m = 0; m < M; ++m) ELMAN_UNROLL for (int v = 0; v < NV; ++v)
            store(rows[row + m] + column + v * lanes<T>, state[m * NV + v]);
    }
    // The last panel, of fewer units than its width: one in many, so that its code is there once for all sizes of a
    // tile.
    __attribute__((noinline)) void finish_edge(int64_t row, int64_t column, const vec<T>* sums, int M, int NV) const {
        vec<T> state[2 * ELMAN_ROWS];
        const int count = M * NV;
        auto each = [&](auto&& what) ELMAN_ALWAYS {
            for (int i = 0; i < count; ++i) what(state[i], row + i / NV, column + i % NV * lanes<T>);
        };
        auto save_edge = [&](T* const* rows) ELMAN_ALWAYS {
            if (rows) each([&](vec<T>& s, int64_t r, int64_t c) { store_n(rows[r] + c, s, H - c); });
        };
        for (int i = 0; i < count; ++i) state[i] = sums[i];
        each([&](vec<T>& s, int64_t r, int64_t c) { s += load(drive + r * drive_row + c); });
        if (!current) apply_other<T>(f, state, count);
        if (keep) {
            if (!current) save_edge(extra);
            each([&](vec<T>& s, int64_t r, int64_t c) {
                s = load(keep + c) * load_n(before[r] + c, H - c) + load(gain + c) * s;
            });
        }
        if (current) {
            save_edge(extra);
            apply_other<T>(f, state, count);
        }
        save_edge(h);
        each([&](vec<T>& s, int64_t r, int64_t c) {
            store(next + r * next_row + c, mask ? s * load_n(mask[r] + c, H - c) : s);
        });
    }
};

template <class T>
constexpr bool prefetches<GeneralStateEpilogue<T>> = true;
template <class T>
constexpr bool is_large<GeneralStateEpilogue<T>> = true;

}  // namespace
}  // namespace elman::ELMAN_ISA
