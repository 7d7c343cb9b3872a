// Sizes at which the library changes its ways, each found by measurement on processors with 32 to 48 KiB of first-level
// and 0.5 to 2 MiB of second-level cache. A wrong one costs time, never the result's validity.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace elman {

constexpr size_t cache_line = 64;
constexpr size_t page = 4096;
constexpr size_t huge_page = size_t(2) << 20;

// Scratch: the least that is asked of the system at once, and the most that a thread keeps after a call.
constexpr size_t scratch_least_bytes = 65536;
constexpr size_t scratch_kept_bytes = size_t(256) << 20;

// How long a thread looks at a barrier before it sleeps: longer than it takes to wake one.
constexpr int64_t barrier_spin_ns = 50000;

// Crowding (runtime/crowding.h). A team has lost time to other processes where a thread waited this long, and for this
// share of the call. It is then left alone for `crowded_pauses` times what it lost, within limits.
constexpr int64_t crowded_least_ns = 150000;
constexpr double crowded_share = 0.35;
constexpr int64_t crowded_pauses = 20;
constexpr int64_t crowded_shortest_ns = 20000000, crowded_longest_ns = 1000000000;
// How often affinity and quota are read again.
constexpr int64_t limits_read_ns = 1000000000;

// Multiply-adds below which waking a second thread costs more than it saves.
constexpr int64_t thread_work = 200000;
// A decoder's weights that are worth a thread of their own at every step.
constexpr int64_t decoder_thread_bytes = 512 * 1024;
// Logits below which a thread is not worth waking for their softmax.
constexpr int64_t loss_numbers_a_thread = 32 * 1024;

// A W_hh larger than this does not stay in the cache that a thread has to itself.
constexpr int64_t own_cache_bytes = 640 * 1024;
// W = [W_ih W_hh] up to this size stays in the first-level cache and is multiplied in one product a step.
constexpr int64_t fused_weights_bytes = 32 * 1024;
// Weights up to this size leave cache for rows of x that are fetched ahead of their step.
constexpr int64_t prefetch_weights_bytes = 160 * 1024;

// Fewer sequences than this for each group leave a register tile half empty: more members share a group then.
constexpr int64_t group_sequences = 4;
// With few connections a group's sequences lie side by side, four vectors of them best.
constexpr int64_t sparse_group_sequences = 32;
// Hidden units below which a member has too little to do between two barriers; fewer where there are few steps, and so
// few barriers.
constexpr int64_t member_units = 64;
constexpr int64_t few_steps_member_units = 32;

// A chunk's rows of x and of h are to stay in the second-level cache; the number of rows is kept within limits, which
// for the backward pass are higher at the lower end, since each chunk adds once to all of the weights' gradients.
constexpr int64_t chunk_bytes = 256 * 1024;
constexpr int64_t chunk_least_rows = 128, chunk_least_rows_backward = 256, chunk_most_rows = 512;

// Up to this many steps a panel of W_hh is packed anew at each, rather than once for all: one step where W_hh stays in
// the cache as it is, a few where the packed copy would have to be written to memory.
constexpr int64_t unpacked_steps = 1, unpacked_steps_large = 3;

}  // namespace elman
