// The C interface of a decoder.
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <new>

#include "kernels.h"
#include "runtime/crowding.h"
#include "runtime/memory.h"
#include "runtime/thresholds.h"

namespace elman {
namespace {

int64_t weight_bytes(const elman_decoder_spec& spec) {
    int64_t numbers = spec.H * spec.V;
    for (int64_t l = 0; l < spec.layers; ++l) numbers += spec.H * (spec.H + (l ? spec.H : spec.I));
    return numbers * (spec.bfloat16 ? 2 : 4);
}

int run(DecoderRun& job, int64_t threads) {
    const elman_decoder& decoder = *job.decoder;
    const int64_t worth = std::clamp<int64_t>(decoder.bytes * job.S / decoder_thread_bytes, 1, threads);
    job.threads = threads_now(static_cast<int>(worth));
    try {
        const auto go = decoder.kernels->run_decoder[decoder.spec.bfloat16 ? 1 : 0];
        if (!go(job)) {
            job.threads = 1;
            go(job);
        }
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
    return ELMAN_OK;
}

}  // namespace
}  // namespace elman

using elman::huge_page;

elman_decoder* elman_decoder_new(const elman_decoder_spec* spec) {
    if (spec->layers < 1 || spec->H < 1 || spec->I < 0 || spec->V < 0 || (!spec->table && !spec->I)) return nullptr;
    elman_decoder* decoder = static_cast<elman_decoder*>(calloc(1, sizeof(elman_decoder)));
    if (!decoder) return nullptr;
    decoder->spec = *spec;
    decoder->kernels = &elman::current_kernels();
    const auto pack = decoder->kernels->pack_decoder[spec->bfloat16 ? 1 : 0];
    const size_t size = (pack(*decoder, nullptr) + huge_page - 1) / huge_page * huge_page;
    decoder->packed = elman::take_memory(size);
    if (!decoder->packed) {
        free(decoder);
        return nullptr;
    }
    pack(*decoder, static_cast<char*>(decoder->packed));
    decoder->bytes = elman::weight_bytes(*spec);
    return decoder;
}

void elman_decoder_free(elman_decoder* decoder) {
    if (decoder) elman::give_back(decoder->packed);
    free(decoder);
}

int elman_decoder_step(elman_decoder* decoder, int64_t S, const float* x, float* state, int64_t threads) {
    if (S < 1 || threads < 1 || decoder->spec.table) return ELMAN_BAD_CALL;
    elman::DecoderRun job{};
    job.decoder = decoder, job.S = S, job.length = 1, job.x = x, job.state = state;
    return elman::run(job, threads);
}

int elman_decoder_generate(elman_decoder* decoder, int64_t S, int64_t length, const int64_t* first, float* state,
                           const elman_sampling_params* params, int64_t* tokens, int64_t threads) {
    const elman_decoder_spec& spec = decoder->spec;
    if (S < 1 || length < 0 || threads < 1 || !spec.table || !spec.w_out || spec.V < 1) return ELMAN_BAD_CALL;
    for (int64_t s = 0; s < S; ++s)
        if (first[s] < 0 || first[s] >= spec.V) return ELMAN_BAD_CALL;
    elman::DecoderRun job{};
    job.decoder = decoder, job.S = S, job.length = length, job.first = first;
    job.state = state, job.params = params, job.tokens = tokens;
    return elman::run(job, threads);
}

int elman_sample(const float* logits, int64_t S, int64_t V, const elman_sampling_params* params, int64_t* tokens) {
    if (S < 0 || V < 1) return ELMAN_BAD_CALL;
    try {
        elman::Scratch& scratch = elman::this_threads_scratch();
        scratch.reset();
        float* copy = scratch.take<float>(S * V);
        memcpy(copy, logits, S * V * sizeof(float));
        elman::sample_tokens(copy, S, V, V, *params, 0, scratch.take<float>(2 * V), tokens);
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
    return ELMAN_OK;
}
