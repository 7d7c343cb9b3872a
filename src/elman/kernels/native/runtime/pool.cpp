#include "runtime/pool.h"

#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "runtime/signal.h"

namespace elman {
namespace {

// What all threads share. It outlives each call: who says that a call is done looks for sleepers after that.
struct Call {
    Work work;
    void* data;
    std::atomic<int> running;
    Signal done;  // changes with each call, as a worker's turn does
};

class Worker {
  public:
    Worker(int number, Call& call) : number_(number), call_(call) {
        std::thread([this] { run(); }).detach();
    }
    void start() { turn_.publish(!turn_.now()); }

  private:
    [[noreturn]] void run() {
        for (int seen = 0;; seen = !seen) {
            turn_.wait_while(seen);
            call_.work(call_.data, number_);
            if (call_.running.fetch_sub(1) == 1) call_.done.publish(!call_.done.now());
        }
    }

    const int number_;
    Call& call_;
    Signal turn_;
};

struct Pool {
    std::atomic<bool> taken{false};
    Call call{};
    std::vector<std::unique_ptr<Worker>> workers;

    bool grow(int count) {
        try {
            while (static_cast<int>(workers.size()) < count)
                workers.push_back(std::make_unique<Worker>(static_cast<int>(workers.size()) + 1, call));
        } catch (const std::system_error&) {
            return false;
        }
        return true;
    }

    void run(int threads, Work work, void* data) {
        call.work = work, call.data = data;
        call.running.store(threads - 1);
        const int before = call.done.now();
        for (int i = 0; i + 1 < threads; ++i) workers[i]->start();
        work(data, 0);
        call.done.wait_while(before);
    }
};

// Never destroyed: the workers sleep in it until the process ends.
Pool& pool() {
    static Pool* const only = new Pool;
    return *only;
}

}  // namespace

bool in_own_threads(int threads, Work work, void* data) {
    Pool& all = pool();
    if (all.taken.exchange(true)) return false;
    const bool enough = all.grow(threads - 1);
    if (enough) all.run(threads, work, data);
    all.taken.store(false);
    return enough;
}

}  // namespace elman
