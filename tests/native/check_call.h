// What the layers that elman_check makes have in common when they are called. See check.cpp.
#pragma once
#include "elman.h"

// A call of `run`, whose case `c` says its sizes and kind, in float32 or float64; without a nonlinearity and biases.
template <class Run>
elman_call call_of(Run& run, int threads) {
    const auto& c = run.c;
    elman_call call = {};
    call.T = c.T, call.B = c.B, call.I = c.I, call.H = c.H;
    call.dtype = sizeof run.x[0] == 8 ? ELMAN_FLOAT64 : ELMAN_FLOAT32;
    call.reverse = c.reverse, call.residual = c.residual, call.threads = threads;
    call.x = run.x.data(), call.h0 = run.h0.data(), call.w_ih = run.w_ih.data(), call.w_hh = run.w_hh.data();
    call.x_stride[0] = c.B * c.I, call.x_stride[1] = c.I, call.x_stride[2] = 1;
    if (c.masked) call.mask = run.mask.data();
    if (c.ragged) call.lengths = run.lengths.data();
    call.h = run.h.data(), call.h_stride[0] = c.B * c.H, call.h_stride[1] = c.H, call.h_last = run.h_last.data();
    call.grad_h = run.grad_h.data(), call.grad_h_last = run.grad_h_last.data();
    call.grad_h_stride[0] = c.B * c.H, call.grad_h_stride[1] = c.H, call.grad_h_stride[2] = 1;
    call.grad_x = run.grad_x.data(), call.grad_x_stride[0] = c.B * c.I, call.grad_x_stride[1] = c.I;
    call.grad_h0 = run.grad_h0.data(), call.grad_w_ih = run.grad_w_ih.data();
    call.grad_w_hh = run.grad_w_hh.data(), call.grad_bias = run.grad_bias.data();
    return call;
}
