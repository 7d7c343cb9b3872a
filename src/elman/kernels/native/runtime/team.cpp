#include "runtime/team.h"

#if defined(ELMAN_STD_THREADS)
#include <thread>
#else
#include <omp.h>
#endif
#include <pthread.h>
#include <sched.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <climits>
#include <vector>

#include "runtime/crowding.h"
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

// Until `word` is no longer `value`, or for no reason.
void sleep_while(std::atomic<int>& word, int value) {
#if defined(__linux__)
    syscall(SYS_futex, reinterpret_cast<int*>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
    if (word.load() == value) sched_yield();
#endif
}

void wake_all(std::atomic<int>& word) {
#if defined(__linux__)
    syscall(SYS_futex, reinterpret_cast<int*>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
#else
    (void)word;
#endif
}
static_assert(sizeof(std::atomic<int>) == sizeof(int), "a futex is a plain int");

thread_local int64_t slept = 0;  // ns that this thread waited beyond its spinning, in this team

}  // namespace

void Barrier::meet() {
    const int round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
        arrived_.store(0, std::memory_order_relaxed);
        round_.store(round + 1);
        if (sleepers_.load()) wake_all(round_);
        return;
    }
    for (int i = 0; i < 64; ++i) {
        if (round_.load(std::memory_order_acquire) != round) return;
        relax();
    }
    const int64_t began = now_ns();
    int64_t now = began;
    while (now - began < barrier_spin_ns) {
        for (int i = 0; i < 32; ++i) {
            if (round_.load(std::memory_order_acquire) != round) {
                slept += now - began;
                return;
            }
            relax();
        }
        now = now_ns();
    }
    // Whoever ends the round stores it before it looks for sleepers, and a sleeper counts itself before it looks at the
    // round: one of the two sees the other.
    sleepers_.fetch_add(1);
    while (round_.load() == round) sleep_while(round_, round);
    sleepers_.fetch_sub(1);
    slept += now_ns() - began;
}

namespace {

// body(0..threads-1), each in a thread of its own; false, and nothing has run, where there are not as many.
#if defined(ELMAN_STD_THREADS)  // for ThreadSanitizer, which does not see how OpenMP's threads wait for each other
template <class Body>
bool in_threads(int threads, const Body& body) {
    std::vector<std::thread> others;
    for (int number = 1; number < threads; ++number) others.emplace_back(body, number);
    body(0);
    for (std::thread& other : others) other.join();
    return true;
}
#else
template <class Body>
bool in_threads(int threads, const Body& body) {
    if (omp_in_parallel()) return false;
    bool complete = true;
#pragma omp parallel num_threads(threads)
    {
        const int number = omp_get_thread_num();
        if (omp_get_num_threads() == threads)
            body(number);
        else if (number == 0)
            complete = false;
    }
    return complete;
}
#endif

}  // namespace

bool run_team(const Job& job) {
    const int threads = job.threads;
    if (threads == 1) {
        job.work(job.data, 0);
        return true;
    }
    if (forked.load()) return false;
    struct alignas(cache_line) Member {
        int64_t waited, done;
    };
    thread_local std::vector<Member> kept;
    kept.resize(threads);
    Member* const members = kept.data();
    const int64_t began = now_ns();
    const auto body = [&, members](int number) {
        const int64_t late = now_ns() - began;
        slept = 0;
        job.work(job.data, number);
        members[number] = {late + slept, now_ns()};
    };
    if (!in_threads(threads, body)) return false;
    const int64_t ended = now_ns();
    int64_t waited = 0;
    for (int i = 0; i < threads; ++i) waited = std::max(waited, members[i].waited + ended - members[i].done);
    team_took(ended - began, waited, job.idle);
    return true;
}

}  // namespace elman
