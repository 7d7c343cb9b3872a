// The OpenMP runtime that the process has already, torch's: a second pool of threads beside it would be in its way.
#pragma once
#include "runtime/team.h"

namespace elman {

enum class Ran { no_runtime, yes, no };

// work(data, 0..threads-1), each in a thread of the process's OpenMP pool. `no`, and nothing has run, inside another
// parallel region or where the runtime gives fewer threads; `no_runtime` where the process has none.
Ran in_openmp_threads(int threads, Work work, void* data);

}  // namespace elman
