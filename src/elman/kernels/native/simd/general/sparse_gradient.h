// The gradient of a W_hh of few connections: of each the product of two rows over the steps and sequences of a chunk,
// which lie side by side in a vector; nothing is computed for what is not connected.
#pragma once
#include "simd/general/sparse.h"

namespace elman::ELMAN_ISA {
namespace {

// One group's room.
template <class T>
struct SparseGradient {
    T *turned_q, *turned_delta;  // (H, chunk rows); null where the gradient is not wanted
    T* values;                   // of each connection, in the order of the lists
    const T **q, **mask;         // (chunk rows)
};

template <class T>
SparseGradient<T> take_sparse_gradient(const Sparse<T>& w, int64_t chunk_rows, Scratch& scratch) {
    const int64_t turned = w.H * sequences_side_by_side<T>(chunk_rows);
    return {scratch.take<T>(turned), scratch.take<T>(turned), scratch.take<T>(w.count() + lanes<T>),
            scratch.take<const T*>(chunk_rows), scratch.take<const T*>(chunk_rows)};
}

// fixed^T turned of the sources in [from, end), into or added to `values`.
template <class T>
void add_dots(const T* fixed, const T* turned, int64_t side, const Connection<T>* from, const Connection<T>* end,
              T* values, bool fresh) {
    constexpr int U = lanes<T>;
    for (; from < end; from += U, values += U) {
        const int64_t left = end - from;
        const T* other[U];
        ELMAN_UNROLL for (int u = 0; u < U; ++u) other[u] = turned + from[u < left ? u : 0].source * side;
        vec<T> sum[U] = {};
        for (int64_t k = 0; k < side; k += U) {
            const vec<T> one = load(fixed + k);
            ELMAN_UNROLL for (int u = 0; u < U; ++u) sum[u] += one * load(other[u] + k);
        }
        transpose<T>(sum);
        ELMAN_UNROLL for (int half = U / 2; half; half /= 2) ELMAN_UNROLL for (int u = 0; u < half; ++u) sum[u] +=
            sum[u + half];
        store_n(values, fresh ? sum[0] : load_n(values, left) + sum[0], left);
    }
}

// A chunk's deltas (rows, row_length), and what entered W_hh there as `room.q` and `room.mask` say it; of both `units`.
template <class T>
void turn_factors(const Sparse<T>& w, const SparseGradient<T>& room, int64_t rows, const T* delta, int64_t row_length,
                  Share units) {
    const int64_t side = sequences_side_by_side<T>(rows);
    turn<T>(rows, units, side, room.turned_delta,
            [&](int64_t r, int64_t c) ELMAN_ALWAYS { return load(delta + r * row_length + c); });
    turn<T>(rows, units, side, room.turned_q, [&](int64_t r, int64_t c) ELMAN_ALWAYS {
        const vec<T> q = load_n(room.q[r] + c, w.H - c);
        return room.mask[r] ? q * load_n(room.mask[r] + c, w.H - c) : q;
    });
}

// What they give to the connections from `units`.
template <class T>
void add_connection_gradients(const Sparse<T>& w, const SparseGradient<T>& room, int64_t rows, Share units,
                              bool fresh) {
    const int64_t side = sequences_side_by_side<T>(rows);
    for (int64_t b = 0; b < w.blocks; ++b)
        for (int64_t unit = units.first; unit < units.last; ++unit) {
            const int64_t* at = w.starts + b * w.H + unit;
            add_dots(room.turned_q + unit * side, room.turned_delta, side, w.connections + at[0], w.connections + at[1],
                     room.values + at[0], fresh);
        }
}

// The groups' values, added in a fixed order, to their places in grad_w_hh (H, H): those from units [first, last).
template <class T>
void give_connection_gradients(const Sparse<T>& w, const T* const* values, int groups, int64_t first, int64_t last,
                               T* grad_w_hh) {
    for (int64_t b = 0; b < w.blocks; ++b)
        for (int64_t column = first; column < last; ++column)
            for (int64_t k = w.starts[b * w.H + column]; k < w.starts[b * w.H + column + 1]; ++k) {
                T sum = values[0][k];
                for (int g = 1; g < groups; ++g) sum += values[g][k];
                grad_w_hh[w.connections[k].source * w.H + column] = sum;
            }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
