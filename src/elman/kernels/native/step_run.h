// One step of a stack of layers that reads the weights where they lie, and keeps nothing.
#pragma once
#include "elman.h"
#include "runtime/team.h"

namespace elman {

struct StepRun {
    const elman_step_call* call;
    const void* const* weights;  // w_ih, w_hh, b_ih, b_hh of each layer
    int threads;
    Barrier barrier;
    void* workspace;  // taken from the caller's scratch before the team starts, so much for each thread
    int64_t workspace_each;
};

// How many threads are worth waking for it.
int64_t step_worth(const elman_step_call& call);

// What elman_step does with a call that is valid.
int take_step(const elman_step_call& call);

}  // namespace elman
