// A decoder: layers whose weights were packed once, and one run of it.
#pragma once
#include "elman.h"
#include "runtime/team.h"

namespace elman {
struct Kernels;
}

struct elman_decoder {
    elman_decoder_spec spec;
    const elman::Kernels* kernels;  // whose panels these are
    void* packed;                   // the memory of all that follows
    void** weights;                 // layers: panels of [W_ih W_hh]^T, K = inputs + H
    void* output;                   // panels of w_out^T
    const float** bias;             // layers: padded, or null
    int64_t bytes;                  // of the weights that a step reads
};

namespace elman {

struct DecoderRun {
    elman_decoder* decoder;
    int64_t S, length;
    const float* x;        // one step from x, or
    const int64_t* first;  // many from a token
    float* state;
    const elman_sampling_params* params;
    int64_t* tokens;
    int threads;
    Barrier barrier;
    // what the kernels take from the caller's scratch before the team starts
    float** rows;  // 2 per layer, in turn: (S, [inputs] + H) what the step's product reads
    float* logits;
    float* workspace;  // 2 V, for sampling
};

// Draw one token for each of S rows of logits (rows `row_length` apart), which are overwritten; `workspace` holds 2 V
// floats.
void sample_tokens(float* logits, int64_t S, int64_t V, int64_t row_length, const elman_sampling_params& params,
                   uint64_t draw, float* workspace, int64_t* tokens);

}  // namespace elman
