#include "runtime/signal.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#elif defined(_WIN32)
#include <windows.h>
#else
#include <condition_variable>
#include <mutex>
#endif

#include "runtime/crowding.h"

namespace elman {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// sleep_while: until `word` is no longer `value`, or for no reason.
#if defined(__linux__)
static_assert(sizeof(std::atomic<int>) == sizeof(int), "a futex is a plain int");
void sleep_while(std::atomic<int>& word, int value) {
    syscall(SYS_futex, reinterpret_cast<int*>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake_all(std::atomic<int>& word) {
    syscall(SYS_futex, reinterpret_cast<int*>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}
#elif defined(_WIN32)
void sleep_while(std::atomic<int>& word, int value) { WaitOnAddress(&word, &value, sizeof value, INFINITE); }
void wake_all(std::atomic<int>& word) { WakeByAddressAll(&word); }
#else  // all that sleep share one bed: few do, and each looks at its own word when it is woken
std::mutex& bed() {
    static std::mutex* const mutex = new std::mutex;  // outlives the threads that sleep when the process ends
    return *mutex;
}
std::condition_variable& bell() {
    static std::condition_variable* const condition = new std::condition_variable;
    return *condition;
}
void sleep_while(std::atomic<int>& word, int value) {
    std::unique_lock<std::mutex> lock(bed());
    if (word.load() == value) bell().wait(lock);
}
void wake_all(std::atomic<int>&) {
    std::lock_guard<std::mutex> lock(bed());
    bell().notify_all();
}
#endif

}  // namespace

void Signal::publish(int value) {
    value_.store(value);
    if (sleepers_.load()) wake_all(value_);
}

int64_t Signal::wait_while(int old) {
    for (int i = 0; i < 64; ++i) {
        if (now() != old) return 0;
        relax();
    }
    const int64_t began = now_ns();
    int64_t at = began;
    while (at - began < barrier_spin_ns) {
        for (int i = 0; i < 32; ++i) {
            if (now() != old) return at - began;
            relax();
        }
        at = now_ns();
    }
    // Who publishes stores the number before it looks for sleepers, and a sleeper counts itself before it looks at the
    // number: one of the two sees the other.
    sleepers_.fetch_add(1);
    while (value_.load() == old) sleep_while(value_, old);
    sleepers_.fetch_sub(1);
    return now_ns() - began;
}

}  // namespace elman
