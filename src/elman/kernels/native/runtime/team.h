// Threads: a team out of torch's own OpenMP pool, or of the library's where there is none, and the barrier its members
// meet at.
#pragma once
#include <atomic>

#include "runtime/inline.h"
#include "runtime/signal.h"

namespace elman {

// Spins for some microseconds, then sleeps until it is woken: with more threads than processors the one that is waited
// for must be able to run, and one that merely yields is back only after another process's whole time slice.
class Barrier {
  public:
    ELMAN_INLINE void set(int members) { members_ = members; }
    ELMAN_INLINE void wait() {
        if (members_ > 1) meet();
    }

  private:
    void meet();
    int members_ = 1;
    alignas(cache_line) std::atomic<int> arrived_{0};
    Signal round_;
};

typedef void (*Work)(void* job, int thread);

struct Job {
    Work work;
    void* data;
    int threads;
    double idle;  // the share of the call for which a thread has nothing to do, by the plan
};

// Runs work(job, 0..threads-1), each in a thread of its own. False, and nothing has run, where the runtime cannot give
// as many: inside another parallel region, or in a forked child, whose pool did not come along.
bool run_team(const Job& job);

}  // namespace elman
