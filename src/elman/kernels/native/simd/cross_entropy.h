// -log p of a row's target, p = softmax(logits + bias), with label smoothing (Szegedy et al. 2016, sec. 7), and the
// gradient p - q with respect to the logits written in their place. A row is passed over three times while it lies in
// a near cache: for its largest logit, for the sum of exp, and for the gradient.
#pragma once
#include <math.h>

#include "loss_run.h"
#include "simd/exp.h"

namespace elman::ELMAN_ISA {
namespace {

// What lies past a row's end is filled with `fill`.
template <class T>
ELMAN_INLINE vec<T> load_or(const T* p, int64_t n, T fill) {
    if (n >= lanes<T>) return load(p);
    vec<T> v = load_some(p, n);
    for (int64_t i = n; i < lanes<T>; ++i) v[i] = fill;
    return v;
}

template <class T>
ELMAN_INLINE double sum_of(vec<T> v) {
    double sum = 0;
    for (int64_t i = 0; i < lanes<T>; ++i) sum += double(v[i]);
    return sum;
}

template <class T>
struct LossRow {
    const elman_loss_call& call;
    T* z;  // (V)
    int64_t target;

    // Adds the bias; returns the largest logit, and the sum of all where it is asked for. NaN is not seen here: it
    // passes through exp.
    T largest(double* total) const {
        const T* bias = static_cast<const T*>(call.bias);
        vec<T> most[2] = {splat<T>(-INFINITY), splat<T>(-INFINITY)}, sum[2] = {};
        auto one = [&](int64_t v, int k) ELMAN_ALWAYS {
            const int64_t n = call.V - v;
            vec<T> x = load_or(z + v, n, T(-INFINITY));
            if (bias) {
                x += load_n(bias + v, n);
                store_n(z + v, x, n);
            }
            if (total) sum[k] += n >= lanes<T> ? x : load_n(z + v, n);
            most[k] = x > most[k] ? x : most[k];
        };
        int64_t v = 0;
        for (; v + 2 * lanes<T> <= call.V; v += 2 * lanes<T>) one(v, 0), one(v + lanes<T>, 1);
        for (; v < call.V; v += lanes<T>) one(v, 0);
        if (total) *total = sum_of<T>(sum[0]) + sum_of<T>(sum[1]);
        T result = -INFINITY;
        for (int64_t i = 0; i < lanes<T>; ++i)
            for (const vec<T>& m : most) result = m[i] > result ? m[i] : result;
        return result;
    }

    // The sum of exp(z - shift); the terms take the logits' place where the gradient is wanted.
    double sum_of_exp(T shift, bool keep) const {
        vec<T> sum[4] = {};
        auto one = [&](int64_t v, int k) ELMAN_ALWAYS {
            const vec<T> e = exp_of_negative<T>(load(z + v) - shift);
            if (keep) store(z + v, e);
            sum[k] += e;
        };
        int64_t v = 0;
        for (; v + 4 * lanes<T> <= call.V; v += 4 * lanes<T>)
            ELMAN_UNROLL for (int k = 0; k < 4; ++k) one(v + k * lanes<T>, k);
        for (; v + lanes<T> <= call.V; v += lanes<T>) one(v, 0);
        if (v < call.V) {
            const vec<T> e = exp_of_negative<T>(load_or(z + v, call.V - v, T(-INFINITY)) - shift);
            if (keep) store_n(z + v, e, call.V - v);
            sum[1] += e;
        }
        return (sum_of<T>(sum[0]) + sum_of<T>(sum[1])) + (sum_of<T>(sum[2]) + sum_of<T>(sum[3]));
    }

    // exp(z - largest) -> scale (p - q), added to the bias's sums.
    void gradient(double sum, double scale, T* bias_sums) const {
        const T factor = T(scale / sum), less = T(scale * call.smoothing / call.V);
        const T at_target = T(scale * (1 - call.smoothing));
        for (int64_t v = 0; v < call.V; v += lanes<T>) {
            const int64_t n = call.V - v;
            const vec<T> g = load_n(z + v, n) * factor - less;
            store_n(z + v, g, n);
            if (bias_sums) store_n(bias_sums + v, load_n(bias_sums + v, n) + g, n);
        }
        z[target] -= at_target;
        if (bias_sums) bias_sums[target] -= at_target;
    }
};

template <class T>
void row_loss(const elman_loss_call& call, int64_t r, T* bias_sums) {
    T* z = static_cast<T*>(call.logits) + r * call.stride;
    T* loss = static_cast<T*>(call.losses) + r;
    if (call.targets[r] == call.ignore_index) {
        *loss = 0;
        if (call.gradient) __builtin_memset(z, 0, call.V * sizeof(T));
        return;
    }
    const LossRow<T> row{call, z, call.targets[r]};
    double total = 0;
    const T shift = row.largest(call.smoothing ? &total : nullptr);
    const double at_target = z[row.target];
    const double sum = row.sum_of_exp(shift, call.gradient), log_sum = log(sum) + shift;
    double value = log_sum - (1 - call.smoothing) * at_target;
    if (call.smoothing) value -= call.smoothing / call.V * total;
    *loss = T(value);
    if (call.gradient) row.gradient(sum, call.scale ? double(static_cast<const T*>(call.scale)[r]) : 1, bias_sums);
}

template <class T>
void cross_entropy(void* data, int thread) {
    LossRun& run = *static_cast<LossRun*>(data);
    const elman_loss_call& call = *run.call;
    T* partial = static_cast<T*>(run.partial);
    const Share mine = share(run.blocks, thread, run.threads);
    for (int64_t block = mine.first; block < mine.last; ++block) {
        T* sums = partial ? partial + block * call.V : nullptr;
        if (sums) __builtin_memset(sums, 0, call.V * sizeof(T));
        const int64_t end = (block + 1) * loss_block_rows;
        for (int64_t r = block * loss_block_rows; r < end && r < call.rows; ++r) row_loss<T>(call, r, sums);
    }
    if (!partial) return;
    run.everyone.wait();
    const Share columns = share((call.V + lanes<T> - 1) / lanes<T>, thread, run.threads);
    T* out = static_cast<T*>(call.grad_bias);
    for (int64_t v = columns.first * lanes<T>; v < columns.last * lanes<T> && v < call.V; v += lanes<T>) {
        vec<T> sum = load_n(out + v, call.V - v);
        for (int64_t block = 0; block < run.blocks; ++block) sum += load_n(partial + block * call.V + v, call.V - v);
        store_n(out + v, sum, call.V - v);
    }
}

}  // namespace
}  // namespace elman::ELMAN_ISA
