// A layer's forward pass over torch's tensors, called from CPython without anything between; see elman_python.h.
#include "python_tensors.h"
#include "runtime/thresholds.h"

namespace elman {
namespace {

// What `forward_layer` of kernels/cpu/backend.py does, after a look at everything. The caller's list holds the weights.
class PythonLayer {
  public:
    // h (T, B, D * H) and the last states (D, B, H), or null.
    void* run(int64_t options, void* const* given) {
        const int64_t H = py.long_as_long_long(given[4]), D = py.long_as_long_long(given[5]);
        weights_ = given[3];
        count_ = py.list_size(weights_);
        if ((D != 1 && D != 2) || H < 1 || (count_ != 2 * D && count_ != 3 * D && count_ != 4 * D)) return nullptr;
        elman_call first{};
        first.nonlinearity = options & 1;
        first.residual = options >> 1 & 1;
        first.reverse = options >> 2;
        first.H = H;
        if (!are_plain(given)) return nullptr;
        uint64_t least = read(given, first, D);
        if (least && least < py.lowest) least = no_zeros(given) ? read(given, first, D) : 0;
        if (!least) return nullptr;
        const int64_t T = first.T, B = first.B, n = D * H;
        const bool wide = first.dtype == ELMAN_FLOAT64, by_steps = given[6] != py.not_true || by_steps_;
        first.h_stride[0] = by_steps ? B * n : n;
        first.h_stride[1] = by_steps ? n : T * n;
        const Tensor h({3, {T, B, n}}, {first.h_stride[0], first.h_stride[1], 1}, wide);
        const Tensor last({3, {D, B, H}}, {B * H, H, 1}, wide);
        if (!h.data() || !last.data()) return nullptr;
        return ran(first, D, h.data(), last.data()) ? Tensor::pair(h, last) : nullptr;
    }

  private:
    template <class Look>
    bool all(void* const* given, const Look& look) const {
        for (int i = 0; i < 3; ++i)
            if (given[i] != py.none && !look(given[i])) return false;
        for (intptr_t i = 0; i < count_; ++i)
            if (!look(py.list_get_item(weights_, i))) return false;
        return true;
    }
    bool are_plain(void* const* given) const {
        return all(given, [](void* tensor) { return is_plain(tensor); });
    }
    bool no_zeros(void* const* given) const {
        return all(given, [](void* tensor) { return answers_false(py.is_zero, tensor); });
    }

    // As in a step, from here on no other thread of Python runs before a long call.
    uint64_t read(void* const* given, elman_call& call, int64_t D) {
        dlpack::Tensor x;
        if (!borrow(given[0], x) || x.rank != 3 || !x.strides || x.shape[0] < 1) return 0;
        const uint8_t bits = x.bits == 64 ? 64 : 32;
        const int64_t H = call.H;
        call.dtype = bits == 64 ? ELMAN_FLOAT64 : ELMAN_FLOAT32;
        call.T = x.shape[0];
        call.B = x.shape[1];
        call.I = x.shape[2];
        for (int i = 0; i < 3; ++i) call.x_stride[i] = x.strides[i];
        by_steps_ = x.strides[0] >= x.strides[1];
        Reader reader(bits);
        call.x = reader.take(holds(x, dlpack::floating, bits) ? memory_of(x) : nullptr);
        if (given[1] != py.none) call.h0 = reader.read(given[1], {3, {D, call.B, H}});
        if (given[2] != py.none)
            call.lengths = static_cast<const int64_t*>(reader.read(given[2], {1, {call.B}}, dlpack::whole));
        const auto each = static_cast<int>(count_ / D);
        for (int i = 0; i < count_; ++i) {
            const int which = i % each;
            const Shape matrix{2, {H, which ? H : call.I}};
            places_[i / each][which] = reader.read(py.list_get_item(weights_, i), which < 2 ? matrix : Shape{1, {H}});
        }
        return reader.least();
    }

    bool ran(elman_call& first, int64_t D, void* h, void* last) {
        const int64_t row = first.H * (first.dtype == ELMAN_FLOAT64 ? 8 : 4);
        first.threads = threads_of_torch();
        elman_call calls[2] = {first, first};
        for (int64_t d = 0; d < D; ++d) {
            elman_call& call = calls[d];
            call.reverse = first.reverse || d == 1;
            if (call.h0) call.h0 = static_cast<const char*>(call.h0) + d * call.B * row;
            call.w_ih = places_[d][0];
            call.w_hh = places_[d][1];
            call.bias = places_[d][2];
            call.bias_hh = places_[d][3];
            call.h = static_cast<char*>(h) + d * row;
            call.h_last = static_cast<char*>(last) + d * call.B * row;
        }
        const int64_t work = D * first.T * first.B * first.H * (first.I + first.H);
        const auto go = [&] { return elman_forward(calls, D); };
        return (work < thread_work ? go() : unlocked(go)) == ELMAN_OK;
    }

    void* weights_ = nullptr;
    intptr_t count_ = 0;
    bool by_steps_ = true;           // x lies by steps, not by sequences
    const void* places_[2][4] = {};  // w_ih, w_hh and none, one or two biases of each direction
};

MethodDef method = {"layer", answer<PythonLayer, 7>, fast_call, nullptr};

}  // namespace
}  // namespace elman

void* elman_layer_method(const elman_python_api* api) {
    elman::py = *api;
    return &elman::method;
}
