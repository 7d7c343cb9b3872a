// The C interface of the general recurrence: a leak, noise, resets, other functions, in a rate and a current form. The
// equations are those of kernels/general/reference.py. Every field is eight bytes wide, as in elman.h.
#pragma once
#include "elman.h"

#ifdef __cplusplus
extern "C" {
#endif

// Goes on from enum elman_nonlinearity.
enum elman_general_nonlinearity {
    ELMAN_SIGMOID = 2,
    ELMAN_SOFTPLUS = 3,
    ELMAN_HARDTANH = 4,
    ELMAN_RECTIFIED_TANH = 5,
    ELMAN_LEAKY_RELU = 6,
    ELMAN_IDENTITY = 7,
};

typedef struct elman_general_call {
    elman_call
        call;  // float32 or float64; `nonlinearity` may be a general one; h_last is the state: v, in current form
    int64_t current;       // the form: 0 rate, 1 current
    int64_t seed, stream;  // of the noise
    const void* leak;      // (H) or null: 1; not with `residual`
    const void* noise;     // (H) the noise's size, or null
    const void* restart;   // (H) the state that a reset goes to, or null: zeros
    const uint8_t* reset;  // (T, B) 0 or 1, or null
    int64_t reset_stride[2];
    void* extra;  // (T, B, H) rows: f(a) of the rate form, v of the current form; null where f(a) is h, and in a
    // forward pass of the rate form without a backward one
    int64_t extra_stride[2];
    void* grad_leak;  // (H), or null where not wanted; likewise below
    void* grad_noise;
    void* grad_restart;
    // W_hh = w_hh w_in^T of low rank, both (H, rank); rank is 0 and w_in null where w_hh is W_hh. The backward pass
    // then gives no gradients of x, the weights and the bias but dL/dz, of which they are products.
    int64_t rank;
    const void* w_in;
    void* grad_z;  // (T, B, H), backward
    // (H, H) 0 or 1, or null: where it is 0 W_hh is zero, whatever w_hh holds there, and so is its gradient. A step
    // costs what the connections do. Not with a rank.
    const uint8_t* connected;
} elman_general_call;

// `count` calls that need nothing of each other, such as many networks: the threads take them in turn, each call by one
// thread, or where they are fewer than the threads one after the other by all.
ELMAN_API int elman_general_forward(const elman_general_call* calls, int64_t count);
ELMAN_API int elman_general_backward(const elman_general_call* calls, int64_t count);
// The noise of one recurrence, (T, B, H).
ELMAN_API void elman_normal(int64_t seed, int64_t stream, int64_t T, int64_t B, int64_t H, float* to);

#ifdef __cplusplus
}
#endif
