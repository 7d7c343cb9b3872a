// A step of torch's tensors, called from CPython without anything between; see elman_python.h.
#include <algorithm>

#include "python_tensors.h"
#include "step_run.h"

namespace elman {

elman_python_api py;

namespace {

constexpr int64_t most_layers = 16;
constexpr int most_tensors = 2 + 4 * most_layers;

struct MethodDef {  // CPython's PyMethodDef
    const char* name;
    void* (*function)(void*, void* const*, intptr_t);
    int flags;
    const char* doc;
};
enum { fast_call = 0x80 };  // METH_FASTCALL

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
        const Shape of_output{2, {call_.S, call_.H}}, of_state{3, {call_.layers, call_.S, call_.H}};
        const Tensor output(of_output, wide()), state(of_state, wide());
        if (!output.data() || !state.data()) return nullptr;
        call_.output = output.data();
        call_.new_state = state.data();
        return stepped() ? pair(output.object(), state.object()) : nullptr;
    }

  private:
    bool wide() const { return call_.dtype == ELMAN_FLOAT64; }
    uint8_t bits() const { return wide() ? 64 : 32; }

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

    // What DLPack does not say: a type with rules of its own, a view whose numbers have the other sign. A conjugate is
    // complex, and what is sparse, quantised, nested, functional or of a transform has no memory to borrow.
    bool checked() const {
        for (int i = 0; i < count_; ++i) {
            if (tensors_[i] == py.none && i == 1) continue;
            void* const type = py.object_type(tensors_[i]);
            py.dec_ref(type);
            if (type != py.tensor_type && type != py.parameter_type) return false;
            if (!answers_false(py.is_negated, tensors_[i])) return false;
        }
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
        call_.x = memory_of(x, bits(), {2, {call_.S, call_.I}});
        uint64_t least = reinterpret_cast<uintptr_t>(call_.x);
        const auto memory = [&](void* tensor, const Shape& shape) {
            dlpack::Tensor t;
            const void* const at = borrow(tensor, t) ? memory_of(t, bits(), shape) : nullptr;
            least = std::min<uint64_t>(least, reinterpret_cast<uintptr_t>(at));
            return at;
        };
        const int64_t H = call_.H;
        if (least && tensors_[1] != py.none) call_.state = memory(tensors_[1], {3, {call_.layers, call_.S, H}});
        for (int i = 2; i < count_ && least; ++i) {
            const int layer = (i - 2) / each_, which = (i - 2) % each_;
            const int64_t columns = layer || which ? H : call_.I;
            packed_.weights[4 * layer + which] =
                memory(tensors_[i], which < 2 ? Shape{2, {H, columns}} : Shape{1, {H}});
        }
        return least;
    }

    // A step that is worth several threads lets other threads of Python run meanwhile, as ctypes does.
    bool stepped() {
        call_.threads = 1;
        if (step_worth(call_) < 2) return elman_step(&call_) == ELMAN_OK;
        void* const threads = py.object_vectorcall(py.threads, nullptr, 0, nullptr);
        if (!threads) return false;
        call_.threads = py.long_as_long_long(threads);
        py.dec_ref(threads);
        void* const lock = py.eval_save_thread();
        const int status = elman_step(&call_);
        py.eval_restore_thread(lock);
        return status == ELMAN_OK;
    }

    static void* pair(void* first, void* second) {
        void* const both = first && second ? py.tuple_new(2) : nullptr;
        if (both) {
            py.tuple_set_item(both, 0, first);
            py.tuple_set_item(both, 1, second);
            return both;
        }
        if (first) py.dec_ref(first);
        if (second) py.dec_ref(second);
        return nullptr;
    }

    struct {
        elman_step_call call;
        const void* weights[4 * most_layers];  // behind the call, where elman_step reads them
    } packed_ = {};
    elman_step_call& call_ = packed_.call;
    void* tensors_[most_tensors];  // x, the state or None, the weights
    int count_ = 0, each_ = 0;     // `each_` weights a layer
};

void* step(void* self, void* const* given, intptr_t count) {
    void* done = nullptr;
    if (count == 5) try {
            done = PythonStep().run(py.long_as_long_long(self), given);
        } catch (...) {  // torch's, out of memory
        }
    if (done) return done;
    py.err_clear();
    py.inc_ref(py.none);
    return py.none;
}

MethodDef method = {"step", step, fast_call, nullptr};

}  // namespace
}  // namespace elman

void* elman_step_method(const elman_python_api* api) {
    elman::py = *api;
    return &elman::method;
}
