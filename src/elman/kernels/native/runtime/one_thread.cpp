// The team where there is one thread and no operating system: WebAssembly. In the place of team.cpp and crowding.cpp.
#include <time.h>

#include "runtime/crowding.h"
#include "runtime/team.h"

namespace elman {

int64_t now_ns() {
    timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return int64_t(at.tv_sec) * 1000000000 + at.tv_nsec;
}

int available_processors() { return 1; }
int threads_now(int) { return 1; }
void limit_threads(int) {}
void team_took(int64_t, int64_t, double) {}

void Barrier::meet() {}

bool run_team(const Job& job) {
    if (job.threads != 1) return false;
    job.work(job.data, 0);
    return true;
}

}  // namespace elman
