// torch's tensors as CPython has them: what is asked of one, where its numbers lie, and new ones.
#pragma once
#include "dlpack.h"
#include "elman_python.h"

namespace elman {

extern elman_python_api py;  // as elman_step_method was given it

inline bool answers_false(void* callable, void* tensor) {
    void* const given[] = {tensor};
    void* const answer = py.object_vectorcall(callable, given, 1, nullptr);
    if (!answer) return false;
    py.dec_ref(answer);
    return answer == py.not_true;
}

struct Shape {
    int32_t rank;
    int64_t sizes[3];
};

inline bool borrow(void* object, dlpack::Tensor& to) {
    return !static_cast<const dlpack::Exchange*>(py.exchange)->borrow(object, &to);
}

// Where it lies, if it is contiguous and of this shape and of numbers of so many bits; else null.
inline const void* memory_of(const dlpack::Tensor& t, uint8_t bits, const Shape& shape) {
    if (t.device != dlpack::on_cpu || t.code != dlpack::floating || t.bits != bits || t.lanes != 1) return nullptr;
    if (t.rank != shape.rank) return nullptr;
    int64_t stride = 1;
    for (int i = t.rank; i--;) {
        if (t.shape[i] != shape.sizes[i]) return nullptr;
        if (t.strides && t.shape[i] != 1 && t.strides[i] != stride) return nullptr;
        stride *= t.shape[i];
    }
    return t.data ? static_cast<const char*>(t.data) + t.byte_offset : nullptr;
}

class Tensor {  // torch's, made here
  public:
    Tensor(const Shape& shape, bool wide) {
        int64_t strides[3] = {1, 1, 1};
        for (int i = shape.rank - 1; i--;) strides[i] = strides[i + 1] * shape.sizes[i + 1];
        const auto dtype = static_cast<int32_t>(py.dtypes[wide]), cpu = static_cast<int32_t>(py.cpu);
        if (py.empty_strided(shape.rank, shape.sizes, strides, dtype, cpu, 0, &handle_)) handle_ = nullptr;
        if (handle_ && py.get_data_ptr(handle_, &data_)) data_ = nullptr;
    }
    Tensor(const Tensor&) = delete;
    Tensor& operator=(const Tensor&) = delete;
    ~Tensor() {
        if (handle_) py.delete_tensor(handle_);
    }
    void* data() const { return data_; }
    void* object() const { return py.wrap(handle_); }

  private:
    void *handle_ = nullptr, *data_ = nullptr;
};

}  // namespace elman
