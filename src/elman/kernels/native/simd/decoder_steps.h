// Single steps of a decoder. A layer reads its inputs and its own state side by side, one row a sequence, so that
// a step of a layer is one product.
#pragma once
#include "decoder.h"
#include "runtime/plan.h"
#include "runtime/thresholds.h"
#include "simd/gemm/gemm.h"
#include "simd/gemm/pack.h"
#include "simd/tanh.h"

namespace elman::ELMAN_ISA {
namespace {

template <class W>
Panels<float, W> decoder_panels(const void* data, int64_t K, int64_t columns) {
    return {static_cast<const W*>(data), K, columns};
}

ELMAN_INLINE int64_t inputs_of(const elman_decoder_spec& spec, int64_t layer) {
    return layer ? spec.H : spec.table ? 0 : spec.I;
}

// Memory in pieces of whole cache lines; where there is none it only counts them.
struct PackedMemory {
    char* memory;
    int64_t used = 0;
    template <class P>
    P* take(int64_t n) {
        char* const p = memory ? memory + used : nullptr;
        const int64_t bytes = n * int64_t(sizeof(P)), line = cache_line;
        used += (bytes + line - 1) / line * line;
        return reinterpret_cast<P*>(p);
    }
};

// One weight w (columns, K) as the rows from `offset` of panels that are `total` rows long.
template <class W>
void pack_rows(const float* w, int64_t K, int64_t columns, W* to, int64_t total, int64_t offset) {
    const Panels<float, W> panels{to, total, columns};
    for (int64_t p = 0; p < panels.count(); ++p) {
        const int64_t c0 = p * panel_width<float>;
        const int64_t width = panels.narrow(p) ? lanes<float> : panel_width<float>;
        pack_transposed(w + c0 * K, K, columns - c0, to + c0 * total + offset * width, 0);
    }
}

template <class W>
int64_t pack_decoder(elman_decoder& decoder, char* memory) {
    const elman_decoder_spec& spec = decoder.spec;
    PackedMemory packed{memory};
    decoder.weights = packed.take<void*>(spec.layers);
    decoder.bias = packed.take<const float*>(spec.layers);
    for (int64_t l = 0; l < spec.layers; ++l) {
        const int64_t inputs = inputs_of(spec, l), K = inputs + spec.H;
        W* const weights = packed.take<W>(K * row_length<float>(spec.H));
        float* const bias = packed.take<float>(row_length<float>(spec.H));
        if (!memory) continue;
        if (inputs) pack_rows(spec.w_ih[l], inputs, spec.H, weights, K, 0);
        pack_rows(spec.w_hh[l], spec.H, spec.H, weights, K, inputs);
        decoder.weights[l] = weights;
        decoder.bias[l] = nullptr;
        if (spec.bias && spec.bias[l] && inputs) {
            __builtin_memset(bias, 0, row_length<float>(spec.H) * sizeof(float));
            __builtin_memcpy(bias, spec.bias[l], spec.H * sizeof(float));
            decoder.bias[l] = bias;
        }
    }
    W* const output = packed.take<W>(spec.H * row_length<float>(spec.V));
    if (memory && spec.V && spec.w_out) pack_rows(spec.w_out, spec.H, spec.V, output, spec.H, 0);
    decoder.output = output;
    return packed.used;
}

struct LayerEpilogue {
    const float* const* drive;  // a row of the table for each sequence, or null: the bias
    const float* bias;
    float *own, *above;  // where the new state goes: this layer's rows for the next step, the next layer's for this
    int64_t own_row, above_row, H;
    const float* before;  // the old state, with the identity connection
    int64_t before_row;
    float* out;  // (S, H)
    bool relu;
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<float> (&acc)[M][NV]) const {
        for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<float>, n = H - c;
            for (int m = 0; m < M; ++m) {
                const int64_t r = row + m;
                vec<float> a = acc[m][v];
                if (drive) a += load_n(drive[r] + c, n);
                if (bias) a += load_n(bias + c, n);
                vec<float> f = relu ? (a < 0.f ? vec<float>{} : a) : tanh_of<float>(a);
                if (before) f += load_n(before + r * before_row + c, n);
                store_n(own + r * own_row + c, f, n);
                if (above) store_n(above + r * above_row + c, f, n);
                store_n(out + r * H + c, f, n);
            }
        }
    }
};

struct LogitsEpilogue {
    float* logits;
    int64_t row_length;
    const float* bias;
    int64_t V;
    template <int M, int NV>
    ELMAN_INLINE void operator()(int64_t row, int64_t column, vec<float> (&acc)[M][NV]) const {
        for (int v = 0; v < NV; ++v) {
            const int64_t c = column + v * lanes<float>;
            const vec<float> b = bias ? load_n(bias + c, V - c) : vec<float>{};
            for (int m = 0; m < M; ++m) store(logits + (row + m) * row_length + c, acc[m][v] + b);
        }
    }
};

// Layer l reads rows[2 l + parity], and writes its new state for the next step into rows[2 l + 1 - parity].
template <class W>
void decoder_layer(const DecoderRun& run, int64_t l, int64_t parity, Share panels, const float* const* drive) {
    const elman_decoder_spec& spec = run.decoder->spec;
    const int64_t inputs = inputs_of(spec, l), K = inputs + spec.H;
    const int64_t above = l + 1 < spec.layers ? 2 * spec.H : 0;
    const float* rows = run.rows[2 * l + parity];
    const LayerEpilogue epilogue{drive,
                                 run.decoder->bias[l],
                                 run.rows[2 * l + 1 - parity] + inputs,
                                 above ? run.rows[2 * l + 2 + parity] : nullptr,
                                 K,
                                 above,
                                 spec.H,
                                 spec.residual ? rows + inputs : nullptr,
                                 K,
                                 run.state + l * run.S * spec.H,
                                 spec.nonlinearity == ELMAN_RELU};
    gemm(rows, K, 0, run.S, decoder_panels<W>(run.decoder->weights[l], K, spec.H), panels.first, panels.last, 0, K,
         epilogue, parity);
}

template <class W>
void decoder_thread(void* job, int thread) {
    DecoderRun& run = *static_cast<DecoderRun*>(job);
    const elman_decoder_spec& spec = run.decoder->spec;
    const auto output = decoder_panels<W>(run.decoder->output, spec.H, spec.V);
    const Share units = share((spec.H + panel_width<float> - 1) / panel_width<float>, thread, run.threads);
    const Share vocabulary = share(output.count(), thread, run.threads);
    const int64_t V_row = row_length<float>(spec.V);
    const float** drive = run.first ? const_cast<const float**>(run.rows + 2 * spec.layers + thread * run.S) : nullptr;
    for (int64_t step = 0; step < run.length; ++step) {
        const int64_t* before = step ? run.tokens + (step - 1) * run.S : run.first;
        for (int64_t s = 0; drive && s < run.S; ++s) drive[s] = spec.table + before[s] * spec.H;
        for (int64_t l = 0; l < spec.layers; ++l) {
            decoder_layer<W>(run, l, step % 2, units, l ? nullptr : drive);
            run.barrier.wait();
        }
        if (!run.first) continue;
        const float* top = run.state + (spec.layers - 1) * run.S * spec.H;
        gemm(top, spec.H, 0, run.S, output, vocabulary.first, vocabulary.last, 0, spec.H,
             LogitsEpilogue{run.logits, V_row, spec.b_out, spec.V});
        run.barrier.wait();
        if (thread == 0)
            sample_tokens(run.logits, run.S, spec.V, V_row, *run.params, step, run.workspace,
                          run.tokens + step * run.S);
        run.barrier.wait();
    }
}

template <class W>
bool run_decoder(DecoderRun& run) {
    const elman_decoder_spec& spec = run.decoder->spec;
    Scratch& scratch = this_threads_scratch();
    scratch.reset();
    run.rows = scratch.take<float*>(2 * spec.layers + run.threads * run.S);
    for (int64_t l = 0; l < spec.layers; ++l) {
        const int64_t inputs = inputs_of(spec, l), K = inputs + spec.H;
        for (int64_t parity = 0; parity < 2; ++parity) run.rows[2 * l + parity] = scratch.take<float>(run.S * K);
        for (int64_t s = 0; s < run.S; ++s) {
            float* row = run.rows[2 * l] + s * K;
            if (!l && inputs) __builtin_memcpy(row, run.x + s * inputs, inputs * sizeof(float));
            __builtin_memcpy(row + inputs, run.state + (l * run.S + s) * spec.H, spec.H * sizeof(float));
        }
    }
    run.logits = scratch.take<float>(run.S * row_length<float>(spec.V));
    run.workspace = scratch.take<float>(2 * spec.V);
    run.barrier.set(run.threads);
    return run_team({decoder_thread<W>, &run, run.threads, 0});
}

}  // namespace
}  // namespace elman::ELMAN_ISA
