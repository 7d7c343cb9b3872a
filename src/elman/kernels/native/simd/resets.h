// Where a sequence begins anew in the middle. The plain recurrence knows resets to zero; general/ has the others.
#pragma once
#include "elman_general.h"
#include "runtime/plan.h"
#include "simd/rows.h"

namespace elman::ELMAN_ISA {
namespace {

// Whether the state of sequence b is reset before its step at time t.
ELMAN_INLINE bool is_reset(const elman_general_call& general, int64_t t, int64_t b) {
    return general.reset && general.reset[t * general.reset_stride[0] + b * general.reset_stride[1]];
}

// Calls `act` with each sequence of the group that is reset before its step s.
template <class Act>
ELMAN_INLINE void for_each_reset(const Plan& plan, const Group& group, int64_t s, const Act& act) {
    if (!plan.resets || s >= group.steps) return;
    for (int64_t r = 0; r < group.active[s]; ++r)
        if (is_reset(*plan.resets, time_of(group, r, s, plan.call->reverse), group.sequence[r])) act(r);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
