// What both passes of the general recurrence look up: the rows that a step comes from, and its vectors by units.
#pragma once
#include "simd/general/activations.h"
#include "simd/general/noise.h"
#include "simd/resets.h"
#include "simd/rows.h"
#include "simd/workspace.h"

namespace elman::ELMAN_ISA {
namespace {

// The plan knows the plain part of a call, with which the whole begins.
ELMAN_INLINE const elman_general_call& general_of(const elman_call& call) {
    return reinterpret_cast<const elman_general_call&>(call);
}

// Vectors over the units, as long as a row, zeros past the end.
template <class T>
struct UnitVectors {
    const T *keep, *gain;        // 1 - a and a; keep is null where nothing is kept
    const T* noise;              // s, or null
    const T *restart, *entered;  // the state that a reset goes to, and what of it enters W_hh
};

template <class T>
UnitVectors<T> take_unit_vectors(const elman_general_call& general, Scratch& scratch) {
    const elman_call& call = general.call;
    const int64_t row = row_length<T>(call.H);
    auto filled = [&](const void* from, bool wanted, auto of) {
        T* to = wanted ? scratch.take<T>(row) : nullptr;
        for (int64_t c = 0; wanted && c < row; ++c)
            to[c] = of(from && c < call.H ? static_cast<const T*>(from)[c] : T(0));
        return to;
    };
    auto same = [](T a) { return a; };
    const bool kept = general.leak || call.residual;
    UnitVectors<T> units;
    const bool residual = call.residual;
    units.keep = filled(general.leak, kept, [=](T a) { return residual ? T(1) : 1 - a; });
    units.gain = filled(general.leak, kept, [=](T a) { return residual ? T(1) : a; });
    units.noise = filled(general.noise, general.noise, same);
    units.restart = filled(general.restart, general.reset, same);
    T* entered = filled(general.restart, general.reset, same);
    for (int64_t c = 0; entered && general.current && c < row; c += lanes<T>) {
        vec<T> f[1] = {load(entered + c)};
        apply<T>(call.nonlinearity, f);
        store(entered + c, f[0]);
    }
    units.entered = entered;
    return units;
}

template <class T>
ELMAN_INLINE T* row_of_h(const elman_call& call, int64_t t, int64_t b) {
    return static_cast<T*>(call.h) + t * call.h_stride[0] + b * call.h_stride[1];
}

template <class T>
ELMAN_INLINE T* row_of_extra(const elman_general_call& general, int64_t t, int64_t b) {
    return static_cast<T*>(general.extra) + t * general.extra_stride[0] + b * general.extra_stride[1];
}

// p_t, the state that sequence r comes from at its step s.
template <class T>
ELMAN_INLINE const T* state_before(const elman_general_call& general, const UnitVectors<T>& units, const Group& group,
                                   int64_t r, int64_t s) {
    const elman_call& call = general.call;
    const int64_t b = group.sequence[r];
    if (is_reset(general, time_of(group, r, s, call.reverse), b)) return units.restart;
    if (s == 0) return static_cast<const T*>(call.h0) + b * call.H;
    const int64_t t = time_of(group, r, s - 1, call.reverse);
    return general.current ? row_of_extra<T>(general, t, b) : row_of_h<T>(call, t, b);
}

template <class T>
ELMAN_INLINE const T* row_of_mask(const elman_call& call, int64_t b) {  // null where there is none
    return call.mask ? static_cast<const T*>(call.mask) + b * call.H : nullptr;
}

// to = m * from, columns [first, last) of a row, `from` with zeros or more numbers up to whole vectors.
template <class T>
ELMAN_INLINE void enter(const T* from, const T* mask, int64_t first, int64_t last, int64_t H, T* to) {
    for (int64_t c = first; c < last; c += lanes<T>) {
        vec<T> v = load_n(from + c, H - c);
        if (mask) v *= load_n(mask + c, H - c);
        store(to + c, v);
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
