// The factor W of a product: panels of two vectors' width, each with its rows of K one after the other.
#pragma once
#include <type_traits>

#include "runtime/plan.h"
#include "simd/vec.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
constexpr int64_t panel_width = 2 * lanes<T>;

// Weights in bfloat16, for inference: a float32 whose lower half is gone.
struct bfloat16 {
    uint16_t bits;
};
template <class W>
constexpr bool can_be_narrow = !std::is_same_v<W, bfloat16>;

// A factor in bfloat16 whose products are summed two by two (pairs.h).
struct paired_bfloat16 {
    uint16_t bits;
};
// How many neighbours along K one multiply-add takes, and K with what it needs behind its end.
template <class W>
constexpr int64_t together = std::is_same_v<W, paired_bfloat16> ? 2 : 1;
template <class W>
ELMAN_INLINE int64_t padded_k(int64_t K) {
    return (K + together<W> - 1) / together<W> * together<W>;
}

// What the rows of A hold where W does; the sums are in T.
template <class T, class W>
using factor_of = std::conditional_t<std::is_same_v<W, paired_bfloat16>, W, T>;

template <class T, class W = T>
struct Panels {
    const W* data;
    int64_t K, columns;  // K padded; the panel of columns [c, c + width) starts at data + c * K
    int64_t count() const { return (columns + panel_width<T> - 1) / panel_width<T>; }
    bool narrow(int64_t p) const { return can_be_narrow<W> && columns - p * panel_width<T> <= lanes<T>; }
};

// The units that are the columns of `panels`, of H.
template <class T>
ELMAN_INLINE Share units_of(Share panels, int64_t H) {
    const int64_t first = panels.first * panel_width<T>, last = panels.last * panel_width<T>;
    return {first < H ? first : H, last < H ? last : H};
}

template <class T>
ELMAN_INLINE int64_t padded(int64_t columns) {
    return (columns + lanes<T> - 1) / lanes<T> * lanes<T>;
}

// Rows this many bytes apart, or a multiple of it, fall into few of a cache's sets.
constexpr int64_t aliasing_bytes = 1024;

// A row length at which the rows of a tile do not fall into the same cache set.
template <class T>
ELMAN_INLINE int64_t row_length(int64_t columns) {
    const int64_t n = (columns + panel_width<T> - 1) / panel_width<T> * panel_width<T>;
    return n * sizeof(T) % aliasing_bytes == 0 ? n + lanes<T> : n;
}

template <class T>
ELMAN_INLINE vec<T> factor(const T* a) {
    return splat(*a);
}
template <class T, class W, std::enable_if_t<together<W> == 1, int> = 0>
ELMAN_INLINE vec<T> plus_product(const W*, vec<T> sum, vec<T> a, vec<T> b) {
    return sum + a * b;
}

// Row k of a panel of NV vectors.
template <class T, int NV>
ELMAN_INLINE void load_panel(const T* w, int64_t k, vec<T> (&b)[NV]) {
    for (int v = 0; v < NV; ++v) b[v] = load(w + (k * NV + v) * lanes<T>);
}

// The two vectors of a panel's row share one: the first in the low halves, the second in the high ones, so that a shift
// and a mask bring them back.
ELMAN_INLINE bfloat16 rounded(float f) {
    uint32_t bits;
    __builtin_memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return {uint16_t(bits >> 16 | 64)};  // NaN stays one
    return {uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
template <class T, int NV>
ELMAN_INLINE void load_panel(const bfloat16* w, int64_t k, vec<T> (&b)[NV]) {
    typedef uint32_t words __attribute__((vector_size(ELMAN_BYTES)));
    words both;
    __builtin_memcpy(&both, w + k * 2 * lanes<T>, sizeof both);
    b[0] = (vec<T>)(both << 16);
    b[NV - 1] = NV == 1 ? b[0] : (vec<T>)(both & 0xffff0000u);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
