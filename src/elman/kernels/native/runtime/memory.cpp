#include "runtime/memory.h"

#include <stdint.h>
#if defined(_WIN32)
#include <windows.h>
#else
#include <stdlib.h>
#include <sys/mman.h>
#endif

#include "runtime/thresholds.h"

namespace elman {
namespace {
[[maybe_unused]] size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }
}  // namespace

#if defined(_WIN32)  // begins at a multiple of 64 KiB; huge pages need a privilege there
void* take_memory(size_t bytes) { return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }
void give_back(void* memory) {
    if (memory) VirtualFree(memory, 0, MEM_RELEASE);
}
#else
void* take_memory(size_t bytes) {
    const size_t size = bytes >= huge_page ? up(bytes, huge_page) : bytes;
    void* memory = aligned_alloc(bytes >= huge_page ? huge_page : cache_line, size);
    if (memory) advise_huge(memory, size);
    return memory;
}
void give_back(void* memory) { free(memory); }
#endif

void advise_huge([[maybe_unused]] void* start, [[maybe_unused]] size_t bytes) {
#ifdef MADV_HUGEPAGE
    const uintptr_t first = up(reinterpret_cast<uintptr_t>(start), huge_page);
    const uintptr_t last = (reinterpret_cast<uintptr_t>(start) + bytes) / huge_page * huge_page;
    if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace elman
