// The C interface of a stack of layers.
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <new>

#include "isa.h"

namespace elman {
namespace {

constexpr int64_t bytes_a_thread = 512 * 1024;  // weights that are worth a thread of their own at every step

int64_t weight_bytes(const elman_stack_spec& spec) {
    int64_t numbers = spec.H * spec.V;
    for (int64_t l = 0; l < spec.layers; ++l) numbers += spec.H * (spec.H + (l ? spec.H : spec.I));
    return numbers * (spec.bfloat16 ? 2 : 4);
}

int run(StackRun& job, int64_t threads) {
    const elman_stack& stack = *job.stack;
    job.threads = static_cast<int>(std::clamp<int64_t>(stack.bytes * job.S / bytes_a_thread, 1, threads));
    try {
        const auto go = stack.machine->run_stack[stack.spec.bfloat16 ? 1 : 0];
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

elman_stack* elman_stack_new(const elman_stack_spec* spec) {
    if (spec->layers < 1 || spec->H < 1 || spec->I < 0 || spec->V < 0 || (!spec->table && !spec->I)) return nullptr;
    elman_stack* stack = static_cast<elman_stack*>(calloc(1, sizeof(elman_stack)));
    if (!stack) return nullptr;
    stack->spec = *spec;
    stack->machine = &elman::chosen_machine();
    const auto pack = stack->machine->pack_stack[spec->bfloat16 ? 1 : 0];
    const size_t huge = size_t(2) << 20, size = (pack(*stack, nullptr) + huge - 1) / huge * huge;
    stack->room = aligned_alloc(huge, size);
    if (!stack->room) {
        free(stack);
        return nullptr;
    }
    elman::advise_huge(stack->room, size);
    pack(*stack, static_cast<char*>(stack->room));
    stack->bytes = elman::weight_bytes(*spec);
    return stack;
}

void elman_stack_free(elman_stack* stack) {
    if (stack) free(stack->room);
    free(stack);
}

int elman_stack_step(elman_stack* stack, int64_t S, const float* x, float* state, int64_t threads) {
    if (S < 1 || threads < 1 || stack->spec.table) return ELMAN_BAD_CALL;
    elman::StackRun job{};
    job.stack = stack, job.S = S, job.length = 1, job.x = x, job.state = state;
    return elman::run(job, threads);
}

int elman_stack_generate(elman_stack* stack, int64_t S, int64_t length, const int64_t* first, float* state,
                         const elman_choice* choice, int64_t* tokens, int64_t threads) {
    const elman_stack_spec& spec = stack->spec;
    if (S < 1 || length < 0 || threads < 1 || !spec.table || !spec.w_out || spec.V < 1) return ELMAN_BAD_CALL;
    for (int64_t s = 0; s < S; ++s)
        if (first[s] < 0 || first[s] >= spec.V) return ELMAN_BAD_CALL;
    elman::StackRun job{};
    job.stack = stack, job.S = S, job.length = length, job.first = first;
    job.state = state, job.choice = choice, job.tokens = tokens;
    return elman::run(job, threads);
}

int elman_choose(const float* logits, int64_t S, int64_t V, const elman_choice* choice, int64_t* tokens) {
    if (S < 0 || V < 1) return ELMAN_BAD_CALL;
    try {
        elman::Scratch& scratch = elman::this_threads_scratch();
        scratch.reset();
        float* copy = scratch.take<float>(S * V);
        memcpy(copy, logits, S * V * sizeof(float));
        elman::choose_tokens(copy, S, V, V, *choice, 0, scratch.take<float>(2 * V), tokens);
    } catch (const std::bad_alloc&) {
        return ELMAN_NO_MEMORY;
    }
    return ELMAN_OK;
}
