// A stack of layers whose weights were packed once, and one run of it.
#pragma once
#include "elman.h"
#include "team.h"

namespace elman {
struct Machine;
}

struct elman_stack {
    elman_stack_spec spec;
    const elman::Machine* machine;  // whose panels these are
    void* room;                     // all that was packed
    void** weights;                 // layers: panels of [W_ih W_hh]^T, K = inputs + H
    void* output;                   // panels of w_out^T
    const float** bias;             // layers: padded, or null
    int64_t bytes;                  // of the weights that a step reads
};

namespace elman {

struct StackRun {
    elman_stack* stack;
    int64_t S, length;
    const float* x;        // one step from x, or
    const int64_t* first;  // many from a token
    float* state;
    const elman_choice* choice;
    int64_t* tokens;
    int threads;
    Barrier barrier;
    // what a machine takes from the caller's scratch before the team starts
    float** rows;  // 2 per layer, in turn: (S, [inputs] + H) what the step's product reads
    float* logits;
    float* order;
};

// Draw one token for each of S rows of logits (rows `row_length` apart), which are overwritten; `room` holds 2 V floats.
void choose_tokens(float* logits, int64_t S, int64_t V, int64_t row_length, const elman_choice& choice, uint64_t draw,
                   float* room, int64_t* tokens);

}  // namespace elman
