#include "runtime/openmp.h"

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

namespace elman {
namespace {

// The calls that GCC compiles OpenMP to, which GNU's, LLVM's and Intel's runtimes all have. They are looked up when the
// library runs, so that it neither is built with one of them nor brings one along.
struct Runtime {
    void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
    int (*in_parallel)() = nullptr;
    int (*thread_number)() = nullptr;
    int (*thread_count)() = nullptr;

    Runtime() {
#if !defined(_WIN32)
        find(parallel, "GOMP_parallel");
        find(in_parallel, "omp_in_parallel");
        find(thread_number, "omp_get_thread_num");
        find(thread_count, "omp_get_num_threads");
#endif
    }
    bool complete() const { return parallel && in_parallel && thread_number && thread_count; }

  private:
    template <class Function>
    static void find([[maybe_unused]] Function& function, [[maybe_unused]] const char* name) {
#if !defined(_WIN32)
        function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
#endif
    }
};

struct Region {
    const Runtime& runtime;
    Work work;
    void* data;
    int threads;
    bool complete;
};

void run_member(void* data) {
    Region& region = *static_cast<Region*>(data);
    const int number = region.runtime.thread_number();
    if (region.runtime.thread_count() == region.threads)
        region.work(region.data, number);
    else if (number == 0)
        region.complete = false;
}

}  // namespace

Ran in_openmp_threads(int threads, Work work, void* data) {
    static const Runtime runtime;
    if (!runtime.complete()) return Ran::no_runtime;
    if (runtime.in_parallel()) return Ran::no;
    Region region{runtime, work, data, threads, true};
    runtime.parallel(run_member, &region, static_cast<unsigned>(threads), 0);
    return region.complete ? Ran::yes : Ran::no;
}

}  // namespace elman
