// What is used of DLPack's table of functions, version 1: https://dmlc.github.io/dlpack/latest/c_api.html.
#pragma once
#include <stdint.h>

namespace elman::dlpack {

enum : int32_t { on_cpu = 1 };
enum : uint8_t { whole = 0, floating = 2 };

struct Tensor {
    void* data;
    int32_t device, device_id;
    int32_t rank;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t* shape;
    int64_t* strides;  // in elements; null: contiguous
    uint64_t byte_offset;
};
static_assert(sizeof(void*) != 8 || sizeof(Tensor) == 48);

struct Exchange {
    uint32_t major, minor;
    const Exchange* previous;
    void* unused[3];
    // Fills `out`, whose shape and strides stay the tensor's own; -1, and an exception is set, where it cannot.
    int (*borrow)(void* object, Tensor* out);
};

}  // namespace elman::dlpack
