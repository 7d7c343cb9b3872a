// torch's tensors as CPython has them: what is asked of one, where its numbers lie, and new ones.
#pragma once
#include <algorithm>

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

// What DLPack does not say: a type with rules of its own, a view whose numbers have the other sign. A conjugate is
// complex, and what is sparse, quantised, nested, functional or of a transform has no memory to borrow.
inline bool is_plain(void* tensor) {
    void* const type = py.object_type(tensor);
    py.dec_ref(type);
    return (type == py.tensor_type || type == py.parameter_type) && answers_false(py.is_negated, tensor);
}

struct Shape {
    int32_t rank;
    int64_t sizes[3];
};

inline bool borrow(void* object, dlpack::Tensor& to) {
    return !static_cast<const dlpack::Exchange*>(py.exchange)->borrow(object, &to);
}

inline const void* memory_of(const dlpack::Tensor& t) {
    return t.data ? static_cast<const char*>(t.data) + t.byte_offset : nullptr;
}

// Whether its numbers are such, so many bits each, in the processor's own memory.
inline bool holds(const dlpack::Tensor& t, uint8_t code, uint8_t bits) {
    return t.device == dlpack::on_cpu && t.code == code && t.bits == bits && t.lanes == 1;
}

inline bool is_contiguous(const dlpack::Tensor& t, const Shape& shape) {
    if (t.rank != shape.rank) return false;
    int64_t stride = 1;
    for (int i = t.rank; i--;) {
        if (t.shape[i] != shape.sizes[i]) return false;
        if (t.strides && t.shape[i] != 1 && t.strides[i] != stride) return false;
        stride *= t.shape[i];
    }
    return true;
}

// Where contiguous tensors lie that must have numbers of one kind.
class Reader {
  public:
    explicit Reader(uint8_t bits) : bits_(bits) {}
    const void* read(void* tensor, const Shape& shape, uint8_t code = dlpack::floating) {
        dlpack::Tensor t;
        const bool fits = least_ && borrow(tensor, t) && holds(t, code, code == dlpack::floating ? bits_ : 64);
        return take(fits && is_contiguous(t, shape) ? memory_of(t) : nullptr);
    }
    const void* take(const void* at) {
        least_ = std::min<uint64_t>(least_, reinterpret_cast<uintptr_t>(at));
        return at;
    }
    // The least of the addresses; 0 where something did not fit.
    uint64_t least() const { return least_; }

  private:
    uint8_t bits_;
    uint64_t least_ = UINT64_MAX;
};

class Tensor {  // torch's, made here
  public:
    Tensor(const Shape& shape, const int64_t (&strides)[3], bool wide) {
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

    // A tuple of their Python objects, or null.
    static void* pair(const Tensor& first, const Tensor& second) {
        void* const both = py.tuple_new(2);
        if (!both) return nullptr;
        int at = 0;
        for (const Tensor* tensor : {&first, &second}) {
            void* const object = py.wrap(tensor->handle_);
            if (object) py.tuple_set_item(both, at++, object);
        }
        if (at == 2) return both;
        py.dec_ref(both);
        return nullptr;
    }

  private:
    void *handle_ = nullptr, *data_ = nullptr;
};

struct MethodDef {  // CPython's PyMethodDef
    const char* name;
    void* (*function)(void* self, void* const* given, intptr_t count);
    int flags;
    const char* doc;
};
constexpr int fast_call = 0x80;  // METH_FASTCALL

// What a builtin function does: `run` of a new `Call`, or None where that gives null or torch has thrown.
template <class Call, int arguments>
void* answer(void* self, void* const* given, intptr_t count) {
    void* done = nullptr;
    if (count == arguments) try {
            done = Call().run(py.long_as_long_long(self), given);
        } catch (...) {
        }
    if (done) return done;
    py.err_clear();
    py.inc_ref(py.none);
    return py.none;
}

// Runs a native call as ctypes does, while other threads of Python run.
template <class Run>
int unlocked(const Run& run) {
    void* const lock = py.eval_save_thread();
    const int status = run();
    py.eval_restore_thread(lock);
    return status;
}

// torch's number of threads, or 0.
inline int64_t threads_of_torch() {
    void* const threads = py.object_vectorcall(py.threads, nullptr, 0, nullptr);
    if (!threads) return 0;
    const int64_t n = py.long_as_long_long(threads);
    py.dec_ref(threads);
    return n;
}

}  // namespace elman
