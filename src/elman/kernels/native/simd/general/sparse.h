// Products with a W_hh of few connections, at the cost of those. The sequences lie side by side in a vector: a
// connection is one weight, times the states that all of them have in the unit that it comes from.
#pragma once
#include <type_traits>

#include "simd/gemm/blocked.h"
#include "simd/gemm/pack.h"
#include "simd/general/shared.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct Connection {
    T weight;
    int32_t source;
};

// The connections by the unit that receives them, and within it by blocks of units that send, since the states of a
// block stay in the first-level cache: those of unit i from block b are [starts[b * H + i], starts[b * H + i + 1]).
template <class T>
struct Sparse {
    const int64_t* starts;  // null where W_hh is dense
    const Connection<T>* connections;
    int64_t H, blocks;
    ELMAN_INLINE int64_t count() const { return starts[blocks * H]; }
};

constexpr int64_t source_block_bytes = 24 * 1024;

template <class T>
ELMAN_INLINE int64_t sequences_side_by_side(int64_t n) {
    return (n + lanes<T> - 1) / lanes<T> * lanes<T>;
}

// The most sequences of a group, side by side.
template <class T>
int64_t most_side_by_side(const Plan& plan) {
    int64_t most = 1;
    for (int g = 0; g < plan.groups; ++g)
        if (most < plan.group[g].n) most = plan.group[g].n;
    return sequences_side_by_side<T>(most);
}

// How many units send in a block, where `side` sequences lie side by side.
template <class T>
ELMAN_INLINE int64_t units_a_block(int64_t side) {
    const int64_t units = source_block_bytes / int64_t(side * sizeof(T));
    return units < lanes<T> ? lanes<T> : units;
}

// By receiving units of W_hh, or with `columns` of W_hh transposed, as the adjoint wants it.
template <class T>
Sparse<T> take_sparse(const elman_general_call& general, int64_t side, bool columns, Scratch& scratch) {
    const int64_t H = general.call.H, wide = units_a_block<T>(side), blocks = (H + wide - 1) / wide;
    if (!general.connected) return {nullptr, nullptr, H, 0};
    const T* w = static_cast<const T*>(general.call.w_hh);
    int64_t* const next = scratch.take<int64_t>(blocks * H + 1);  // the list that a connection goes to, then its place
    auto for_each = [&](auto act) {
        for (int64_t row = 0; row < H; ++row)
            for (int64_t column = 0; column < H; ++column)
                if (general.connected[row * H + column]) {
                    const int64_t source = columns ? row : column, receiver = columns ? column : row;
                    act(source / wide * H + receiver, source, w[row * H + column]);
                }
    };
    int64_t count = 0;
    __builtin_memset(next, 0, (blocks * H + 1) * sizeof(int64_t));
    for_each([&](int64_t list, int64_t, T) { ++next[list]; });
    int64_t* const starts = scratch.take<int64_t>(blocks * H + 1);
    for (int64_t list = 0; list <= blocks * H; ++list) {
        starts[list] = count;
        count += next[list];
        next[list] = starts[list];
    }
    Connection<T>* const to = scratch.take<Connection<T>>(count);
    for_each([&](int64_t list, int64_t source, T weight) { to[next[list]++] = {weight, int32_t(source)}; });
    return {starts, to, H, blocks};
}

// `n` rows turned: (H, side), zeros from n on; of it `units`, which begin at a whole vector. `load_row(r, c)` gives a
// vector of row r.
template <class T, class LoadRow>
ELMAN_INLINE void turn(int64_t n, Share units, int64_t side, T* to, const LoadRow& load_row) {
    for (int64_t r = 0; r < side; r += lanes<T>)
        for (int64_t c = units.first; c < units.last; c += lanes<T>) {
            vec<T> square[lanes<T>];
            for (int64_t i = 0; i < lanes<T>; ++i) square[i] = r + i < n ? load_row(r + i, c) : vec<T>{};
            transpose<T>(square);
            for (int64_t i = 0; i < lanes<T> && c + i < units.last; ++i) store(to + (c + i) * side + r, square[i]);
        }
}

// What V vectors of sequences receive in one unit.
template <class T, int V>
ELMAN_INLINE void receive(const Connection<T>* from, const Connection<T>* end, const T* turned, int64_t side,
                          vec<T> (&sum)[V]) {
    constexpr int S = V >= 8 ? 1 : 8 / V;  // sums side by side, since each waits for itself
    vec<T> part[S][V] = {};
    auto add = [&](int s, const Connection<T>& one) ELMAN_ALWAYS {
        const vec<T> weight = splat(one.weight);
        const T* states = turned + one.source * side;
        ELMAN_UNROLL for (int v = 0; v < V; ++v) part[s][v] += weight * load(states + v * lanes<T>);
    };
    for (; from + S <= end; from += S) ELMAN_UNROLL for (int s = 0; s < S; ++s) add(s, from[s]);
    for (; from < end; ++from) add(0, *from);
    ELMAN_UNROLL for (int v = 0; v < V; ++v) ELMAN_UNROLL for (int s = 0; s < S; ++s) sum[v] += part[s][v];
}

// Sequences [r, r + V vectors) of the product in `units`, into `sums` (n, row).
template <class T, int V>
void sparse_columns(const Sparse<T>& w, const T* turned, int64_t side, int64_t r, int64_t n, Share units, T* sums,
                    int64_t row) {
    for (int64_t b = 0; b < w.blocks; ++b)
        for (int64_t c = units.first; c < units.last; c += lanes<T>) {
            vec<T> sum[V][lanes<T>];
            for (int64_t i = 0; i < lanes<T>; ++i) {
                vec<T> one[V] = {};
                const int64_t* at = w.starts + b * w.H + c + i;
                if (c + i < units.last)
                    receive<T, V>(w.connections + at[0], w.connections + at[1], turned + r, side, one);
                ELMAN_UNROLL for (int v = 0; v < V; ++v) sum[v][i] = one[v];
            }
            for (int v = 0; v < V; ++v) {
                transpose<T>(sum[v]);
                for (int64_t i = 0; i < lanes<T> && r + v * lanes<T> + i < n; ++i) {
                    T* to = sums + (r + v * lanes<T> + i) * row + c;
                    store(to, b ? load(to) + sum[v][i] : sum[v][i]);
                }
            }
        }
}

// One group's room for its products.
template <class T>
struct SparseRoom {
    int64_t side;
    T *turned, *sums;  // (H, side), (n, row)
};

template <class T>
SparseRoom<T> take_sparse_room(const Sparse<T>& w, int64_t side, int64_t n, Scratch& scratch) {
    if (!w.starts) return {};
    return {side, scratch.take<T>(w.H * side), scratch.take<T>(n * row_length<T>(w.H))};
}

// The first n rows of A times W, with what `epilogue` does to the sums; of it this member's panels. The members meet
// once: each turns the units that it has computed.
template <class T, class Epilogue>
void sparse_product(const T* a, int64_t lda, int64_t n, const Sparse<T>& w, const SparseRoom<T>& room, Share panels,
                    Barrier& barrier, const Epilogue& epilogue) {
    const int64_t row = row_length<T>(w.H), side = room.side;
    const Share units = units_of<T>(panels, w.H);
    turn<T>(n, units, side, room.turned, [&](int64_t r, int64_t c) ELMAN_ALWAYS { return load(a + r * lda + c); });
    barrier.wait();
    auto columns = [&](auto vectors, int64_t r) ELMAN_ALWAYS {
        sparse_columns<T, vectors.value>(w, room.turned, side, r, n, units, room.sums, row);
    };
    int64_t r = 0;
    for (; r + 3 * lanes<T> < n; r += 4 * lanes<T>) columns(std::integral_constant<int, 4>{}, r);
    for (; r + lanes<T> < n; r += 2 * lanes<T>) columns(std::integral_constant<int, 2>{}, r);
    for (; r < n; r += lanes<T>) columns(std::integral_constant<int, 1>{}, r);
    const Panels<T> all{room.turned, w.H, w.H};  // of which nothing is read: the sums are there
    gemm(a, lda, 0, n, all, panels.first, panels.last, 0, 0, FinalSumEpilogue<T, Epilogue>{room.sums, row, epilogue});
}

}  // namespace
}  // namespace elman::ELMAN_ISA
