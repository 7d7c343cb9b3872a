// Working memory that a thread keeps from call to call: fresh pages cost more than most calls.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "runtime/inline.h"

namespace elman {

class Scratch {
  public:
    ~Scratch();
    void reset();  // everything taken before is free again
    template <class T>
    ELMAN_INLINE T* take(int64_t n) {
        return static_cast<T*>(bytes(static_cast<size_t>(n) * sizeof(T)));
    }
    // What is taken next begins a page: a processor fetches lines ahead of what it reads and writes, also those that
    // another thread has just written, but not past a page's end.
    void begin_page();

  private:
    void* bytes(size_t n);
    void add_block(size_t n);
    void drop();
    struct Block {
        Block* next;
        size_t size;
    };
    Block* blocks_ = nullptr;  // the newest first; only it is taken from
    size_t used_ = 0, total_ = 0;
};

Scratch& this_threads_scratch();

}  // namespace elman
