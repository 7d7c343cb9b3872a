// A number that one thread changes and others wait for: they spin for some microseconds, then sleep.
#pragma once
#include <stdint.h>

#include <atomic>

#include "runtime/thresholds.h"

namespace elman {

class Signal {
  public:
    int now() const { return value_.load(std::memory_order_acquire); }
    // What was written before is seen by whoever sees the new number; whoever sleeps is woken.
    void publish(int value);
    // Until the number is no longer `old`; returns the ns waited, 0 where it was no more than a look.
    int64_t wait_while(int old);

  private:
    std::atomic<int> sleepers_{0};
    alignas(cache_line) std::atomic<int> value_{0};
};

}  // namespace elman
