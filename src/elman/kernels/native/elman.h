// The plain C interface of the native library. T steps, B sequences, I inputs, H hidden units, V vocabulary, S
// sequences of a decoder. Every field is eight bytes wide, so that Python fills a struct with one struct.pack.
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define ELMAN_API __declspec(dllexport)
#else
#define ELMAN_API __attribute__((visibility("default")))
#endif

enum { ELMAN_ABI = 8 };
// BFLOAT16: tensors of float32, and all sums. The factors of the products (weights, x, states, and on the way back what
// reaches them) may be rounded to bfloat16, which only "avx512bf16" does; there the layer's large products take half
// the instructions. Not for what stands in elman_general.h.
enum elman_dtype { ELMAN_FLOAT32 = 0, ELMAN_FLOAT64 = 1, ELMAN_BFLOAT16 = 2 };
enum elman_nonlinearity { ELMAN_TANH = 0, ELMAN_RELU = 1 };
enum elman_status { ELMAN_OK = 0, ELMAN_BAD_CALL = 1, ELMAN_NO_MEMORY = 2 };

// Strides count elements. What says "rows" has unit stride within a row; what is not given a stride is contiguous.
typedef struct elman_call {
    int64_t T, B, I, H;
    int64_t dtype, nonlinearity, reverse, residual, threads;
    const void* x;  // (T, B, I)
    int64_t x_stride[3];
    const void* h0;          // (B, H), or null: zeros
    const void* w_ih;        // (H, I)
    const void* w_hh;        // (H, H)
    const void* bias;        // (H) or null
    const void* bias_hh;     // (H) or null: added to bias, where there is one; forward only
    const int64_t* lengths;  // (B) or null: all of length T
    const void* mask;        // (B, H) or null
    void* h;                 // (T, B, H) rows: written by forward, read by backward
    int64_t h_stride[2];
    void* h_last;        // (B, H), forward
    const void* grad_h;  // (T, B, H) or null
    int64_t grad_h_stride[3];
    const void* grad_h_last;  // (B, H) or null
    void* grad_x;             // (T, B, I) rows, or null where not wanted; likewise below
    int64_t grad_x_stride[2];
    void* grad_h0;    // (B, H)
    void* grad_w_ih;  // (H, I)
    void* grad_w_hh;  // (H, H)
    void* grad_bias;  // (H)
} elman_call;

// `count` calls, 1 or 2, that need nothing of each other, such as the two directions of a layer: side by side where
// each is worth a part of the threads.
ELMAN_API int elman_forward(const elman_call* calls, int64_t count);
ELMAN_API int elman_backward(const elman_call* calls, int64_t count);

// One step of a stack of layers, forwards, without gradients: the weights are read where they lie, and nothing is kept.
// Everything is contiguous. Behind the struct lie four pointers a layer: w_ih (H, I or H), w_hh (H, H), b_ih and b_hh
// (H) or null.
typedef struct elman_step_call {
    int64_t layers, S, I, H;
    int64_t dtype, nonlinearity, residual, threads;
    const void* x;      // (S, I)
    const void* state;  // (layers, S, H), or null: zeros
    void* new_state;    // (layers, S, H), not the same memory
    void* output;       // (S, H), the last layer's new state once more, or null
} elman_step_call;
ELMAN_API int elman_step(const elman_step_call* call);

// Cross-entropy of rows of logits, in nats, and its gradient in the logits' place.
typedef struct elman_loss_call {
    int64_t rows, V, dtype, threads;  // float32 or float64
    int64_t ignore_index;             // a row with this target has loss 0 and gradient 0
    double smoothing;                 // the share of the target's probability that is spread over all V
    void* logits;                     // (rows, V) with unit stride within a row; its content is lost
    int64_t stride;
    const void* bias;        // (V), added to the logits, or null
    const int64_t* targets;  // (rows), 0 ... V - 1 or ignore_index
    const void* scale;       // (rows), which multiplies each row's gradient, or null: 1
    void* losses;            // (rows)
    int64_t gradient;        // 1: the logits become their gradient
    void* grad_bias;         // (V), to which the gradient's sums over the rows are added, or null
} elman_loss_call;
ELMAN_API int elman_cross_entropy(const elman_loss_call* call);

// A decoder: layers with their weights packed once, for many single steps without gradients (streaming, generation).
// Layer 0 reads x (S, I), or, with a table, a token's row of it: the table (V, H) is embedding W_ih^T + bias.
typedef struct elman_decoder_spec {
    int64_t layers, I, H, V;  // I is 0 with a table; V is 0 where there is no output layer
    int64_t nonlinearity, residual, bfloat16;
    const float* table;        // (V, H) or null
    const float* const* w_ih;  // layers x (H, I or H); the first is null with a table
    const float* const* w_hh;  // layers x (H, H)
    const float* const* bias;  // layers x (H), each or all null
    const float* w_out;        // (V, H), output layer
    const float* b_out;        // (V) or null
} elman_decoder_spec;
typedef struct elman_decoder elman_decoder;

// How a token is sampled: temperature (0 is greedy), then the top_k most probable (0 is all), then the fewest of those
// that reach top_p in probability.
typedef struct elman_sampling_params {
    double temperature, top_p;
    int64_t top_k;
    uint64_t seed, first_draw;  // first_draw: the number of the first draw, where a text goes on
} elman_sampling_params;

// Null: no memory, or a spec that makes no sense. The spec's table and b_out must outlive the decoder.
ELMAN_API elman_decoder* elman_decoder_new(const elman_decoder_spec* spec);
ELMAN_API void elman_decoder_free(elman_decoder* decoder);
// One step of S sequences: x (S, I), state (layers, S, H) read and written; the last layer's part is the output.
ELMAN_API int elman_decoder_step(elman_decoder* decoder, int64_t S, const float* x, float* state, int64_t threads);
// `length` tokens for each of S texts: first (S) is the token each goes on from, tokens (length, S) is written.
ELMAN_API int elman_decoder_generate(elman_decoder* decoder, int64_t S, int64_t length, const int64_t* first,
                                     float* state, const elman_sampling_params* params, int64_t* tokens,
                                     int64_t threads);
// One token for each row of logits (S, V), drawn as elman_decoder_generate draws its first.
ELMAN_API int elman_sample(const float* logits, int64_t S, int64_t V, const elman_sampling_params* params,
                           int64_t* tokens);

ELMAN_API int elman_abi(void);
// The structs as this library was compiled, one a line: its name, its size, then field:offset:size for each field.
ELMAN_API const char* elman_layout(void);
ELMAN_API const char* elman_isa(void);          // "avx512bf16", "avx512", "avx2" or "portable"
ELMAN_API int elman_set_isa(const char* name);  // 0, or 1 where this processor cannot run it
// Processors that this process may use, by its affinity and its control group's quota.
ELMAN_API int elman_processors(void);
// `most` threads from now on, or as many as a call asks for if that is less, even where the machine has not so many to
// give; 0: what it has. No result changes by a bit: a call's own `threads` says how the work is cut, and this by how
// many it is done.
ELMAN_API void elman_limit_threads(int most);
// Multiplies and adds for as long as `rounds` takes; returns the operations done, for a measure of the processor's
// peak.
ELMAN_API int64_t elman_multiply_adds(int64_t rounds);
ELMAN_API void elman_tanh(const float* in, float* out, int64_t n);  // for the accuracy test
ELMAN_API void elman_tanh64(const double* in, double* out, int64_t n);

#ifdef __cplusplus
}
#endif
