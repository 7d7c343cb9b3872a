// How many instructions a pass takes in float32 and with products of bfloat16: for an emulator, whose time stamps count
// them, where no processor at hand has the second. One thread. Run on Debian, with Bochs 3 (tests/native/boot.sh):
// cmake -S . -B build/ticks -DELMAN_CHECK=ON -DELMAN_SANITIZE=OFF -DCMAKE_EXE_LINKER_FLAGS=-static
// cmake --build build/ticks --target elman_ticks
// sh tests/native/boot.sh build/ticks/src/elman/kernels/native/elman_ticks
#include <stdio.h>
#include <x86intrin.h>

#include <vector>

#include "elman.h"

namespace {

struct Layer {
    int64_t T, B, H;
    std::vector<float> x, w_ih, w_hh, h, h_last, grad_x, grad_w_ih, grad_w_hh, grad_bias;
    Layer(int64_t T, int64_t B, int64_t H) : T(T), B(B), H(H) {
        for (auto* rows : {&x, &h, &grad_x}) rows->resize(T * B * H, 0.5f);
        for (auto* square : {&w_ih, &w_hh, &grad_w_ih, &grad_w_hh}) square->resize(H * H, 0.01f);
        h_last.resize(B * H), grad_bias.resize(H);
    }
    elman_call call(int64_t dtype) {
        elman_call call = {};
        call.T = T, call.B = B, call.I = H, call.H = H, call.dtype = dtype, call.threads = 1;
        call.x = x.data(), call.w_ih = w_ih.data(), call.w_hh = w_hh.data(), call.h = h.data();
        call.x_stride[0] = call.h_stride[0] = call.grad_x_stride[0] = call.grad_h_stride[0] = B * H;
        call.x_stride[1] = call.h_stride[1] = call.grad_x_stride[1] = call.grad_h_stride[1] = H;
        call.x_stride[2] = call.grad_h_stride[2] = 1;
        call.h_last = h_last.data(), call.grad_h = x.data(), call.grad_x = grad_x.data();
        call.grad_w_ih = grad_w_ih.data(), call.grad_w_hh = grad_w_hh.data(), call.grad_bias = grad_bias.data();
        return call;
    }
    // Of a forward pass, or of one and the way back; the second of two, which finds memory and pages.
    double ticks(int64_t dtype, bool training) {
        const elman_call one = call(dtype);
        uint64_t begin = 0;
        for (int turn = 0; turn < 2; ++turn) {
            begin = __rdtsc();
            elman_forward(&one, 1);
            if (training) elman_backward(&one, 1);
        }
        return double(__rdtsc() - begin);
    }
};

}  // namespace

int main() {
    printf("%s\n%6s %6s %6s %12s %12s\n", elman_isa(), "T", "B", "H", "forward", "train");
    for (int64_t H : {128, 256, 512, 1024})
        for (int64_t B : {1, 16, 64}) {
            Layer layer(8, B, H);
            printf("%6d %6d %6d", int(layer.T), int(B), int(H));
            for (bool training : {false, true})
                printf(" %12.2f", layer.ticks(ELMAN_FLOAT32, training) / layer.ticks(ELMAN_BFLOAT16, training));
            printf("\n");
        }
    return 0;
}
