// What is compiled into every instruction set's build must leave no function of its own behind: the linker keeps one of
// several copies, and another build's could stop an older processor. Hence ELMAN_INLINE for all such functions.
#pragma once

#define ELMAN_INLINE inline __attribute__((always_inline))
#define ELMAN_ALWAYS __attribute__((always_inline))  // for lambdas
