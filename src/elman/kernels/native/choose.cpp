// Choosing a token from its logits: temperature, then top-k, then top-p. Chance is a counter hashed with the seed (Steele,
// Lea and Flood 2014, SplitMix64), so that draw number n of a seed is the same on every machine and for any thread count.
#include <math.h>

#include <algorithm>

#include "stack_plan.h"

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

// The most probable logits first; only as many of them are put in order as top_k or top_p asks for.
int64_t choose_one(float* p, int64_t V, const elman_choice& choice, double chance, float* room) {
    if (choice.temperature == 0) return std::max_element(p, p + V) - p;
    const float largest = *std::max_element(p, p + V);
    float least = -INFINITY;
    if (choice.top_k > 0 && choice.top_k < V) {
        std::copy(p, p + V, room);
        std::nth_element(room, room + choice.top_k - 1, room + V, [](float a, float b) { return a > b; });
        least = room[choice.top_k - 1];
    }
    const float scale = static_cast<float>(1 / choice.temperature);
    double sum = 0;
    for (int64_t v = 0; v < V; ++v) {
        p[v] = p[v] < least ? 0 : expf((p[v] - largest) * scale);
        sum += p[v];
    }
    if (choice.top_p < 1) {
        std::copy(p, p + V, room);
        std::sort(room, room + V, [](float a, float b) { return a > b; });
        double before = 0, enough = choice.top_p * sum;
        int64_t kept = 0;
        while (kept < V && before < enough) before += room[kept++];
        const float bar = room[kept - 1];
        // of several equal ones at the bar, the first are kept
        int64_t at_bar = std::count(room, room + kept, bar);
        sum = 0;
        for (int64_t v = 0; v < V; ++v) {
            if (p[v] < bar || (p[v] == bar && at_bar-- <= 0)) p[v] = 0;
            sum += p[v];
        }
    }
    double left = chance * sum;
    int64_t chosen = 0;
    for (int64_t v = 0; v < V; ++v) {
        if (p[v] <= 0) continue;
        chosen = v;
        left -= p[v];
        if (left < 0) break;
    }
    return chosen;
}

}  // namespace

void choose_tokens(float* logits, int64_t S, int64_t V, int64_t row_length, const elman_choice& choice, uint64_t draw,
                   float* room, int64_t* tokens) {
    for (int64_t s = 0; s < S; ++s)
        tokens[s] = choose_one(logits + s * row_length, V, choice, uniform(choice.seed, (choice.first_draw + draw) * S + s), room);
}

}  // namespace elman
