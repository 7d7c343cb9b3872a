// A step of torch's tensors, called from CPython without anything between; see elman_python.h.
#include "python_tensors.h"
#include "step_run.h"

namespace elman {

elman_python_api py;

namespace {

constexpr int64_t most_layers = 16;
constexpr int most_tensors = 2 + 4 * most_layers;

class PythonStep {
  public:
    ~PythonStep() {
        for (int i = 2; i < count_; ++i) py.dec_ref(tensors_[i]);
    }

    // The output and the new state, or null.
    void* run(int64_t options, void* const* given) {
        call_.nonlinearity = options & 1;
        call_.residual = options >> 1;
        call_.H = py.long_as_long_long(given[4]);
        if (!collect(given[0], given[1], given[2], given[3]) || !checked()) return nullptr;
        uint64_t least = read();
        if (least && least < py.lowest) least = no_zeros() ? read() : 0;
        if (!least) return nullptr;
        const int64_t S = call_.S, H = call_.H;
        const Tensor output({2, {S, H}}, {H, 1}, wide()), state({3, {call_.layers, S, H}}, {S * H, H, 1}, wide());
        if (!output.data() || !state.data()) return nullptr;
        call_.output = output.data();
        call_.new_state = state.data();
        return stepped() ? Tensor::pair(output, state) : nullptr;
    }

  private:
    bool wide() const { return call_.dtype == ELMAN_FLOAT64; }

    // References to the weights, since what is asked of a tensor lets other threads run, which may replace them.
    bool collect(void* x, void* state, void* parameters, void* names) {
        tensors_[count_++] = x;
        tensors_[count_++] = state;
        const intptr_t layers = py.list_size(names);
        if (layers < 1 || layers > most_layers) return false;
        for (intptr_t l = 0; l < layers; ++l) {
            void* const own = py.list_get_item(names, l);
            const intptr_t each = py.list_size(own);
            if ((each != 2 && each != 4) || (each_ && each != each_)) return false;
            each_ = static_cast<int>(each);
            for (intptr_t i = 0; i < each; ++i) {
                void* const weight = py.dict_get_item(parameters, py.list_get_item(own, i));
                if (!weight) return false;
                py.inc_ref(weight);
                tensors_[count_++] = weight;
            }
        }
        call_.layers = layers;
        return true;
    }

    bool checked() const {
        for (int i = 0; i < count_; ++i)
            if (!(tensors_[i] == py.none && i == 1) && !is_plain(tensors_[i])) return false;
        return true;
    }

    bool no_zeros() const {
        for (int i = 0; i < count_; ++i)
            if (tensors_[i] != py.none && !answers_false(py.is_zero, tensors_[i])) return false;
        return true;
    }

    // Where the numbers lie. The least of the addresses; 0 where something does not fit. Nothing that runs from here to
    // the step's end gives up the interpreter's lock, so that no other thread frees what was found, unless the step is
    // long.
    uint64_t read() {
        dlpack::Tensor x;
        if (!borrow(tensors_[0], x) || x.rank != 2) return 0;
        call_.S = x.shape[0];
        call_.I = x.shape[1];
        call_.dtype = x.bits == 64 ? ELMAN_FLOAT64 : ELMAN_FLOAT32;
        Reader reader(wide() ? 64 : 32);
        const int64_t L = call_.layers, S = call_.S, H = call_.H;
        const bool fits = holds(x, dlpack::floating, wide() ? 64 : 32) && is_contiguous(x, {2, {S, call_.I}});
        call_.x = reader.take(fits ? memory_of(x) : nullptr);
        if (tensors_[1] != py.none) call_.state = reader.read(tensors_[1], {3, {L, S, H}});
        for (int i = 2; i < count_; ++i) {
            const int layer = (i - 2) / each_, which = (i - 2) % each_;
            const Shape matrix{2, {H, layer || which ? H : call_.I}};
            packed_.weights[4 * layer + which] = reader.read(tensors_[i], which < 2 ? matrix : Shape{1, {H}});
        }
        return reader.least();
    }

    // A step that is worth several threads lets other threads of Python run meanwhile, as ctypes does.
    bool stepped() {
        call_.threads = 1;
        if (step_worth(call_) < 2) return elman_step(&call_) == ELMAN_OK;
        call_.threads = threads_of_torch();
        return unlocked([&] { return elman_step(&call_); }) == ELMAN_OK;
    }

    struct {
        elman_step_call call;
        const void* weights[4 * most_layers];  // behind the call, where elman_step reads them
    } packed_ = {};
    elman_step_call& call_ = packed_.call;
    void* tensors_[most_tensors];  // x, the state or None, the weights
    int count_ = 0, each_ = 0;     // `each_` weights a layer
};

MethodDef method = {"step", answer<PythonStep, 5>, fast_call, nullptr};

}  // namespace
}  // namespace elman

void* elman_step_method(const elman_python_api* api) {
    elman::py = *api;
    return &elman::method;
}
