// The layer's equations written out, for elman_check. See check.cpp.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <random>
#include <vector>

#include "check_call.h"

namespace {

// To the nearest bfloat16, ties to even.
inline double rounded(double number) {
    float single = float(number);
    uint32_t bits;
    memcpy(&bits, &single, 4);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&single, &bits, 4);
    return single;
}

struct Case {
    int64_t T, B, I, H;
    int nonlinearity;
    bool reverse, residual, masked, ragged, biased;
};

template <class T>
struct Run {
    const Case c;
    int64_t dtype = sizeof(T) == 8 ? ELMAN_FLOAT64 : ELMAN_FLOAT32;
    std::vector<T> x, h0, w_ih, w_hh, bias, mask, grad_h, grad_h_last;
    std::vector<int64_t> lengths;
    std::vector<T> h, h_last, grad_x, grad_h0, grad_w_ih, grad_w_hh, grad_bias;

    Run(const Case& c, unsigned seed) : c(c) {
        std::mt19937 random(seed);
        std::uniform_real_distribution<double> uniform(-1, 1);
        auto fill = [&](std::vector<T>& v, int64_t n, double scale) {
            v.resize(n);
            for (T& e : v) e = T(scale * uniform(random));
        };
        fill(x, c.T * c.B * c.I, 1), fill(h0, c.B * c.H, 1);
        fill(w_ih, c.H * c.I, 1 / sqrt(double(c.I))), fill(w_hh, c.H * c.H, 1 / sqrt(double(c.H)));
        fill(grad_h, c.T * c.B * c.H, 1), fill(grad_h_last, c.B * c.H, 1);
        if (c.biased) fill(bias, c.H, 1);
        if (c.masked) fill(mask, c.B * c.H, 1);
        if (c.ragged)
            for (int64_t b = 0; b < c.B; ++b) lengths.push_back(random() % (c.T + 1));
        h.resize(c.T * c.B * c.H, T(NAN)), h_last.resize(c.B * c.H, T(NAN));
        grad_x.resize(c.T * c.B * c.I, T(NAN)), grad_h0.resize(c.B * c.H, T(NAN));
        grad_w_ih.resize(c.H * c.I, T(NAN)), grad_w_hh.resize(c.H * c.H, T(NAN)), grad_bias.resize(c.H, T(NAN));
    }

    elman_call native_call(int threads) {
        elman_call call = call_of(*this, threads);
        call.dtype = dtype, call.nonlinearity = c.nonlinearity;
        if (c.biased) call.bias = bias.data();
        return call;
    }

    // The equations, a number at a time; with `halves`, every factor of a product is rounded to bfloat16.
    void plain(bool halves = false) {
        plain_forward(halves);
        plain_backward(halves);
    }

    void plain_forward(bool halves) {
        for (auto* factors : {&x, &w_ih, &w_hh})
            for (T& factor : *factors) factor = halves ? rounded(factor) : factor;
        std::fill(h.begin(), h.end(), T(0));
        for (int64_t b = 0; b < c.B; ++b) forward(b, halves);
    }

    void plain_backward(bool halves) {  // from the states in h
        for (auto* sums : {&grad_x, &grad_w_ih, &grad_w_hh, &grad_bias}) std::fill(sums->begin(), sums->end(), T(0));
        for (int64_t b = 0; b < c.B; ++b) backward(b, halves);
    }

    int64_t steps(int64_t b) const { return c.ragged ? lengths[b] : c.T; }
    int64_t time(int64_t b, int64_t s) const { return c.reverse ? steps(b) - 1 - s : s; }
    int64_t row(int64_t b, int64_t s) const { return time(b, s) * c.B + b; }
    T masked(int64_t b, int64_t k) const { return c.masked ? mask[b * c.H + k] : T(1); }
    std::vector<T> entering(int64_t b, const T* state, bool halves) const {  // what W_hh is multiplied with
        std::vector<T> enters(state, state + c.H);
        for (int64_t k = 0; k < c.H; ++k) {
            enters[k] *= masked(b, k);
            if (halves) enters[k] = rounded(enters[k]);
        }
        return enters;
    }

    void forward(int64_t b, bool halves) {
        const int64_t H = c.H, I = c.I, length = steps(b);
        std::vector<T> state(h0.begin() + b * H, h0.begin() + (b + 1) * H), next(H);
        for (int64_t s = 0; s < length; ++s) {
            const std::vector<T> enters = entering(b, state.data(), halves);
            for (int64_t j = 0; j < H; ++j) {
                T a = c.biased ? bias[j] : T(0);
                for (int64_t i = 0; i < I; ++i) a += w_ih[j * I + i] * x[row(b, s) * I + i];
                for (int64_t k = 0; k < H; ++k) a += w_hh[j * H + k] * enters[k];
                next[j] =
                    (c.nonlinearity == ELMAN_RELU ? (a < 0 ? T(0) : a) : std::tanh(a)) + (c.residual ? state[j] : T(0));
            }
            state = next;
            std::copy(state.begin(), state.end(), h.begin() + row(b, s) * H);
        }
        std::copy(state.begin(), state.end(), h_last.begin() + b * H);
    }

    void backward(int64_t b, bool halves) {
        const int64_t H = c.H, I = c.I, length = steps(b);
        std::vector<T> dh(grad_h_last.begin() + b * H, grad_h_last.begin() + (b + 1) * H), delta(H);
        for (int64_t s = length - 1; s >= 0; --s) {
            const T* now = &h[row(b, s) * H];
            const T* before = s ? &h[row(b, s - 1) * H] : &h0[b * H];
            const std::vector<T> enters = entering(b, before, halves);
            for (int64_t j = 0; j < H; ++j) {
                dh[j] += grad_h[row(b, s) * H + j];
                const T u = now[j] - (c.residual ? before[j] : T(0));
                delta[j] = c.nonlinearity == ELMAN_RELU ? (u <= 0 ? T(0) : dh[j]) : dh[j] * (1 - u * u);
                if (halves) delta[j] = rounded(delta[j]);
                grad_bias[j] += delta[j];
            }
            for (int64_t k = 0; k < H; ++k) {
                T onward = 0;
                for (int64_t j = 0; j < H; ++j) {
                    onward += delta[j] * w_hh[j * H + k];
                    grad_w_hh[j * H + k] += delta[j] * enters[k];
                }
                dh[k] = masked(b, k) * onward + (c.residual ? dh[k] : T(0));
            }
            for (int64_t i = 0; i < I; ++i)
                for (int64_t j = 0; j < H; ++j) {
                    grad_x[row(b, s) * I + i] += delta[j] * w_ih[j * I + i];
                    grad_w_ih[j * I + i] += delta[j] * x[row(b, s) * I + i];
                }
        }
        std::copy(dh.begin(), dh.end(), grad_h0.begin() + b * H);
    }
};

inline bool close(const std::vector<double>& want, const std::vector<double>& got, double tolerance) {
    double largest = 1e-3;
    for (double w : want) largest = fmax(largest, fabs(w));
    for (size_t i = 0; i < want.size(); ++i)
        if (!(fabs(want[i] - got[i]) <= tolerance * largest)) return false;
    return true;
}

template <class T>
bool same_bits(const Run<T>& one, const Run<T>& other) {
    return one.h == other.h && one.h_last == other.h_last && one.grad_x == other.grad_x &&
           one.grad_h0 == other.grad_h0 && one.grad_w_ih == other.grad_w_ih && one.grad_w_hh == other.grad_w_hh &&
           one.grad_bias == other.grad_bias;
}

}  // namespace
