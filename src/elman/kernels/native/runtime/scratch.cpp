#include "runtime/scratch.h"

#include <new>

#include "runtime/memory.h"
#include "runtime/thresholds.h"

namespace elman {
namespace {
size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }
}  // namespace

Scratch::~Scratch() { drop(); }

void Scratch::drop() {
    while (blocks_) {
        Block* next = blocks_->next;
        give_back(blocks_);
        blocks_ = next;
    }
    used_ = total_ = 0;
}

void Scratch::add_block(size_t n) {
    const size_t size =
        n >= huge_page ? up(n, huge_page) : up(n < scratch_least_bytes ? scratch_least_bytes : n, cache_line);
    Block* block = static_cast<Block*>(take_memory(size));
    if (!block) throw std::bad_alloc();
    block->next = blocks_;
    block->size = size;
    blocks_ = block;
    used_ = cache_line;
    total_ += size;
}

// What the last call took in pieces the next one finds in one.
void Scratch::reset() {
    if (total_ > scratch_kept_bytes) {
        drop();
    } else if (blocks_ && blocks_->next) {
        const size_t n = total_;
        drop();
        add_block(n);
    }
    used_ = cache_line;
}

void* Scratch::bytes(size_t n) {
    n = up(n, cache_line);
    if (!blocks_ || used_ + n > blocks_->size) add_block(n + cache_line);
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

}  // namespace elman
