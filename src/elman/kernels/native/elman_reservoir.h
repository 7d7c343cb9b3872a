// The C interface of a reservoir: the recurrence in its leaky rate form with a sparse W_hh that is not trained. Units
// stand in groups of 8 that receive from the same others, so that a group's sum is a vector's. Every field is eight
// bytes wide, as in elman.h.
#pragma once
#include "elman.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ELMAN_GROUP = 8 };

// G groups = H / 8, rounded up; K connections of all groups together; everything is contiguous but h.
typedef struct elman_reservoir_call {
    int64_t T, B, I, H, K;
    int64_t dtype, nonlinearity;  // float32 or float64; tanh, relu or ELMAN_IDENTITY
    int64_t values_dtype;         // that of `values`: `dtype`, or float32 where half the size is worth a conversion
    const void* x;                // (T, B, I)
    const void* h0;               // (B, H)
    const void* w_ih;             // (I, 8 G)
    const void* bias;             // (8 G)
    const void* leak;             // (8 G)
    const int64_t* starts;        // (G + 1) the first connection of each group, and K
    const int32_t* sources;       // (K) the unit that a connection comes from
    const void* values;           // (K, 8) its weight to each unit of the group
    void* h;                      // (T, B, H) rows
    int64_t h_stride[2];
} elman_reservoir_call;

// h_t = (1 - a) h_(t-1) + a f(W_ih x_t + W_hh h_(t-1) + b), by one thread.
ELMAN_API int elman_reservoir(const elman_reservoir_call* call);

#ifdef __cplusplus
}
#endif
