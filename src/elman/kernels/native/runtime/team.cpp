#include "runtime/team.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include "runtime/thresholds.h"

namespace elman {
namespace {

std::atomic<bool> forked{false};

__attribute__((constructor)) void watch_forks() {
    pthread_atfork(nullptr, nullptr, [] { forked.store(true); });
}

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

void Barrier::meet() {
    const int round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
        arrived_.store(0, std::memory_order_relaxed);
        round_.store(round + 1, std::memory_order_release);
        return;
    }
    for (int i = 0; i < barrier_spins; ++i) {
        if (round_.load(std::memory_order_acquire) != round) return;
        relax();
    }
    while (round_.load(std::memory_order_acquire) == round) sched_yield();
}

bool run_team(int threads, Work work, void* job) {
    if (threads == 1) {
        work(job, 0);
        return true;
    }
    if (forked.load() || omp_in_parallel()) return false;
    bool complete = true;
#pragma omp parallel num_threads(threads)
    {
        if (omp_get_num_threads() == threads)
            work(job, omp_get_thread_num());
        else if (omp_get_thread_num() == 0)
            complete = false;
    }
    return complete;
}

}  // namespace elman
