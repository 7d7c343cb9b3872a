// Large memory from the operating system.
#pragma once
#include <stddef.h>

namespace elman {

// At least `bytes`, a multiple of the cache line: begins at a cache line's start, or at a huge page's where it is as
// large as one. Null where there is no more.
void* take_memory(size_t bytes);
void give_back(void* memory);

// Asks for huge pages where the system gives them on request: the first touch of 16 MB takes a tenth of the time.
void advise_huge(void* start, size_t bytes);

}  // namespace elman
