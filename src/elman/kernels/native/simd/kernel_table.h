// The table of one instruction set's kernels. Included by the .cpp of each.
#pragma once
#include "kernels.h"
#include "simd/backward.h"
#include "simd/cross_entropy.h"
#include "simd/decoder_steps.h"
#include "simd/forward.h"
#include "simd/general/backward.h"
#include "simd/general/forward.h"
#include "simd/reservoir.h"
#include "simd/step.h"

namespace elman::ELMAN_ISA {
namespace {

// `rounds` times 12 independent vectors' multiply-adds: the most this processor can do. Returns how many operations.
int64_t multiply_adds(int64_t rounds) {
    const vec<float> a = splat<float>(0.999f), b = splat<float>(0.001f);
    vec<float> s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a;
    auto step = [&](vec<float>& s) ELMAN_ALWAYS {
        s = s * a + b;
#if defined(__AVX512F__)  // or the compiler would foresee the result
        asm volatile("" : "+v"(s));
#elif defined(__x86_64__)
        asm volatile("" : "+x"(s));
#elif defined(__aarch64__)
        asm volatile("" : "+w"(s));
#endif
    };
    for (int64_t n = 0; n < rounds; ++n) {
        step(s0), step(s1), step(s2), step(s3), step(s4), step(s5);
        step(s6), step(s7), step(s8), step(s9), step(s10), step(s11);
    }
    return rounds * 12 * 2 * lanes<float>;
}

template <class T>
void tanh_all(const T* in, T* out, int64_t n) {
    for (int64_t i = 0; i < n; i += lanes<T>) store_n(out + i, tanh_of<T>(load_n(in + i, n - i)), n - i);
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {{forward<float>, forward<double>},
                         {backward<float>, backward<double>},
                         tanh_all<float>,
                         tanh_all<double>,
                         multiply_adds,
                         {pack_decoder<float>, pack_decoder<bfloat16>},
                         {run_decoder<float>, run_decoder<bfloat16>},
                         {run_step<float>, run_step<double>},
                         {cross_entropy<float>, cross_entropy<double>},
                         {general_forward<float>, general_forward<double>},
                         {general_backward<float>, general_backward<double>},
                         {reservoir<float>, reservoir<double>},
                         normal_rows};

}  // namespace elman::ELMAN_ISA
