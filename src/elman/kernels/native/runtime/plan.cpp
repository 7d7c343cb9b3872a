#include "runtime/plan.h"

#include <algorithm>
#include <new>

#include "runtime/thresholds.h"

namespace elman {
namespace {

int64_t total_steps(const elman_call& call) {
    if (!call.lengths) return call.T * call.B;
    int64_t sum = 0;
    for (int64_t b = 0; b < call.B; ++b) sum += call.lengths[b];
    return sum;
}

int64_t step_work(const elman_call& call) { return call.H * (call.H + call.I); }
int64_t work(const elman_call& call) { return total_steps(call) * step_work(call); }

// Whether W_hh is too large for one thread's cache.
bool large(const elman_call& call, int64_t element) { return call.H * call.H * element > own_cache_bytes; }

// For how many threads the work is cut, as many as are worth their waking, and how many of them share one group's
// hidden units.
void choose_team(const elman_call& call, const Cost& cost, int threads, bool backward, Plan& plan) {
    const int64_t steps = total_steps(call);
    threads = static_cast<int>(std::min<int64_t>(threads, std::max<int64_t>(1, steps * cost.step_work / thread_work)));
    // Each group sums up gradients of all the weights, and with few steps these are most of what there is to write.
    const bool few = backward && 2 * steps < call.H;
    int members = 1;
    while (cost.shares_units && members < threads &&
           (few || cost.large || call.B < cost.sequences * (threads / members)) && threads % (members * 2) == 0 &&
           call.H >= (few ? few_steps_member_units : member_units) * members * 2)
        members *= 2;
    const int64_t groups = std::min<int64_t>(threads / members, call.B);
    plan.split = members;
    plan.groups = static_cast<int>(std::max<int64_t>(1, groups));
}

// Of the threads that the work is cut for, those that are to be had.
void choose_threads(Plan& plan, int most) {
    const int cut = plan.groups * plan.split, threads = std::min(cut, most);
    plan.members = plan.split;
    while (plan.members > 1 && plan.members * plan.groups > threads) plan.members /= 2;
    plan.threads = plan.members * std::min(plan.groups, std::max(1, threads / plan.members));
}

// The steps of each team's groups, least against most.
double idle_share(const Plan& plan) {
    int64_t least = INT64_MAX, most = 1;
    for (int team = 0; team < plan.teams(); ++team) {
        int64_t steps = 0;
        for (int g = team; g < plan.groups; g += plan.teams())
            for (int64_t r = 0; r < plan.group[g].n; ++r) steps += plan.group[g].length[r];
        least = std::min(least, steps);
        most = std::max(most, steps);
    }
    return 1 - double(least) / double(most);
}

void sort_sequences(const elman_call& call, Plan& plan, Scratch& scratch) {
    int64_t* order = scratch.take<int64_t>(call.B);
    for (int64_t b = 0; b < call.B; ++b) order[b] = b;
    if (call.lengths)
        std::stable_sort(order, order + call.B,
                         [&](int64_t a, int64_t b) { return call.lengths[a] > call.lengths[b]; });
    const int64_t groups = plan.groups;
    for (int64_t g = 0; g < groups; ++g) {
        Group& group = plan.group[g];
        const int64_t first = call.B * g / groups, last = call.B * (g + 1) / groups;
        const int64_t capacity = call.lengths ? call.B / groups + 1 : last - first;
        group.sequence = scratch.take<int64_t>(capacity);
        group.length = scratch.take<int64_t>(capacity);
        // By lengths, the groups draw in turn and back again, so that none has all the long ones.
        auto put = [&](int64_t b) {
            group.sequence[group.n] = b;
            group.length[group.n++] = call.lengths ? call.lengths[b] : call.T;
        };
        if (!call.lengths)
            for (int64_t i = first; i < last; ++i) put(order[i]);
        else
            for (int64_t i = 0; i < call.B; ++i) {
                const int64_t lap = i / groups, place = i % groups;
                if ((lap % 2 ? groups - 1 - place : place) == g) put(order[i]);
            }
    }
}

void cut_into_chunks(Group& group, int64_t most_rows, Scratch& scratch) {
    group.steps = group.n ? group.length[0] : 0;
    group.active = scratch.take<int64_t>(group.steps + 1);
    int64_t n = group.n;
    for (int64_t s = 0; s <= group.steps; ++s) {
        while (n && group.length[n - 1] <= s) --n;
        group.active[s] = n;
    }
    group.chunks = scratch.take<Chunk>(group.steps);
    for (int64_t s = 0; s < group.steps;) {
        Chunk chunk{s, s, 0};
        do {
            chunk.rows += group.active[chunk.last++];
        } while (chunk.last < group.steps && chunk.rows + group.active[chunk.last] <= most_rows);
        group.chunks[group.chunk_count++] = chunk;
        group.chunk_rows = std::max(group.chunk_rows, chunk.rows);
        s = chunk.last;
    }
}

}  // namespace

int64_t Plan::most_chunks() const {
    int64_t most = 0;
    for (int g = 0; g < groups; ++g) most = std::max(most, group[g].chunk_count);
    return most;
}

int64_t Plan::most_rows() const {
    int64_t most = 0;
    for (int g = 0; g < groups; ++g) most = std::max(most, group[g].chunk_rows);
    return most;
}

bool side_by_side(const elman_call& one, const elman_call& other, int64_t element) {
    return one.threads % 2 == 0 && total_steps(one) == total_steps(other) && work(one) >= thread_work &&
           work(other) >= thread_work && !large(one, element) && !large(other, element);
}

Cost dense_cost(const elman_call& call, int64_t element) {
    return {step_work(call), group_sequences, large(call, element), true};
}

Plan* make_plan(const elman_call& call, const Cost& cost, int threads, int most, int64_t element, bool backward,
                Scratch& scratch) {
    Plan* plan = new (scratch.take<Plan>(1)) Plan{};
    plan->call = &call;
    choose_team(call, cost, threads, backward, *plan);
    choose_threads(*plan, most);
    plan->group = scratch.take<Group>(plan->groups);
    plan->everyone.set(plan->threads);
    for (int g = 0; g < plan->groups; ++g) {
        new (&plan->group[g]) Group{};
        plan->group[g].barrier.set(plan->members);
    }
    sort_sequences(call, *plan, scratch);
    plan->idle = idle_share(*plan);
    const int64_t row = (call.I + call.H) * (backward ? 2 : 1) * element;
    const int64_t rows = std::clamp<int64_t>(chunk_bytes * plan->split / row,
                                             backward ? chunk_least_rows_backward : chunk_least_rows, chunk_most_rows);
    for (int g = 0; g < plan->groups; ++g) cut_into_chunks(plan->group[g], rows, scratch);
    return plan;
}

}  // namespace elman
