// What each instruction set's build offers, in the order of enum elman_dtype.
#pragma once
#include "plan.h"
#include "stack_plan.h"

namespace elman {

struct Machine {
    Job (*forward[3])(Plan&, Scratch&);
    Job (*backward[3])(Plan&, Scratch&);
    void (*tanh)(const float*, float*, int64_t);
    void (*tanh64)(const double*, double*, int64_t);
    int64_t (*multiply_adds)(int64_t);
    int64_t (*pack_stack[2])(elman_stack&, char* room);  // bytes of room; with room null it only counts them
    bool (*run_stack[2])(StackRun&);
};

namespace avx512 {
extern const Machine machine;
}
namespace avx2 {
extern const Machine machine;
}
namespace portable {
extern const Machine machine;
}

const Machine& chosen_machine();

}  // namespace elman
