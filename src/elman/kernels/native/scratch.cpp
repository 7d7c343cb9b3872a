#include "scratch.h"

#include <stdlib.h>
#include <sys/mman.h>

#include <new>

namespace elman {
namespace {
constexpr size_t line = 64, page = 4096, huge = size_t(2) << 20, kept = size_t(256) << 20;
size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }
}  // namespace

Scratch::~Scratch() { drop(); }

void Scratch::drop() {
    while (blocks_) {
        Block* next = blocks_->next;
        free(blocks_);
        blocks_ = next;
    }
    used_ = total_ = 0;
}

void Scratch::add_block(size_t n) {
    const size_t size = n >= huge ? up(n, huge) : up(n < 65536 ? 65536 : n, line);
    Block* block = static_cast<Block*>(aligned_alloc(size >= huge ? huge : line, size));
    if (!block) throw std::bad_alloc();
    advise_huge(block, size);
    block->next = blocks_;
    block->size = size;
    blocks_ = block;
    used_ = line;
    total_ += size;
}

// What the last call took in pieces the next one finds in one.
void Scratch::reset() {
    if (total_ > kept) {
        drop();
    } else if (blocks_ && blocks_->next) {
        const size_t n = total_;
        drop();
        add_block(n);
    }
    used_ = line;
}

void* Scratch::bytes(size_t n) {
    n = up(n, line);
    if (!blocks_ || used_ + n > blocks_->size) add_block(n + line);
    char* p = reinterpret_cast<char*>(blocks_) + used_;
    used_ += n;
    return p;
}

void Scratch::begin_page() {
    if (!blocks_) return;
    const uintptr_t here = reinterpret_cast<uintptr_t>(blocks_) + used_;
    used_ += up(here, page) - here;
}

Scratch& this_threads_scratch() {
    static thread_local Scratch scratch;
    return scratch;
}

void advise_huge(void* start, size_t bytes) {
#ifdef MADV_HUGEPAGE
    const uintptr_t first = up(reinterpret_cast<uintptr_t>(start), huge);
    const uintptr_t last = (reinterpret_cast<uintptr_t>(start) + bytes) / huge * huge;
    if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace elman
