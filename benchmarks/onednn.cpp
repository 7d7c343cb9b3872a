// oneDNN's vanilla RNN, one layer in one direction, behind the few C functions that onednn.py calls.
//
// The data stay where the caller has them, laid out as torch.nn.RNN lays them out. oneDNN chooses the layouts of the
// weights and of their gradients: it may run with what it has in its own layouts, or start from the caller's weights
// and end with the caller's gradients. T steps, B sequences, I inputs, H hidden units; float32.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using dnnl::memory;
using Desc = memory::desc;
using Tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;
using Forward = dnnl::vanilla_rnn_forward;
using Backward = dnnl::vanilla_rnn_backward;
constexpr auto f32 = memory::data_type::f32;
constexpr auto tanh_cell = dnnl::algorithm::eltwise_tanh;
constexpr auto left_to_right = dnnl::rnn_direction::unidirectional_left2right;

struct Data {
    float *x, *w_ih, *w_hh, *bias, *grad_h;                 // (T, B, I), (H, I), (H, H), (H), (T, B, H)
    float *h, *grad_x, *grad_w_ih, *grad_w_hh, *grad_bias;  // written
};

// A matrix where the caller has it and where oneDNN wants it, which is the same place if the layouts agree.
struct Matrix {
    memory own;
    dnnl::reorder reorder;
    Arguments arguments;

    Matrix(const dnnl::engine& engine, const Desc& layout, const memory& plain, bool written) : own(plain) {
        if (layout == plain.get_desc()) return;
        const size_t size = (layout.get_size() + 63) / 64 * 64;
        buffer_.reset(std::aligned_alloc(64, size));
        own = memory(layout, engine, buffer_.get());
        const memory &from = written ? own : plain, &to = written ? plain : own;
        reorder = dnnl::reorder(from, to);
        arguments = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    }
    void copy(const dnnl::stream& stream) const {
        if (buffer_) reorder.execute(stream, arguments);
    }

  private:
    std::unique_ptr<void, decltype(&std::free)> buffer_{nullptr, &std::free};
};

// A pass with its arguments: two matrices of weights, and for `back` two of gradients.
template <typename Primitive>
struct Pass {
    Matrix w_ih, w_hh;
    Primitive primitive;
    Arguments arguments;

    Pass(const dnnl::engine& engine, const typename Primitive::primitive_desc& desc, const Arguments& plain)
        : w_ih(engine, desc.weights_layer_desc(), plain.at(DNNL_ARG_WEIGHTS_LAYER), false),
          w_hh(engine, desc.weights_iter_desc(), plain.at(DNNL_ARG_WEIGHTS_ITER), false),
          primitive(desc),
          arguments(plain) {
        arguments[DNNL_ARG_WEIGHTS_LAYER] = w_ih.own;
        arguments[DNNL_ARG_WEIGHTS_ITER] = w_hh.own;
    }
    void take(const dnnl::stream& stream) const {
        w_ih.copy(stream);
        w_hh.copy(stream);
    }
    void run(const dnnl::stream& stream) const { primitive.execute(stream, arguments); }
};

class Layer {
  public:
    Layer(int64_t T, int64_t B, int64_t I, int64_t H, const Data& data)
        : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
        const Desc x({T, B, I}, f32, Tag::tnc), h({T, B, H}, f32, Tag::tnc), none;
        const Desc state({1, 1, B, H}, f32, Tag::ldnc);
        h0_.resize(B * H);
        grad_h0_.resize(B * H);
        const Desc w_ih({1, 1, I, 1, H}, f32, Tag::ldgoi), w_hh({1, 1, H, 1, H}, f32, Tag::ldgoi);
        const Desc any_ih({1, 1, I, 1, H}, f32, Tag::any), any_hh({1, 1, H, 1, H}, f32, Tag::any);
        const Desc bias({1, 1, 1, H}, f32, Tag::ldgo);
        const auto forward = [&](dnnl::prop_kind kind, const Desc& h0) {
            return Forward::primitive_desc(engine_, kind, tanh_cell, left_to_right, x, h0, any_ih, any_hh, bias, h,
                                           none);
        };
        const auto infer = forward(dnnl::prop_kind::forward_inference, none);
        const auto train = forward(dnnl::prop_kind::forward_training, state);
        const Backward::primitive_desc back(engine_, dnnl::prop_kind::backward, tanh_cell, left_to_right, x, state,
                                            any_ih, any_hh, bias, h, none, x, state, any_ih, any_hh, bias, h, none,
                                            train);
        names_ = std::string(infer.impl_info_str()) + ", " + train.impl_info_str() + ", " + back.impl_info_str();

        const auto at = [&](const Desc& desc, float* where) { return memory(desc, engine_, where); };
        Arguments plain{{DNNL_ARG_SRC_LAYER, at(x, data.x)},
                        {DNNL_ARG_WEIGHTS_LAYER, at(w_ih, data.w_ih)},
                        {DNNL_ARG_WEIGHTS_ITER, at(w_hh, data.w_hh)},
                        {DNNL_ARG_BIAS, at(bias, data.bias)},
                        {DNNL_ARG_DST_LAYER, at(h, data.h)}};
        infer_ = std::make_unique<Pass<Forward>>(engine_, infer, plain);
        plain[DNNL_ARG_SRC_ITER] = at(state, h0_.data());
        plain[DNNL_ARG_WORKSPACE] = memory(train.workspace_desc(), engine_);
        train_ = std::make_unique<Pass<Forward>>(engine_, train, plain);
        grad_w_ih_ = std::make_unique<Matrix>(engine_, back.diff_weights_layer_desc(), at(w_ih, data.grad_w_ih), true);
        grad_w_hh_ = std::make_unique<Matrix>(engine_, back.diff_weights_iter_desc(), at(w_hh, data.grad_w_hh), true);
        plain.insert({{DNNL_ARG_DIFF_SRC_LAYER, at(x, data.grad_x)},
                      {DNNL_ARG_DIFF_WEIGHTS_LAYER, grad_w_ih_->own},
                      {DNNL_ARG_DIFF_WEIGHTS_ITER, grad_w_hh_->own},
                      {DNNL_ARG_DIFF_SRC_ITER, at(state, grad_h0_.data())},
                      {DNNL_ARG_DIFF_BIAS, grad_bias_ = at(bias, data.grad_bias)},
                      {DNNL_ARG_DIFF_DST_LAYER, at(h, data.grad_h)}});
        back_ = std::make_unique<Pass<Backward>>(engine_, back, plain);
        infer_->take(stream_);
        this->train(true);
    }

    void infer() {
        infer_->run(stream_);
        stream_.wait();
    }

    void train(bool reorder) {
        if (reorder) train_->take(stream_);
        train_->run(stream_);
        if (reorder) back_->take(stream_);
        for (const memory& sum : {grad_w_ih_->own, grad_w_hh_->own, grad_bias_})  // to which the pass adds
            std::memset(sum.get_data_handle(), 0, sum.get_desc().get_size());
        back_->run(stream_);
        if (reorder) {
            grad_w_ih_->copy(stream_);
            grad_w_hh_->copy(stream_);
        }
        stream_.wait();
    }

    const std::string& names() const { return names_; }

  private:
    dnnl::engine engine_;
    dnnl::stream stream_;
    std::unique_ptr<Pass<Forward>> infer_, train_;
    std::unique_ptr<Pass<Backward>> back_;
    std::unique_ptr<Matrix> grad_w_ih_, grad_w_hh_;
    memory grad_bias_;
    // zeros, though oneDNN takes a missing state for zeros: the gradient of w_hh is wrong then (3.2 to 3.13)
    std::vector<float> h0_, grad_h0_;
    std::string names_;
};

}  // namespace

extern "C" {

// A layer, or null; `says` then holds why, and otherwise which of oneDNN's kernels run.
void* peer_new(int64_t T, int64_t B, int64_t I, int64_t H, const Data* data, char* says, size_t room) {
    try {
        auto layer = std::make_unique<Layer>(T, B, I, H, *data);
        says[layer->names().copy(says, room - 1)] = 0;
        return layer.release();
    } catch (const std::exception& error) {
        says[std::string(error.what()).copy(says, room - 1)] = 0;
        return nullptr;
    }
}

void peer_delete(void* layer) { delete static_cast<Layer*>(layer); }
void peer_infer(void* layer) { static_cast<Layer*>(layer)->infer(); }
void peer_train(void* layer, int reorder) { static_cast<Layer*>(layer)->train(reorder != 0); }

// The version, and on what the threads run: one of oneDNN's DNNL_RUNTIME numbers.
void peer_version(int numbers[4]) {
    const dnnl_version_t* version = dnnl_version();
    numbers[0] = version->major;
    numbers[1] = version->minor;
    numbers[2] = version->patch;
    numbers[3] = static_cast<int>(version->cpu_runtime);
}
}
