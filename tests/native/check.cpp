// The native library against the equations written out, over awkward shapes and one to three threads, on the
// instruction sets named, or on every one that this processor has. Buffers are exactly as large as they must be, so
// that the sanitizers see a step past an end. Prints each disagreement and returns 1, or returns 0; 77 where a named
// instruction set cannot run here. --quick, for an emulator, tries one number of threads a case.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <random>
#include <vector>

#include "check_bfloat16.h"
#include "check_general.h"
#include "check_plain.h"

namespace {

template <class T>
bool agree(const Run<double>& want, const Run<T>& got, unsigned seed, int threads, const char* isa) {
    const Case& c = got.c;
    bool well = true;
    auto same = [&](const char* name, const std::vector<double>& w, const std::vector<T>& g) {
        if (close(w, std::vector<double>(g.begin(), g.end()), sizeof(T) == 4 ? 2e-4 : 1e-11)) return;
        printf("%s differs: %s, %d threads, %zu bytes, T %" PRId64 " B %" PRId64 " I %" PRId64 " H %" PRId64
               " seed %u\n",
               name, isa, threads, sizeof(T), c.T, c.B, c.I, c.H, seed);
        well = false;
    };
    same("h", want.h, got.h), same("h_last", want.h_last, got.h_last), same("grad_x", want.grad_x, got.grad_x);
    same("grad_h0", want.grad_h0, got.grad_h0), same("grad_w_ih", want.grad_w_ih, got.grad_w_ih);
    same("grad_w_hh", want.grad_w_hh, got.grad_w_hh), same("grad_bias", want.grad_bias, got.grad_bias);
    return well;
}

Run<double> solved(const Case& c, unsigned seed) {
    Run<double> run(c, seed);
    run.plain();
    return run;
}

// Work that is cut for `threads` gives the same bits by however few of them it is done.
template <class T>
bool same_by_fewer(const Run<T>& want, const Run<T>& want_back, unsigned seed, int threads, const char* isa) {
    for (int most = 1; most < threads; ++most) {
        elman_limit_threads(most);
        Run<T> one(want.c, seed), other(want_back.c, seed);
        const elman_call both[2] = {one.native_call(threads), other.native_call(threads)};
        const bool ran = elman_forward(both, 2) == ELMAN_OK && elman_backward(both, 2) == ELMAN_OK;
        if (ran && same_bits(want, one) && same_bits(want_back, other)) continue;
        printf("other bits: %s, cut for %d threads, done by %d, seed %u\n", isa, threads, most, seed);
        return false;
    }
    return true;
}

// A case alone, and beside the same one from the other end.
template <class T>
bool agrees(const Run<double>& want, const Run<double>& want_back, unsigned seed, int threads, const char* isa) {
    const Case &c = want.c, &back = want_back.c;
    elman_limit_threads(threads);  // even where there are fewer processors
    Run<T> alone(c, seed), one(c, seed), other(back, seed);
    const elman_call call = alone.native_call(threads),
                     both[2] = {one.native_call(threads), other.native_call(threads)};
    bool well = elman_forward(&call, 1) == ELMAN_OK && elman_backward(&call, 1) == ELMAN_OK;
    well &= elman_forward(both, 2) == ELMAN_OK && elman_backward(both, 2) == ELMAN_OK;
    well &= agree(want, alone, seed, threads, isa) && agree(want, one, seed, threads, isa);
    return well && agree(want_back, other, seed, threads, isa) && same_by_fewer(one, other, seed, threads, isa);
}

// Single steps of a decoder of one layer against the same layer's equations.
bool steps_agree(const Run<double>& want, unsigned seed, int threads, const char* isa) {
    const Case& c = want.c;
    Run<float> given(c, seed);
    const float *w_ih = given.w_ih.data(), *w_hh = given.w_hh.data(), *bias = c.biased ? given.bias.data() : nullptr;
    elman_decoder_spec spec = {};
    spec.layers = 1, spec.I = c.I, spec.H = c.H, spec.nonlinearity = c.nonlinearity, spec.residual = c.residual;
    spec.w_ih = &w_ih, spec.w_hh = &w_hh, spec.bias = &bias;
    elman_decoder* decoder = elman_decoder_new(&spec);
    if (!decoder) return false;
    std::vector<float> state = given.h0;
    bool well = true;
    for (int64_t t = 0; t < c.T; ++t) {
        well &= elman_decoder_step(decoder, c.B, &given.x[t * c.B * c.I], state.data(), threads) == ELMAN_OK;
        std::copy(state.begin(), state.end(), given.h.begin() + t * c.B * c.H);
    }
    elman_decoder_free(decoder);
    // the same by the weights where they lie
    struct {
        elman_step_call call;
        const void* weights[4];
    } step = {};
    step.weights[0] = w_ih, step.weights[1] = w_hh, step.weights[2] = bias;
    step.call.layers = 1, step.call.S = c.B, step.call.I = c.I, step.call.H = c.H;
    step.call.nonlinearity = c.nonlinearity, step.call.residual = c.residual, step.call.threads = threads;
    std::vector<float> before = given.h0, now(c.B * c.H), output(c.B * c.H);
    for (int64_t t = 0; t < c.T; ++t, std::swap(before, now)) {
        step.call.x = &given.x[t * c.B * c.I], step.call.state = before.data();
        step.call.new_state = now.data(), step.call.output = output.data();
        well &= elman_step(&step.call) == ELMAN_OK && now == output;
        for (int64_t i = 0; i < c.B * c.H; ++i)
            well &= fabs(now[i] - given.h[t * c.B * c.H + i]) < 2e-4 * (1 + fabs(now[i]));
    }
    const std::vector<double> got(given.h.begin(), given.h.end());
    if (well && close(want.h, got, 2e-4)) return true;
    printf("decoder differs: %s, %d threads, seed %u\n", isa, threads, seed);
    return false;
}

// Texts that two layers write, which must lie in the vocabulary and be the same for every number of threads.
bool texts_agree(const Case& c, unsigned seed, const char* isa) {
    const int64_t V = c.H + 3;
    const Run<float> weights({1, V, c.H, c.H, c.nonlinearity, false, false, false, false, false}, seed);
    const float *table = weights.x.data(), *w_out = weights.grad_h.data();  // (V, H) both
    const float* w_ih[2] = {nullptr, weights.w_ih.data()};
    const float* w_hh[2] = {weights.w_hh.data(), weights.w_hh.data()};
    elman_decoder_spec spec = {};
    spec.layers = 2, spec.H = c.H, spec.V = V, spec.nonlinearity = c.nonlinearity;
    spec.table = table, spec.w_ih = w_ih, spec.w_hh = w_hh, spec.w_out = w_out, spec.bfloat16 = seed % 2;
    elman_decoder* decoder = elman_decoder_new(&spec);
    if (!decoder) return false;
    const elman_sampling_params params = {0.8, 0.9, c.H / 2 + 1, seed, 0};
    std::vector<int64_t> texts[2];
    bool well = true;
    for (int threads = 1; threads <= 2; ++threads) {
        const std::vector<int64_t> first(c.B, V - 1);
        std::vector<float> state(2 * c.B * c.H);
        std::vector<int64_t>& tokens = texts[threads - 1];
        tokens.resize(c.T * c.B, -1);
        well &= elman_decoder_generate(decoder, c.B, c.T, first.data(), state.data(), &params, tokens.data(),
                                       threads) == ELMAN_OK;
        for (int64_t token : tokens) well &= token >= 0 && token < V;
    }
    elman_decoder_free(decoder);
    if (well && texts[0] == texts[1]) return true;
    printf("texts differ: %s, seed %u\n", isa, seed);
    return false;
}

// Losses and gradients of rows of logits, with and without what may be left out, against the definition.
template <class T>
bool losses_agree(int64_t rows, int64_t V, unsigned seed, int threads, const char* isa) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> uniform(-4, 4);
    std::vector<T> logits(rows * V), bias(V), scale(rows), losses(rows, T(NAN)), grad_bias(V, T(1));
    for (auto* numbers : {&logits, &bias, &scale})
        for (T& number : *numbers) number = T(uniform(random));
    std::vector<int64_t> targets(rows);
    for (int64_t& target : targets) target = random() % 5 ? int64_t(random() % V) : -100;
    const bool biased = seed % 2, scaled = seed % 3, gradient = seed % 5;
    const double smoothing = seed % 4 ? 0 : 0.1;
    std::vector<double> want(logits.begin(), logits.end()), want_losses(rows), want_bias(V, 1);
    for (int64_t r = 0; r < rows; ++r) {
        double* z = &want[r * V];
        double sum = 0, total = 0;
        for (int64_t v = 0; v < V; ++v) z[v] += biased ? double(bias[v]) : 0, sum += exp(z[v]), total += z[v];
        const bool ignored = targets[r] == -100;
        const int64_t target = ignored ? 0 : targets[r];
        want_losses[r] = ignored ? 0 : log(sum) - (1 - smoothing) * z[target] - smoothing / V * total;
        for (int64_t v = 0; v < V; ++v) {
            const double wanted = smoothing / V + (v == target ? 1 - smoothing : 0);
            z[v] = ignored ? 0 : (scaled ? double(scale[r]) : 1) * (exp(z[v]) / sum - wanted);
            want_bias[v] += z[v];
        }
    }
    elman_loss_call call = {};
    call.rows = rows, call.V = V, call.dtype = sizeof(T) == 8, call.threads = threads, call.ignore_index = -100;
    call.smoothing = smoothing, call.logits = logits.data(), call.stride = V, call.targets = targets.data();
    call.bias = biased ? bias.data() : nullptr, call.scale = scaled ? scale.data() : nullptr;
    call.losses = losses.data(), call.gradient = gradient, call.grad_bias = grad_bias.data();
    bool well = elman_cross_entropy(&call) == ELMAN_OK;
    const double tolerance = sizeof(T) == 8 ? 1e-11 : 2e-4;
    auto same = [&](const std::vector<double>& wanted, const std::vector<T>& got) {
        return close(wanted, std::vector<double>(got.begin(), got.end()), tolerance);
    };
    well &= same(want_losses, losses) && (!gradient || (same(want, logits) && same(want_bias, grad_bias)));
    targets[rows - 1] = V;
    well &= elman_cross_entropy(&call) == ELMAN_BAD_CALL;
    if (!well) printf("losses differ: %s, %d rows, V = %d, %d threads\n", isa, int(rows), int(V), threads);
    return well;
}

// Each case with one to three threads, or, if `quick`, with one of these numbers, taken in turn.
bool agrees_everywhere(const char* isa, bool quick) {
    const int64_t shapes[][4] = {{1, 1, 1, 1},    {5, 3, 2, 7},    {3, 1, 4, 16},  {2, 17, 3, 33},
                                 {9, 5, 31, 48},  {4, 26, 40, 65}, {2, 2, 5, 257}, {70, 13, 1, 9},
                                 {40, 9, 40, 24}, {4, 14, 5, 514}, {1, 17, 8, 33}};
    bool well = true;
    unsigned seed = 0;
    for (const auto& s : shapes)
        for (int kind = 0; kind < 4; ++kind, ++seed) {
            const bool several = s[0] > 1;  // one step is taken in another way where nothing is masked or ragged
            const Case c = {s[0],
                            s[1],
                            s[2],
                            s[3],
                            kind % 2 ? ELMAN_RELU : ELMAN_TANH,
                            kind >= 2,
                            kind == 1,
                            several && kind % 3 == 0,
                            several && kind > 0,
                            kind != 2};
            Case back = c, steps = c;
            back.reverse = !c.reverse;
            steps.reverse = steps.masked = steps.ragged = false;
            const Run<double> want = solved(c, seed), want_back = solved(back, seed), want_steps = solved(steps, seed);
            const int only = 1 + int(seed % 3);
            for (int threads = quick ? only : 1; threads <= (quick ? only : 3); ++threads)
                well &= agrees<double>(want, want_back, seed, threads, isa) &&
                        agrees<float>(want, want_back, seed, threads, isa) &&
                        steps_agree(want_steps, seed, threads, isa);
            well &= texts_agree(c, seed, isa);
        }
    for (int64_t rows : {1, 16, 17, 50})
        for (int64_t V : {1, 3, 16, 33, 70, 4001}) {
            ++seed;
            for (int threads = quick ? 2 : 1; threads <= (quick ? 2 : 3); ++threads)
                well &= losses_agree<float>(rows, V, seed, threads, isa) &&
                        losses_agree<double>(rows, V, seed, threads, isa);
        }
    return well & tanh_agrees(isa);
}

}  // namespace

int main(int count, char** names) {
    const bool quick = count > 1 && !strcmp(names[1], "--quick");
    const std::vector<const char*> named(names + (quick ? 2 : 1), names + count),
        all = {"avx512bf16", "avx512", "avx2", "portable"};
    bool well = true;
    for (const char* isa : named.empty() ? all : named) {
        if (elman_set_isa(isa)) {
            printf("%s: this processor, or this build, does not have it\n", isa);
            if (named.empty()) continue;
            return 77;
        }
        const bool agreed = agrees_everywhere(isa, quick) & general_agrees(isa, quick) & bfloat16_agrees(isa, quick);
        printf("%s: %s\n", isa, agreed ? "agrees" : "differs");
        well &= agreed;
    }
    return well ? 0 : 1;
}
