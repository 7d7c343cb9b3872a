// Threads of the library's own, for a process without an OpenMP runtime.
#pragma once
#include "runtime/team.h"

namespace elman {

// work(data, 0..threads-1), number 0 in the calling thread, each other in a thread of its own that is kept for the next
// call. False, and nothing has run, while another call has the pool or where the system gives no more threads.
bool in_own_threads(int threads, Work work, void* data);

}  // namespace elman
