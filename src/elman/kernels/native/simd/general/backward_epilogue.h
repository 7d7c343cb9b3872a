// What the backward pass of the general recurrence does with the sums of a tile.
#pragma once
#include "simd/gemm/gemm.h"
#include "simd/general/shared.h"

namespace elman::ELMAN_ISA {
namespace {

// What e_t = (1 - a) g_t + [f'(p_t)] m W_hh^T delta_t is made of, for the state before a step.
template <class T>
struct Onward {
    int64_t f;
    bool current;
    const T *keep, *gain;  // vectors over the units, or null
    const T* entered;      // q of a reset
    const T* const* mask;  // rows of the mask, or null
    const uint8_t* cut;    // of each row, whether it is reset before the later step; or null
    T* carry;              // (n, row_length) g of the later step; or null
    int64_t row_length, H;
    T *leak_sum, *restart_sum;  // (row_length) this group's sums, or null

    template <bool whole>
    static ELMAN_INLINE vec<T> in(const T* from, int64_t n) {
        return whole ? load(from) : load_n(from, n);
    }
    // What a reset cut off reaches the restart state.
    ELMAN_INLINE void add_restart(vec<T> sum, int64_t r, int64_t c) const {
        if (!restart_sum) return;
        if (current) sum = through<T>(f, sum, load(entered + c));
        if (keep) sum += load(keep + c) * load(carry + r * row_length + c);
        store(restart_sum + c, load(restart_sum + c) + sum);
    }
};

template <class T>
struct GeneralDeltaEpilogue {
    Onward<T> onward;
    T* delta;
    const T* const* h;       // rows of h_t
    const T* const* y;       // rows of `extra` where it is saved, else of h
    const T* const* before;  // rows of p_t, with leak_sum
    const T* const* grad_h;  // rows of grad_h_t, or null
    int64_t grad_stride;
    const T* const* last;  // rows of grad_h_last for the sequences that end here, or null
    bool going_on;         // there is a later step for these rows
    template <int M, int NV>
    ELMAN_INLINE void prefetch_tile(int64_t row, int64_t column) const {
        for (int m = 0; m < M; ++m) {
            prefetch<NV, true>(delta + (row + m) * onward.row_length + column);
            prefetch<NV, false>(y[row + m] + column);
            if (grad_h) prefetch<NV, false>(grad_h[row + m] + column * grad_stride);
        }
    }
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        if (onward.H - column >= NV * lanes<T> && grad_stride == 1)
            finish<true>(row, column, acc);
        else
            finish<false>(row, column, acc);
    }
    template <bool whole, int M, int NV>
    ELMAN_INLINE void finish(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<T>, n = onward.H - c;
            const vec<T> keep = onward.keep ? load(onward.keep + c) : vec<T>{};
            const vec<T> gain = onward.keep ? load(onward.gain + c) : splat<T>(1);
            vec<T> leak = {};
            for (int m = 0; m < M; ++m) {
                const int64_t r = row + m;
                vec<T> g = acc[m][v];
                if (onward.mask) g *= onward.template in<whole>(onward.mask[r] + c, n);
                const bool cut = going_on && onward.cut && onward.cut[r];
                if (cut) {
                    onward.add_restart(g, r, c);
                    g = vec<T>{};
                }
                if (grad_h) g += whole ? load(grad_h[r] + c) : load_n(grad_h[r] + c * grad_stride, n, grad_stride);
                if (onward.current) g = through<T>(onward.f, g, onward.template in<whole>(h[r] + c, n));
                if (onward.carry) {
                    if (going_on && !cut) g += keep * load(onward.carry + r * onward.row_length + c);
                    if (last) g += onward.template in<whole>(last[r] + c, n);
                    store(onward.carry + r * onward.row_length + c, g);
                } else if (last) {
                    g += onward.template in<whole>(last[r] + c, n);
                }
                const vec<T> saved = onward.template in<whole>(y[r] + c, n);
                if (onward.leak_sum) leak += g * (saved - onward.template in<whole>(before[r] + c, n));
                const vec<T> taken = gain * g;
                store(delta + r * onward.row_length + c, onward.current ? taken : through<T>(onward.f, taken, saved));
            }
            if (onward.leak_sum) store(onward.leak_sum + c, load(onward.leak_sum + c) + leak);
        }
    }
};

template <class T>
constexpr bool prefetches<GeneralDeltaEpilogue<T>> = true;
template <class T>
constexpr bool is_large<GeneralDeltaEpilogue<T>> = true;

// grad_h0, and what a reset before the first step sends to the restart state.
template <class T>
struct GeneralGradH0Epilogue {
    Onward<T> onward;
    T* const* to;
    const T* const* q;  // rows of f(h0) in the current form
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<T>, n = onward.H - c;
            for (int m = 0; m < M; ++m) {
                const int64_t r = row + m;
                vec<T> g = acc[m][v];
                if (onward.mask) g *= load_n(onward.mask[r] + c, n);
                if (onward.cut && onward.cut[r]) {
                    onward.add_restart(g, r, c);
                    store_n(to[r] + c, vec<T>{}, n);
                    continue;
                }
                if (onward.current) g = through<T>(onward.f, g, load_n(q[r] + c, n));
                if (onward.keep) g += load(onward.keep + c) * load(onward.carry + r * onward.row_length + c);
                store_n(to[r] + c, g, n);
            }
        }
    }
};

}  // namespace
}  // namespace elman::ELMAN_ISA
