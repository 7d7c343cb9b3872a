// A step reads the weights as they lie in memory: none is packed, because they may be others at the next step.
//
// A few sequences: the sums W_ih x + W_hh h are dot products of rows. A tile has as many sums as a vector has lanes, M
// sequences times N units, and each sum is a vector until its end, where the tile's vectors become one by
// transposition. As many sequences as a vector has lanes, or more: x and h are packed in their place, so that each lane
// is a sequence.
#pragma once
#include "runtime/plan.h"
#include "simd/gemm/gemm.h"
#include "simd/gemm/pack.h"
#include "simd/tanh.h"
#include "step_run.h"

namespace elman::ELMAN_ISA {
namespace {

// Lane i of the result is the sum of the lanes of parts[i].
template <class T, int S = 1>
ELMAN_INLINE vec<T> sums_of(vec<T> (&parts)[lanes<T>]) {
#ifdef ELMAN_SHUFFLES
    if constexpr (S < lanes<T>) {
        ELMAN_UNROLL for (int i = 0; i < lanes<T>; i += 2 * S) {
            exchange<T, S>(parts[i], parts[i + S], std::make_integer_sequence<int, lanes<T>>{});
            parts[i] += parts[i + S];
        }
        return sums_of<T, 2 * S>(parts);
    }
    return parts[0];
#else
    vec<T> sums = {};
    for (int i = 0; i < lanes<T>; ++i)
        for (int lane = 0; lane < lanes<T>; ++lane) sums[i] += parts[i][lane];
    return sums;
#endif
}

// Adds the products of M rows of `a` with N rows of `w`, all K long; rows past the last unit are the last one's again.
template <class T, int M, int N>
ELMAN_INLINE void add_dots(const T* a, const T* w, int64_t K, int64_t units, vec<T> (&parts)[lanes<T>]) {
    const T* rows[N];
    ELMAN_UNROLL for (int n = 0; n < N; ++n) rows[n] = w + (n < units ? n : units - 1) * K;
    int64_t k = 0;
    auto add = [&](auto read) ELMAN_ALWAYS {
        vec<T> of_a[M];
        ELMAN_UNROLL for (int m = 0; m < M; ++m) of_a[m] = read(a + m * K + k);
        ELMAN_UNROLL for (int n = 0; n < N; ++n) {
            const vec<T> of_w = read(rows[n] + k);
            ELMAN_UNROLL for (int m = 0; m < M; ++m) parts[m * N + n] += of_a[m] * of_w;
        }
    };
    for (; k + lanes<T> <= K; k += lanes<T>) add([](const T* p) ELMAN_ALWAYS { return load(p); });
    if (k < K) add([n = K - k](const T* p) ELMAN_ALWAYS { return load_some(p, n); });
}

// Units of a block: its sums, a row a unit, stay in a near cache until they are turned into rows of sequences.
constexpr int64_t step_block = 64;

// How many of S sequences are lanes, and the numbers of workspace that they take.
template <class T>
ELMAN_INLINE int64_t in_lanes(int64_t S) {
    return S / lanes<T> * lanes<T>;
}
template <class T>
int64_t step_workspace(int64_t S, int64_t K, int64_t H) {
    return in_lanes<T>(S) * (K + H + step_block);
}

template <class T, bool add>
struct UnitRowsEpilogue {
    T* sums;  // (units, S)
    int64_t S;
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<T> (&acc)[M][NV]) const {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                T* const at = sums + (row + m) * S + column + v * lanes<T>;
                store(at, add ? load(at) + acc[m][v] : acc[m][v]);
            }
    }
};

// (units, S) to (S, H): rows of units to rows of sequences.
template <class T>
void turn(const T* sums, int64_t units, int64_t S, T* to, int64_t H) {
    constexpr int64_t block = lanes<T>;
    for (int64_t unit = 0; unit < units; unit += block)
        for (int64_t s = 0; s < S; s += block) {
            const int64_t n = units - unit < block ? units - unit : block;
            vec<T> square[block];
            for (int64_t i = 0; i < block; ++i) square[i] = i < n ? load(sums + (unit + i) * S + s) : vec<T>{};
#ifdef ELMAN_SHUFFLES
            transpose<T>(square);
            for (int64_t i = 0; i < block; ++i) store_n(to + (s + i) * H + unit, square[i], n);
#else
            for (int64_t i = 0; i < block; ++i)
                for (int64_t u = 0; u < n; ++u) to[(s + i) * H + unit + u] = square[u][i];
#endif
        }
}

// One layer of a step: `in` (S, K) and `before` (S, H), which may be null, to `now` (S, H) and maybe `output`.
template <class T>
struct StepLayer {
    const T *in, *before, *w_ih, *w_hh, *b_ih, *b_hh;
    T *now, *output;
    int64_t K, H;
    bool relu, residual;

    // Sequences s to s + M, the N units from `unit`; the sums go to `now` as they are.
    template <int M, int N>
    __attribute__((noinline)) void sum_tile(int64_t s, int64_t unit) const {
        const int64_t units = H - unit;
        vec<T> parts[lanes<T>] = {};
        add_dots<T, M, N>(in + s * K, w_ih + unit * K, K, units, parts);
        if (before) add_dots<T, M, N>(before + s * H, w_hh + unit * H, H, units, parts);
        const vec<T> sums = sums_of<T>(parts);
        T flat[lanes<T>];
        store(flat, sums);
        const int64_t kept = units < N ? units : N;
        for (int m = 0; m < M; ++m) __builtin_memcpy(now + (s + m) * H + unit, flat + m * N, kept * sizeof(T));
    }

    // As many whole tiles of M sequences from s on as there are: those of the same units one after the other, while the
    // weights are near. Returns the sequence after them.
    template <int M>
    ELMAN_INLINE int64_t sum_tiles(int64_t s, int64_t S, Share units) const {
        const int64_t end = s + (S - s) / M * M;
        constexpr int N = lanes<T> / M;
        for (int64_t unit = units.first; s < end && unit < units.last; unit += N)
            for (int64_t row = s; row < end; row += M) sum_tile<M, N>(row, unit);
        return end;
    }

    // What is left of a tile: the bias, the nonlinearity, the identity connection.
    void finish(int64_t s, Share units) const {
        for (int64_t c = units.first; c < units.last; c += lanes<T>) {
            const int64_t n = units.last - c, at = s * H + c;
            vec<T> a = load_n(now + at, n);
            if (b_ih) a += load_n(b_ih + c, n);
            if (b_hh) a += load_n(b_hh + c, n);
            vec<T> f = relu ? (a < T(0) ? vec<T>{} : a) : tanh_of<T>(a);
            if (residual && before) f += load_n(before + at, n);
            store_n(now + at, f, n);
            if (output) store_n(output + at, f, n);
        }
    }

    // The units of the sequences from s on.
    void run_rows(int64_t s, int64_t S, Share units) const {
        if constexpr (lanes<T> >= 16) s = sum_tiles<4>(s, S, units);
        s = sum_tiles<2>(s, S, units);
        sum_tiles<1>(s, S, units);
    }

    // The units of the first S sequences, whole vectors of them; `panels` hold x and h, (K, S) and (H, S).
    void run_lanes(int64_t S, Share units, const T* panels, T* sums) const {
        const int64_t n = units.last - units.first;
        const Panels<T, T> of_in{panels, K, S}, of_before{panels + K * S, H, S};
        gemm(w_ih + units.first * K, K, 0, n, of_in, 0, of_in.count(), 0, K, UnitRowsEpilogue<T, false>{sums, S});
        if (before)
            gemm(w_hh + units.first * H, H, 0, n, of_before, 0, of_before.count(), 0, H,
                 UnitRowsEpilogue<T, true>{sums, S});
        turn(sums, n, S, now + units.first, H);
    }

    void run(int64_t S, Share mine, T* workspace) const {
        const int64_t wide = in_lanes<T>(S), block = wide ? step_block : lanes<T>;
        T* const sums = workspace + wide * (K + H);
        const Panels<T, T> columns{workspace, K, wide};
        for (int64_t p = 0; wide && p < columns.count(); ++p) {
            pack_transposed(in + p * panel_width<T> * K, K, wide - p * panel_width<T>,
                            workspace + p * panel_width<T> * K, 0);
            if (before) {
                T* const to = workspace + wide * K + p * panel_width<T> * H;
                pack_transposed(before + p * panel_width<T> * H, H, wide - p * panel_width<T>, to, 0);
            }
        }
        for (int64_t first = mine.first; first < mine.last; first += block) {
            const Share units{first, first + block < mine.last ? first + block : mine.last};
            if (wide) run_lanes(wide, units, workspace, sums);
            for (int64_t c = units.first; wide < S && c < units.last; c += lanes<T>)
                run_rows(wide, S, {c, c + lanes<T> < units.last ? c + lanes<T> : units.last});
            for (int64_t s = 0; s < S; ++s) finish(s, units);
        }
    }
};

template <class T>
void step_thread(void* job, int thread) {
    StepRun& run = *static_cast<StepRun*>(job);
    const elman_step_call& call = *run.call;
    const int64_t H = call.H, blocks = (H + lanes<T> - 1) / lanes<T>;
    const Share mine = share(blocks, thread, run.threads);
    const Share units{mine.first * lanes<T>, mine.last * lanes<T> < H ? mine.last * lanes<T> : H};
    const T* in = static_cast<const T*>(call.x);
    for (int64_t l = 0; l < call.layers; ++l) {
        const auto weight = [&](int64_t which) { return static_cast<const T*>(run.weights[4 * l + which]); };
        T* now = static_cast<T*>(call.new_state) + l * call.S * H;
        const T* before = call.state ? static_cast<const T*>(call.state) + l * call.S * H : nullptr;
        T* output = l + 1 == call.layers ? static_cast<T*>(call.output) : nullptr;
        const StepLayer<T> layer{in,
                                 before,
                                 weight(0),
                                 weight(1),
                                 weight(2),
                                 weight(3),
                                 now,
                                 output,
                                 l ? H : call.I,
                                 H,
                                 call.nonlinearity == ELMAN_RELU,
                                 call.residual != 0};
        layer.run(call.S, units, static_cast<T*>(run.workspace) + thread * run.workspace_each);
        run.barrier.wait();
        in = now;
    }
}

template <class T>
bool run_step(StepRun& run) {
    const elman_step_call& call = *run.call;
    Scratch& scratch = this_threads_scratch();
    scratch.reset();
    run.workspace_each = step_workspace<T>(call.S, call.layers > 1 && call.H > call.I ? call.H : call.I, call.H);
    run.workspace = scratch.take<T>(run.workspace_each * run.threads);
    run.barrier.set(run.threads);
    return run_team({step_thread<T>, &run, run.threads, 0});
}

}  // namespace
}  // namespace elman::ELMAN_ISA
