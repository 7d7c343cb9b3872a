// Who does what. Threads are groups x members: a group owns some of the sequences for all steps, its members share the
// hidden units and meet once a step. Sequences are sorted by length, longest first, so that those still running at
// step s are the first active[s] of them and nothing is done for the others.
#pragma once
#include "elman.h"
#include "scratch.h"
#include "team.h"

namespace elman {

struct Chunk {
    int64_t first, last;  // steps [first, last)
    int64_t rows;         // sequences still running, summed over these steps
};

struct Group {
    int64_t n = 0;            // sequences in this group, those of length 0 at the end
    int64_t* sequence;        // (n) their places in the batch
    int64_t* length;          // (n)
    int64_t steps = 0;        // the longest length
    int64_t* active;          // (steps + 1): sequences longer than s; the last is 0
    Chunk* chunks;            // as many steps at a time as fit the second-level cache
    int64_t chunk_count = 0;
    int64_t chunk_rows = 0;   // the most rows in a chunk
    Barrier barrier;
};

struct Plan {
    const elman_call* call;
    int threads, members;  // threads = groups x members
    int groups;
    Group* group;
    Barrier everyone;
    int64_t most_chunks() const {
        int64_t most = 0;
        for (int g = 0; g < groups; ++g)
            if (group[g].chunk_count > most) most = group[g].chunk_count;
        return most;
    }
};

// `element` is the size of a number; `backward` because its chunks carry more.
Plan* make_plan(const elman_call& call, int threads, int64_t element, bool backward, Scratch& scratch);

// Whether two calls run better beside each other, each with half of the threads, than one after the other with all.
bool side_by_side(const elman_call& one, const elman_call& other, int64_t element);

}  // namespace elman
