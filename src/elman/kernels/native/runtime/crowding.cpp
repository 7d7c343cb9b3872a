#include "runtime/crowding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sched.h>
#elif defined(_WIN32)
#include <windows.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <thread>

#include "runtime/thresholds.h"

namespace elman {
namespace {

#if defined(__linux__)
int by_affinity() {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? INT_MAX : std::max(1, CPU_COUNT(&set));
}

// "max 100000" or "200000 100000" of version 2 of control groups; two files of version 1.
int by_quota() {
    char quota[32] = "";
    int64_t period = 0, used = -1;
    if (FILE* file = fopen("/sys/fs/cgroup/cpu.max", "r")) {
        if (fscanf(file, "%31s %" SCNd64, quota, &period) == 2 && quota[0] != 'm') used = atoll(quota);
        fclose(file);
    } else if (FILE* first = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r")) {
        if (fscanf(first, "%" SCNd64, &used) != 1) used = -1;
        fclose(first);
        if (FILE* second = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r")) {
            if (fscanf(second, "%" SCNd64, &period) != 1) period = 0;
            fclose(second);
        }
    }
    if (used <= 0 || period <= 0) return INT_MAX;
    return static_cast<int>(std::max<int64_t>(1, used / period));
}
#else
#if defined(_WIN32)
int by_affinity() {
    DWORD_PTR ours = 0, all = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all) || !ours) return INT_MAX;
    return __builtin_popcountll(ours);
}
#else
int by_affinity() { return std::max(1u, std::thread::hardware_concurrency()); }
#endif
int by_quota() { return INT_MAX; }
#endif

std::atomic<int> processors{0}, limit{0};
std::atomic<int64_t> read_at{0};
std::atomic<int64_t> crowded_until{0}, pause_ns{0};

}  // namespace

int64_t now_ns() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

int available_processors() {
    const int64_t now = now_ns();
    if (!processors.load() || now - read_at.load() > limits_read_ns) {
        read_at.store(now);
        processors.store(std::min(by_affinity(), by_quota()));
    }
    return processors.load();
}

int threads_now(int wanted) {
    if (wanted <= 1) return 1;
    if (const int most = limit.load(std::memory_order_relaxed)) return std::min(wanted, most);
    const int64_t until = crowded_until.load(std::memory_order_relaxed);
    if (until && now_ns() < until) return 1;
    return std::min(wanted, available_processors());
}

void limit_threads(int most) { limit.store(most); }

void team_took(int64_t wall, int64_t waited, double idle) {
    if (waited < crowded_least_ns || waited < (crowded_share + idle) * wall) {
        if (pause_ns.load(std::memory_order_relaxed)) {
            pause_ns.store(0);
            crowded_until.store(0);
        }
        return;
    }
    // The pause is many times what was lost, so that trying again costs little.
    const int64_t pause =
        std::clamp(std::max(2 * pause_ns.load(), crowded_pauses * waited), crowded_shortest_ns, crowded_longest_ns);
    pause_ns.store(pause);
    crowded_until.store(now_ns() + pause);
}

}  // namespace elman
