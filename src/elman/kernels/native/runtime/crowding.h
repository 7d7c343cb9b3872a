// How many threads the machine has to give now. A container's quota and the process's affinity are limits that stay;
// another process on the same processors comes and goes, and a team that has to wait for it is slower than one thread.
#pragma once
#include <stdint.h>

namespace elman {

int64_t now_ns();  // of a clock that only goes forward

// Processors that this process may use: by its affinity, and by the quota of its control group. Read once a second.
int available_processors();

// How many of the `wanted` threads to use now: as many as there are processors for, or one while the machine is
// crowded.
int threads_now(int wanted);

// `most` threads from now on, whatever the machine has to give; 0: what it has.
void limit_threads(int most);

// What a team learned: it took `wall` ns, of which the thread that waited longest waited `waited` ns; `idle` is the
// share of its time for which a thread has nothing to do by the plan. A team that mostly waits is not asked for again
// for a while, twice as long at each failure in a row.
void team_took(int64_t wall, int64_t waited, double idle);

}  // namespace elman
