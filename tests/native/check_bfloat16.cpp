// The native library's layer with products of bfloat16 against the equations with rounded factors; where the
// instruction set has no such products, it must be the layer of float32 to the bit. See check.cpp.
#include "check_bfloat16.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check_plain.h"

namespace {

// Sums of float32 and of float64 may round a factor to either side, and all that follows from it.
constexpr double tolerance = 1. / 256;

bool same(const char* name, const std::vector<double>& want, const std::vector<float>& got, const Case& c,
          const char* isa) {
    if (close(want, std::vector<double>(got.begin(), got.end()), tolerance)) return true;
    double worst = 0, largest = 0;
    for (size_t i = 0; i < want.size(); ++i)
        worst = fmax(worst, fabs(want[i] - got[i])), largest = fmax(largest, fabs(want[i]));
    printf("bfloat16: %s differs by %.1e of %.1e: %s, T %" PRId64 " B %" PRId64 " I %" PRId64 " H %" PRId64 "\n", name,
           worst, largest, isa, c.T, c.B, c.I, c.H);
    return false;
}

bool run(Run<float>& run, int threads) {
    const elman_call call = run.native_call(threads);
    return elman_forward(&call, 1) == ELMAN_OK && elman_backward(&call, 1) == ELMAN_OK;
}

// `want` has the states of the equations with rounded factors, where the instruction set multiplies such.
bool agrees(const Run<double>& want, unsigned seed, int threads, bool multiplies, const char* isa) {
    const Case& c = want.c;
    Run<float> got(c, seed), fewer(c, seed), single(c, seed);
    got.dtype = fewer.dtype = ELMAN_BFLOAT16;
    elman_limit_threads(threads);
    if (!run(got, threads) || !run(single, threads)) return false;
    elman_limit_threads(1);
    if (!run(fewer, threads) || !same_bits(got, fewer)) {
        printf("bfloat16: other bits by one thread: %s, seed %u\n", isa, seed);
        return false;
    }
    if (!multiplies) return same_bits(got, single);
    if (!c.ragged && same_bits(got, single)) {  // a sequence may have no step
        printf("bfloat16: not rounded: %s, seed %u\n", isa, seed);
        return false;
    }
    // from the library's own states: where relu's sum is nearly zero, another rounding is another gradient
    Run<double> back = want;
    back.h.assign(got.h.begin(), got.h.end());
    back.plain_backward(true);
    return same("h", want.h, got.h, c, isa) & same("h_last", want.h_last, got.h_last, c, isa) &
           same("grad_x", back.grad_x, got.grad_x, c, isa) & same("grad_h0", back.grad_h0, got.grad_h0, c, isa) &
           same("grad_w_ih", back.grad_w_ih, got.grad_w_ih, c, isa) &
           same("grad_w_hh", back.grad_w_hh, got.grad_w_hh, c, isa) &
           same("grad_bias", back.grad_bias, got.grad_bias, c, isa);
}

}  // namespace

bool bfloat16_agrees(const char* isa, bool quick) {
#if defined(ELMAN_CHECK_BFLOAT16)
    const char* by_shifts = "portable";
#else
    const char* by_shifts = "";
#endif
    const bool multiplies = !strcmp(isa, "avx512bf16") || !strcmp(isa, by_shifts);
    // odd and even K, one and several panels and tiles, chunks, few steps, and sums over K that are cut
    const int64_t shapes[][4] = {{5, 3, 2, 97},     {2, 1, 5, 130},   {9, 5, 31, 113},    {4, 26, 41, 96},
                                 {3, 2, 5, 257},    {24, 13, 1, 97},  {40, 9, 40, 96},    {2, 30, 7, 1030},
                                 {5, 27, 1030, 33}, {6, 30, 5, 1023}, {6, 30, 1023, 131}, {90, 5, 7, 1023}};
    bool well = true;
    unsigned seed = 0;
    for (const auto& s : shapes)
        for (int kind = 0; kind < 4; ++kind, ++seed) {
            if (s[2] + s[3] > 1000 && (quick ? kind : kind % 3)) continue;  // the largest as two kinds, or one
            const bool relu = kind == 1;
            const Case c = {s[0],      s[1],      s[2],          s[3],     relu ? ELMAN_RELU : ELMAN_TANH,
                            kind >= 2, kind == 3, kind % 3 == 0, kind > 0, kind != 2};
            Run<double> want(c, seed);
            if (multiplies) want.plain_forward(true);
            for (int threads : {1, 2, 3, 4})
                if (quick ? threads == 2 : threads % 2 || s[0] * s[3] < 50'000)  // one and three, of the largest
                    well &= agrees(want, seed, threads, multiplies, isa);
        }
    return well;
}
