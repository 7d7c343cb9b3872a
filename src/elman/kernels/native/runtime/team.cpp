#include "runtime/team.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include <algorithm>
#include <vector>

#include "runtime/crowding.h"
#include "runtime/openmp.h"
#include "runtime/pool.h"

namespace elman {
namespace {

std::atomic<bool> forked{false};

#if !defined(_WIN32)  // which has no fork
__attribute__((constructor)) void watch_forks() {
    pthread_atfork(nullptr, nullptr, [] { forked.store(true); });
}
#endif

thread_local int64_t slept = 0;  // ns that this thread waited beyond its spinning, in this team

bool in_threads(int threads, Work work, void* data) {
    const Ran ran = in_openmp_threads(threads, work, data);
    return ran == Ran::no_runtime ? in_own_threads(threads, work, data) : ran == Ran::yes;
}

struct alignas(cache_line) Member {
    int64_t waited, done;
};

struct Team {
    const Job& job;
    Member* members;
    int64_t began;
};

void run_member(void* data, int number) {
    const Team& team = *static_cast<const Team*>(data);
    const int64_t late = now_ns() - team.began;
    slept = 0;
    team.job.work(team.job.data, number);
    team.members[number] = {late + slept, now_ns()};
}

}  // namespace

void Barrier::meet() {
    const int round = round_.now();
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
        arrived_.store(0, std::memory_order_relaxed);
        round_.publish(!round);
    } else {
        slept += round_.wait_while(round);
    }
}

bool run_team(const Job& job) {
    const int threads = job.threads;
    if (threads == 1) {
        job.work(job.data, 0);
        return true;
    }
    if (forked.load()) return false;
    thread_local std::vector<Member> kept;
    kept.resize(threads);
    Team team{job, kept.data(), now_ns()};
    if (!in_threads(threads, run_member, &team)) return false;
    const int64_t ended = now_ns();
    int64_t waited = 0;
    for (int i = 0; i < threads; ++i) waited = std::max(waited, kept[i].waited + ended - kept[i].done);
    team_took(ended - team.began, waited, job.idle);
    return true;
}

}  // namespace elman
