// The native library's general recurrence against the equations written out: leak, noise, resets, every function, both
// forms, weights of low rank, alone and as many networks at once; and a reservoir's states. See check.cpp.
#include "check_general.h"

#include <math.h>
#include <stdio.h>

#include <algorithm>
#include <random>
#include <vector>

#include "check_call.h"
#include "elman_general.h"
#include "elman_reservoir.h"

namespace {

struct Case {
    int64_t T, B, I, H;
    int f;
    bool current, leaky, noisy, resets, restarts, reverse, residual, masked, ragged, sparse;
    int64_t rank = 0;  // not with `sparse`
};

// Philox 4x32-7, then Box and Muller, a number at a time.
double noise(uint64_t seed, uint32_t stream, int64_t t, int64_t b, int64_t j) {
    uint32_t c[4] = {uint32_t(8 * (j / 32) + j % 16 / 2), uint32_t(b), uint32_t(t), stream};
    uint32_t k[2] = {uint32_t(seed), uint32_t(seed >> 32)};
    for (int round = 0; round < 7; ++round) {
        const uint64_t p = uint64_t(0xD2511F53) * c[0], q = uint64_t(0xCD9E8D57) * c[2];
        const uint32_t next[4] = {uint32_t(q >> 32) ^ c[1] ^ k[0], uint32_t(q), uint32_t(p >> 32) ^ c[3] ^ k[1],
                                  uint32_t(p)};
        std::copy(next, next + 4, c);
        k[0] += 0x9E3779B9u, k[1] += 0xBB67AE85u;
    }
    const uint32_t *pair = c + 2 * (j % 2), one = pair[0], other = pair[1];
    const double radius = sqrt(-2 * log(((one >> 8) + 1) / 16777216.)),
                 angle = (other >> 8) / 16777216. * 2 * acos(-1.);
    return radius * (j % 32 < 16 ? cos(angle) : sin(angle));
}

double function(int f, double a) {
    switch (f) {
        case ELMAN_TANH:
            return tanh(a);
        case ELMAN_RELU:
            return a > 0 ? a : 0;
        case ELMAN_SIGMOID:
            return 1 / (1 + exp(-a));
        case ELMAN_SOFTPLUS:
            return fmax(a, 0) + log1p(exp(-fabs(a)));
        case ELMAN_HARDTANH:
            return fmax(-1, fmin(1, a));
        case ELMAN_RECTIFIED_TANH:
            return fmax(0, tanh(a));
        case ELMAN_LEAKY_RELU:
            return a > 0 ? a : 0.01 * a;
        default:
            return a;
    }
}

double slope(int f, double a) {
    const double y = function(f, a);
    switch (f) {
        case ELMAN_TANH:
            return 1 - y * y;
        case ELMAN_RELU:
            return a > 0;
        case ELMAN_SIGMOID:
            return y * (1 - y);
        case ELMAN_SOFTPLUS:
            return 1 / (1 + exp(-a));
        case ELMAN_HARDTANH:
            return fabs(a) < 1;
        case ELMAN_RECTIFIED_TANH:
            return a > 0 ? 1 - y * y : 0;
        case ELMAN_LEAKY_RELU:
            return a > 0 ? 1 : 0.01;
        default:
            return 1;
    }
}

template <class T>
struct Run {
    const Case c;
    const uint64_t seed;
    std::vector<T> x, h0, w_ih, w_hh, w_out, w_in, bias, leak, size, restart, mask, grad_h, grad_h_last;
    std::vector<uint8_t> reset, connected;
    std::vector<int64_t> lengths;
    std::vector<T> h, extra, h_last, grad_x, grad_h0, grad_w_ih, grad_w_hh, grad_bias, grad_leak, grad_size,
        grad_restart, grad_z;

    Run(const Case& c, uint64_t seed) : c(c), seed(seed * 0x123456789abcdefull) {
        std::mt19937 random(static_cast<unsigned>(seed));
        std::uniform_real_distribution<double> uniform(-1, 1);
        auto fill = [&](std::vector<T>& v, int64_t n, double scale, double least = 0) {
            v.resize(n);
            for (T& e : v) e = T(least + scale * uniform(random));
        };
        fill(x, c.T * c.B * c.I, 1), fill(h0, c.B * c.H, 1), fill(bias, c.H, 1);
        fill(w_ih, c.H * c.I, 1 / sqrt(double(c.I))), fill(w_hh, c.H * c.H, 1 / sqrt(double(c.H)));
        fill(grad_h, c.T * c.B * c.H, 1), fill(grad_h_last, c.B * c.H, 1);
        if (c.leaky) fill(leak, c.H, 0.4, 0.5);
        if (c.noisy) fill(size, c.H, 0.4, 0.5);
        if (c.restarts) fill(restart, c.H, 1);
        if (c.masked) fill(mask, c.B * c.H, 1);
        for (int64_t i = 0; c.resets && i < c.T * c.B; ++i) reset.push_back(random() % 4 == 0);
        for (int64_t i = 0; c.sparse && i < c.H * c.H; ++i) connected.push_back(random() % 4 == 0);
        for (int64_t b = 0; c.ragged && b < c.B; ++b) lengths.push_back(random() % (c.T + 1));
        if (c.rank) low_rank(fill);
        auto room = [&](std::vector<T>& v, int64_t n) { v.assign(n, T(NAN)); };
        room(h, c.T * c.B * c.H), room(extra, c.T * c.B * c.H), room(h_last, c.B * c.H), room(grad_x, x.size());
        room(grad_h0, h0.size()), room(grad_w_ih, w_ih.size()), room(grad_w_hh, w_hh.size()), room(grad_bias, c.H);
        room(grad_leak, leak.size()), room(grad_size, size.size()), room(grad_restart, restart.size());
        room(grad_z, c.T * c.B * c.H);
    }

    template <class Fill>
    void low_rank(const Fill& fill) {
        fill(w_out, c.H * c.rank, 1 / sqrt(double(c.H))), fill(w_in, c.H * c.rank, 1 / sqrt(double(c.rank)));
        for (int64_t j = 0; j < c.H; ++j)
            for (int64_t k = 0; k < c.H; ++k) {
                w_hh[j * c.H + k] = 0;
                for (int64_t r = 0; r < c.rank; ++r) w_hh[j * c.H + k] += w_out[j * c.rank + r] * w_in[k * c.rank + r];
            }
    }

    elman_general_call native_call(int threads) {
        elman_general_call general = {};
        elman_call& call = general.call = call_of(*this, threads);
        call.nonlinearity = c.f, call.bias = bias.data();
        general.current = c.current, general.seed = int64_t(seed), general.stream = 5;
        if (c.leaky) general.leak = leak.data(), general.grad_leak = grad_leak.data();
        if (c.noisy) general.noise = size.data(), general.grad_noise = grad_size.data();
        if (c.restarts) general.restart = restart.data(), general.grad_restart = grad_restart.data();
        if (c.resets) general.reset = reset.data(), general.reset_stride[0] = c.B, general.reset_stride[1] = 1;
        if (c.sparse) general.connected = connected.data();
        if (c.rank) {
            general.rank = c.rank, general.w_in = w_in.data(), general.grad_z = grad_z.data();
            call.w_hh = w_out.data();
            call.grad_x = call.grad_w_ih = call.grad_w_hh = call.grad_bias = nullptr;
        }
        if (c.current || c.leaky || c.residual)
            general.extra = extra.data(), general.extra_stride[0] = c.B * c.H, general.extra_stride[1] = c.H;
        return general;
    }

    // The equations, a number at a time: states and what f went through are kept for the way back.
    void plain() {
        for (auto* sums :
             {&h, &extra, &grad_x, &grad_w_ih, &grad_w_hh, &grad_bias, &grad_leak, &grad_size, &grad_restart, &grad_z})
            std::fill(sums->begin(), sums->end(), T(0));
        for (int64_t b = 0; b < c.B; ++b) sequence(b);
    }

    void sequence(int64_t b) {
        const int64_t H = c.H, I = c.I, length = c.ragged ? lengths[b] : c.T;
        auto time = [&](int64_t s) { return c.reverse ? length - 1 - s : s; };
        auto cut = [&](int64_t s) { return c.resets && reset[time(s) * c.B + b]; };
        auto m = [&](int64_t k) { return c.masked ? mask[b * H + k] : T(1); };
        auto a = [&](int64_t j) { return c.leaky ? leak[j] : T(1); };
        auto is_there = [&](int64_t j, int64_t k) { return !c.sparse || connected[j * H + k]; };
        auto kept = [&](int64_t j) { return c.residual ? T(1) : 1 - a(j); };
        std::vector<T> state(h0.begin() + b * H, h0.begin() + (b + 1) * H), p(length * H), z(length * H), v(length * H);
        for (int64_t s = 0; s < length; ++s) {
            const int64_t row = time(s) * c.B + b;
            for (int64_t k = 0; k < H; ++k) p[s * H + k] = !cut(s) ? state[k] : c.restarts ? restart[k] : T(0);
            for (int64_t j = 0; j < H; ++j) {
                T sum = bias[j] + (c.noisy ? size[j] * T(noise(seed, 5, time(s), b, j)) : T(0));
                for (int64_t i = 0; i < I; ++i) sum += w_ih[j * I + i] * x[row * I + i];
                for (int64_t k = 0; k < H; ++k)
                    if (is_there(j, k))
                        sum += w_hh[j * H + k] * m(k) * (c.current ? T(function(c.f, p[s * H + k])) : p[s * H + k]);
                z[s * H + j] = sum;
                state[j] = kept(j) * p[s * H + j] + a(j) * (c.current ? sum : T(function(c.f, sum)));
                v[s * H + j] = state[j];
                h[row * H + j] = c.current ? T(function(c.f, state[j])) : state[j];
            }
        }
        std::copy(state.begin(), state.end(), h_last.begin() + b * H);
        std::vector<T> onward(grad_h_last.begin() + b * H, grad_h_last.begin() + (b + 1) * H), delta(H), g(H);
        for (int64_t s = length - 1; s >= 0; --s) {
            const int64_t row = time(s) * c.B + b;
            for (int64_t j = 0; j < H; ++j) {
                const T from = grad_h[row * H + j], before = p[s * H + j];
                g[j] = onward[j] + from * (c.current ? T(slope(c.f, v[s * H + j])) : T(1));
                delta[j] = a(j) * g[j] * (c.current ? T(1) : T(slope(c.f, z[s * H + j])));
                const T taken = c.current ? z[s * H + j] : T(function(c.f, z[s * H + j]));
                grad_bias[j] += delta[j], grad_z[row * H + j] = delta[j];
                if (c.leaky) grad_leak[j] += g[j] * (taken - before);
                if (c.noisy) grad_size[j] += delta[j] * T(noise(seed, 5, time(s), b, j));
            }
            for (int64_t k = 0; k < H; ++k) {
                const T before = p[s * H + k], q = c.current ? T(function(c.f, before)) : before;
                T sum = 0;
                for (int64_t j = 0; j < H; ++j) {
                    if (!is_there(j, k)) continue;
                    sum += delta[j] * w_hh[j * H + k];
                    grad_w_hh[j * H + k] += delta[j] * m(k) * q;
                }
                sum = m(k) * sum * (c.current ? T(slope(c.f, before)) : T(1)) + kept(k) * g[k];
                if (cut(s) && c.restarts) grad_restart[k] += sum;
                onward[k] = cut(s) ? T(0) : sum;
            }
            for (int64_t i = 0; i < I; ++i)
                for (int64_t j = 0; j < H; ++j) {
                    grad_x[row * I + i] += delta[j] * w_ih[j * I + i];
                    grad_w_ih[j * I + i] += delta[j] * x[row * I + i];
                }
        }
        std::copy(onward.begin(), onward.end(), grad_h0.begin() + b * H);
    }
};

template <class T>
bool close(const std::vector<double>& want, const std::vector<T>& got) {
    double largest = 1e-3;
    for (double w : want) largest = fmax(largest, fabs(w));
    for (size_t i = 0; i < want.size(); ++i)
        if (!(fabs(want[i] - double(got[i])) <= (sizeof(T) == 4 ? 4e-4 : 1e-11) * largest)) return false;
    return true;
}

template <class T>
bool agree(const Run<double>& want, const Run<T>& got, const char* isa, int threads) {
    const Case& c = got.c;
    bool well = true;
    auto same = [&](const char* name, const std::vector<double>& w, const std::vector<T>& g) {
        if (close(w, g)) return;
        printf("general %s differs: %s, %d threads, %zu bytes, f %d current %d sparse %d rank %d T %d B %d I %d H %d\n",
               name, isa, threads, sizeof(T), c.f, c.current, c.sparse, int(c.rank), int(c.T), int(c.B), int(c.I),
               int(c.H));
        well = false;
    };
    same("h", want.h, got.h), same("h_last", want.h_last, got.h_last), same("grad_h0", want.grad_h0, got.grad_h0);
    if (c.rank) {
        same("grad_z", want.grad_z, got.grad_z);
    } else {
        same("grad_x", want.grad_x, got.grad_x), same("grad_w_ih", want.grad_w_ih, got.grad_w_ih);
        same("grad_w_hh", want.grad_w_hh, got.grad_w_hh), same("grad_bias", want.grad_bias, got.grad_bias);
    }
    same("grad_leak", want.grad_leak, got.grad_leak), same("grad_noise", want.grad_size, got.grad_size);
    same("grad_restart", want.grad_restart, got.grad_restart);
    return well;
}

// A case alone, and three of its kind at once.
template <class T>
bool agrees(const Case& c, uint64_t seed, int threads, const char* isa) {
    std::vector<Run<double>> want;
    std::vector<Run<T>> got;
    std::vector<elman_general_call> calls;
    for (uint64_t v = 0; v < 4; ++v) {
        want.emplace_back(c, seed + 1000 * v), got.emplace_back(c, seed + 1000 * v);
        want.back().plain();
    }
    for (Run<T>& run : got) calls.push_back(run.native_call(threads));
    bool well = elman_general_forward(&calls[0], 1) == ELMAN_OK && elman_general_backward(&calls[0], 1) == ELMAN_OK;
    well &= elman_general_forward(&calls[1], 3) == ELMAN_OK && elman_general_backward(&calls[1], 3) == ELMAN_OK;
    for (size_t v = 0; v < got.size(); ++v) well &= agree(want[v], got[v], isa, threads);
    return well;
}

// A reservoir's states against the recurrence that has the same connections; V is the type of their weights.
template <class T, class V>
bool reservoir_agrees(int f, uint64_t seed, const char* isa) {
    const Case c = {6, 7, 3, 101, f, false, true, false, false, false, false, false, false, false, true};
    Run<double> want(c, seed);
    for (double& weight : want.w_hh) weight = float(weight);
    want.plain();
    const int64_t G = (c.H + ELMAN_GROUP - 1) / ELMAN_GROUP, width = G * ELMAN_GROUP;
    std::vector<T> x(want.x.begin(), want.x.end()), h0(want.h0.begin(), want.h0.end()), w_ih(c.I * width), bias(width),
        leak(width), h(want.h.size(), T(NAN));
    std::vector<V> values;
    std::vector<int64_t> starts = {0};
    std::vector<int32_t> sources;
    for (int64_t j = 0; j < c.H; ++j) {
        bias[j] = T(want.bias[j]), leak[j] = T(want.leak[j]);
        for (int64_t i = 0; i < c.I; ++i) w_ih[i * width + j] = T(want.w_ih[j * c.I + i]);
    }
    for (int64_t g = 0; g < G; ++g, starts.push_back(int64_t(sources.size())))
        for (int64_t k = 0; k < c.H; ++k) {
            V weights[ELMAN_GROUP] = {};
            bool any = false;
            for (int64_t j = g * ELMAN_GROUP; j < std::min(c.H, (g + 1) * ELMAN_GROUP); ++j)
                if (want.connected[j * c.H + k]) any = true, weights[j % ELMAN_GROUP] = V(want.w_hh[j * c.H + k]);
            if (any) sources.push_back(int32_t(k)), values.insert(values.end(), weights, weights + ELMAN_GROUP);
        }
    elman_reservoir_call call = {};
    call.T = c.T, call.B = c.B, call.I = c.I, call.H = c.H, call.K = int64_t(sources.size());
    call.dtype = sizeof(T) == 8, call.values_dtype = sizeof(V) == 8, call.nonlinearity = f;
    call.x = x.data(), call.h0 = h0.data(), call.w_ih = w_ih.data(), call.bias = bias.data(), call.leak = leak.data();
    call.starts = starts.data(), call.sources = sources.data(), call.values = values.data();
    call.h = h.data(), call.h_stride[0] = c.B * c.H, call.h_stride[1] = c.H;
    if (elman_reservoir(&call) == ELMAN_OK && close(want.h, h)) return true;
    printf("reservoir differs: %s, f %d, %zu bytes, weights of %zu\n", isa, f, sizeof(T), sizeof(V));
    return false;
}

bool normal_agrees(const char* isa) {
    constexpr int64_t T = 3, B = 2, H = 75, seed = 0x123456789abcdef;
    std::vector<double> want;
    for (int64_t i = 0; i < T * B * H; ++i) want.push_back(noise(seed, 5, i / (B * H), i / H % B, i % H));
    std::vector<float> got(want.size(), NAN);
    elman_normal(seed, 5, T, B, H, got.data());
    if (close(want, got)) return true;
    printf("elman_normal differs: %s\n", isa);
    return false;
}

}  // namespace

bool general_agrees(const char* isa, bool quick) {
    const int64_t shapes[][4] = {{1, 1, 1, 1},   {3, 1, 4, 16},  {5, 3, 2, 7},   {9, 5, 31, 48},
                                 {2, 2, 5, 257}, {4, 26, 9, 65}, {70, 13, 1, 9}, {30, 9, 12, 40}};
    bool well = true;
    uint64_t seed = 1;
    for (int f = ELMAN_TANH; f <= ELMAN_IDENTITY; ++f)
        for (const auto& s : shapes) {
            ++seed;
            const bool residual = seed % 5 == 0;
            const bool plain = seed % 4 == 3;  // but for resets to zero, where f is tanh or relu
            const Case c = {s[0],
                            s[1],
                            s[2],
                            s[3],
                            f,
                            seed % 2 == 0,
                            !residual && !plain,
                            seed % 3 != 0 && !plain,
                            seed % 4 > 0,
                            seed % 4 == 2,
                            seed % 7 < 3,
                            residual,
                            seed % 3 == 1,
                            seed % 5 > 2,
                            seed % 11 > 5};
            std::vector<Case> cases = {c};
            if (&s == &shapes[f]) {  // one shape of each function
                Case low = c;
                low.sparse = false, low.rank = 1 + int64_t(seed % 20);
                cases.push_back(low);
            }
            if (f <= ELMAN_RELU && s[0] > 3)  // resets alone, which the plain recurrence has
                cases.push_back({s[0], s[1], s[2], s[3], f, false, false, false, true, false, c.reverse, false,
                                 c.masked, c.ragged, false});
            const int only = 1 + int(seed % 3);
            for (const Case& each : cases)
                for (int threads = quick ? only : 1; threads <= (quick ? only : 3); threads += 2)
                    well &= agrees<double>(each, seed, threads, isa) && agrees<float>(each, seed, threads, isa);
        }
    for (int f : {int(ELMAN_TANH), int(ELMAN_RELU), int(ELMAN_IDENTITY)})
        well &= reservoir_agrees<float, float>(f, 7, isa) && reservoir_agrees<double, float>(f, 8, isa) &&
                reservoir_agrees<double, double>(f, 9, isa);
    return well & normal_agrees(isa);
}

// Over [-12, 12], and of what is not in it.
bool tanh_agrees(const char* isa) {
    std::vector<double> in = {0, 1e-30, -1e-30, 100, -100, INFINITY, -INFINITY, NAN};
    while (in.size() < 2408) in.push_back((double(in.size()) - 1200) / 100);
    std::vector<float> in32(in.begin(), in.end()), got32(in.size());
    std::vector<double> got64(in.size());
    elman_tanh(in32.data(), got32.data(), int64_t(in.size()));
    elman_tanh64(in.data(), got64.data(), int64_t(in.size()));
    for (size_t i = 0; i < in.size(); ++i) {
        const double want = tanh(in[i]), by32 = fabs(got32[i] - want), by64 = fabs(got64[i] - want);
        if (isnan(want) ? isnan(got32[i]) && isnan(got64[i]) : by32 <= 1e-6 && by64 <= 1e-14) continue;
        printf("tanh of %g differs: %s\n", in[i], isa);
        return false;
    }
    return true;
}
