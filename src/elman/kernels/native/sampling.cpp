// Sampling a token from its logits: temperature, then top-k, then top-p. Chance is a counter hashed with the seed
// (Steele, Lea and Flood 2014, SplitMix64), so that draw number n of a seed is the same on every processor and for any
// thread count.
#include <math.h>

#include <algorithm>

#include "decoder.h"

namespace elman {
namespace {

double uniform(uint64_t seed, uint64_t draw) {
    auto mix = [](uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    };
    return static_cast<double>(mix(mix(seed) + (draw + 1) * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
}

constexpr auto descending = [](float a, float b) { return a > b; };

// The least logit that top_k keeps.
float top_k_least(const float* logits, int64_t V, int64_t top_k, float* workspace) {
    if (top_k <= 0 || top_k >= V) return -INFINITY;
    std::copy(logits, logits + V, workspace);
    std::nth_element(workspace, workspace + top_k - 1, workspace + V, descending);
    return workspace[top_k - 1];
}

// Sets to 0 what top_p drops of p, whose sum is `sum`; returns the sum of what is left.
double keep_top_p(float* p, int64_t V, double top_p, double sum, float* workspace) {
    std::copy(p, p + V, workspace);
    std::sort(workspace, workspace + V, descending);
    double before = 0, enough = top_p * sum;
    int64_t kept = 0;
    while (kept < V && before < enough) before += workspace[kept++];
    kept = std::max<int64_t>(kept, 1);
    const float least = workspace[kept - 1];
    int64_t ties = std::count(workspace, workspace + kept, least);  // of several equal ones the first are kept
    sum = 0;
    for (int64_t v = 0; v < V; ++v) {
        if (p[v] < least || (p[v] == least && ties-- <= 0)) p[v] = 0;
        sum += p[v];
    }
    return sum;
}

int64_t sample_token(float* p, int64_t V, const elman_sampling_params& params, double chance, float* workspace) {
    if (params.temperature == 0) return std::max_element(p, p + V) - p;
    const float largest = *std::max_element(p, p + V), least = top_k_least(p, V, params.top_k, workspace);
    const float scale = static_cast<float>(1 / params.temperature);
    double sum = 0;
    for (int64_t v = 0; v < V; ++v) {
        p[v] = p[v] < least ? 0 : expf((p[v] - largest) * scale);
        sum += p[v];
    }
    if (params.top_p < 1) sum = keep_top_p(p, V, params.top_p, sum, workspace);
    double left = chance * sum;
    int64_t token = 0;
    for (int64_t v = 0; v < V; ++v) {
        if (p[v] <= 0) continue;
        token = v;
        left -= p[v];
        if (left < 0) break;
    }
    return token;
}

}  // namespace

void sample_tokens(float* logits, int64_t S, int64_t V, int64_t row_length, const elman_sampling_params& params,
                   uint64_t draw, float* workspace, int64_t* tokens) {
    for (int64_t s = 0; s < S; ++s)
        tokens[s] = sample_token(logits + s * row_length, V, params,
                                 uniform(params.seed, (params.first_draw + draw) * S + s), workspace);
}

}  // namespace elman
