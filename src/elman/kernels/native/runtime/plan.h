// Who does what. The work is cut into groups x members: a group owns some of the sequences for all steps, its members
// share the hidden units and meet once a step. The cut follows from the call alone, and every sum with it; how many
// threads do the work follows from what the machine has to give now, and changes no bit of the result. Sequences are
// sorted by length, longest first, so that those still running at step s are the first active[s] of them and nothing is
// done for the others.
#pragma once
#include "elman_general.h"
#include "runtime/inline.h"
#include "runtime/scratch.h"
#include "runtime/team.h"

namespace elman {

struct Chunk {
    int64_t first, last;  // steps [first, last)
    int64_t rows;         // sequences still running, summed over these steps
};

struct Group {
    int64_t n = 0;      // sequences in this group, those of length 0 at the end
    int64_t* sequence;  // (n) their places in the batch
    int64_t* length;    // (n)
    int64_t steps = 0;  // the longest length
    int64_t* active;    // (steps + 1): sequences longer than s; the last is 0
    Chunk* chunks;      // as many steps at a time as fit the second-level cache
    int64_t chunk_count = 0;
    int64_t chunk_rows = 0;  // the most rows in a chunk
    Barrier barrier;
};

struct Plan {
    const elman_call* call;
    const elman_general_call* resets = nullptr;  // where a plain pass has resets to zero
    int groups, split;     // into how many groups, and each group's hidden units into how many parts, the work is cut
    int threads, members;  // that do it now: `members` threads a group, and each does every so many-th group
    double idle;           // the share of the time for which the least busy thread has nothing to do
    Group* group;
    Barrier everyone;
    int64_t most_chunks() const;  // of any group
    int64_t most_rows() const;    // of any chunk
    ELMAN_INLINE int teams() const { return threads / members; }
};

// The part [first, last) of n things that one member of several does.
struct Share {
    int64_t first, last;
};
ELMAN_INLINE Share share(int64_t n, int64_t member, int64_t members) {
    return {n * member / members, n * (member + 1) / members};
}

// What of a call decides how it is cut.
struct Cost {
    int64_t step_work;  // multiply-adds of a sequence's step
    int64_t sequences;  // the least that a group should have, before it has more members
    bool large;         // the recurrent weights do not fit one thread's cache
    bool shares_units;  // members of a group may share its units
};
Cost dense_cost(const elman_call& call, int64_t element);

// The work is cut for `threads`, and done by at most `most`. `element` is the size of a number; `backward` because its
// chunks carry more.
Plan* make_plan(const elman_call& call, const Cost& cost, int threads, int most, int64_t element, bool backward,
                Scratch& scratch);

// Whether two calls run better beside each other, each with half of the threads, than one after the other with all.
bool side_by_side(const elman_call& one, const elman_call& other, int64_t element);

}  // namespace elman
