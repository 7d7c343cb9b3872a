// The layout of the structs that callers pack byte by byte (Python: kernels/cpu/backend.py, kernels/decoder.py),
// checked when this is compiled and told to whoever asks. On WebAssembly pointers have four bytes: what calls it there
// (web/src/engine) reads the layout that is told.
#include <stddef.h>

#include <string>

#include "elman_general.h"
#include "elman_python.h"
#include "elman_reservoir.h"

namespace elman {
namespace {

struct Field {
    const char* name;
    size_t offset, size;
};

#define ELMAN_FIELD(type, name) Field({#name, offsetof(type, name), sizeof(type::name)})

#define CALL(name) ELMAN_FIELD(elman_call, name)
constexpr Field call_fields[] = {
    CALL(T),
    CALL(B),
    CALL(I),
    CALL(H),
    CALL(dtype),
    CALL(nonlinearity),
    CALL(reverse),
    CALL(residual),
    CALL(threads),
    CALL(x),
    CALL(x_stride),
    CALL(h0),
    CALL(w_ih),
    CALL(w_hh),
    CALL(bias),
    CALL(bias_hh),
    CALL(lengths),
    CALL(mask),
    CALL(h),
    CALL(h_stride),
    CALL(h_last),
    CALL(grad_h),
    CALL(grad_h_stride),
    CALL(grad_h_last),
    CALL(grad_x),
    CALL(grad_x_stride),
    CALL(grad_h0),
    CALL(grad_w_ih),
    CALL(grad_w_hh),
    CALL(grad_bias),
};

#define STEP(name) ELMAN_FIELD(elman_step_call, name)
constexpr Field step_fields[] = {
    STEP(layers),   STEP(S),       STEP(I), STEP(H),     STEP(dtype),     STEP(nonlinearity),
    STEP(residual), STEP(threads), STEP(x), STEP(state), STEP(new_state), STEP(output),
};

#define GENERAL(name) ELMAN_FIELD(elman_general_call, name)
constexpr Field general_fields[] = {
    GENERAL(call),         GENERAL(current),   GENERAL(seed),       GENERAL(stream),       GENERAL(leak),
    GENERAL(noise),        GENERAL(restart),   GENERAL(reset),      GENERAL(reset_stride), GENERAL(extra),
    GENERAL(extra_stride), GENERAL(grad_leak), GENERAL(grad_noise), GENERAL(grad_restart), GENERAL(rank),
    GENERAL(w_in),         GENERAL(grad_z),    GENERAL(connected),
};

#define SPEC(name) ELMAN_FIELD(elman_decoder_spec, name)
constexpr Field spec_fields[] = {
    SPEC(layers), SPEC(I),    SPEC(H),    SPEC(V),    SPEC(nonlinearity), SPEC(residual), SPEC(bfloat16),
    SPEC(table),  SPEC(w_ih), SPEC(w_hh), SPEC(bias), SPEC(w_out),        SPEC(b_out),
};

#define PARAMS(name) ELMAN_FIELD(elman_sampling_params, name)
constexpr Field params_fields[] = {
    PARAMS(temperature), PARAMS(top_p), PARAMS(top_k), PARAMS(seed), PARAMS(first_draw),
};

#define LOSS(name) ELMAN_FIELD(elman_loss_call, name)
constexpr Field loss_fields[] = {
    LOSS(rows),   LOSS(V),    LOSS(dtype),   LOSS(threads), LOSS(ignore_index), LOSS(smoothing), LOSS(logits),
    LOSS(stride), LOSS(bias), LOSS(targets), LOSS(scale),   LOSS(losses),       LOSS(gradient),  LOSS(grad_bias),
};

#define RESERVOIR(name) ELMAN_FIELD(elman_reservoir_call, name)
constexpr Field reservoir_fields[] = {
    RESERVOIR(T),
    RESERVOIR(B),
    RESERVOIR(I),
    RESERVOIR(H),
    RESERVOIR(K),
    RESERVOIR(dtype),
    RESERVOIR(nonlinearity),
    RESERVOIR(values_dtype),
    RESERVOIR(x),
    RESERVOIR(h0),
    RESERVOIR(w_ih),
    RESERVOIR(bias),
    RESERVOIR(leak),
    RESERVOIR(starts),
    RESERVOIR(sources),
    RESERVOIR(values),
    RESERVOIR(h),
    RESERVOIR(h_stride),
};

#define PYTHON(name) ELMAN_FIELD(elman_python_api, name)
constexpr Field python_fields[] = {
    PYTHON(object_type),
    PYTHON(object_vectorcall),
    PYTHON(dict_get_item),
    PYTHON(list_size),
    PYTHON(list_get_item),
    PYTHON(tuple_new),
    PYTHON(tuple_set_item),
    PYTHON(long_as_long_long),
    PYTHON(inc_ref),
    PYTHON(dec_ref),
    PYTHON(err_clear),
    PYTHON(eval_save_thread),
    PYTHON(eval_restore_thread),
    PYTHON(none),
    PYTHON(not_true),
    PYTHON(tensor_type),
    PYTHON(parameter_type),
    PYTHON(is_negated),
    PYTHON(is_zero),
    PYTHON(threads),
    PYTHON(exchange),
    PYTHON(empty_strided),
    PYTHON(get_data_ptr),
    PYTHON(delete_tensor),
    PYTHON(wrap),
    PYTHON(dtypes),
    PYTHON(cpu),
    PYTHON(lowest),
};

#if !defined(__wasm32__)
// Whether the fields cover all of a struct in this order, each of them whole eight bytes, with no gap.
template <size_t n>
constexpr bool covers(const Field (&fields)[n], size_t size) {
    size_t end = 0;
    for (const Field& field : fields) {
        if (field.offset != end || field.size % 8 != 0) return false;
        end += field.size;
    }
    return end == size;
}

static_assert(sizeof(void*) == 8, "the structs hold pointers of eight bytes");
static_assert(sizeof(elman_call) == 36 * 8 && covers(call_fields, sizeof(elman_call)));
static_assert(offsetof(elman_call, x) == 9 * 8 && offsetof(elman_call, h) == 20 * 8);
static_assert(offsetof(elman_call, grad_h) == 24 * 8 && offsetof(elman_call, grad_h0) == 32 * 8);
static_assert(sizeof(elman_step_call) == 12 * 8 && covers(step_fields, sizeof(elman_step_call)));
static_assert(sizeof(elman_general_call) == 55 * 8 && covers(general_fields, sizeof(elman_general_call)));
static_assert(sizeof(elman_decoder_spec) == 13 * 8 && covers(spec_fields, sizeof(elman_decoder_spec)));
static_assert(sizeof(elman_loss_call) == 14 * 8 && covers(loss_fields, sizeof(elman_loss_call)));
static_assert(sizeof(elman_reservoir_call) == 19 * 8 && covers(reservoir_fields, sizeof(elman_reservoir_call)));
static_assert(sizeof(elman_python_api) == 29 * 8 && covers(python_fields, sizeof(elman_python_api)));
static_assert(sizeof(elman_sampling_params) == 5 * 8 && covers(params_fields, sizeof(elman_sampling_params)));
#endif

template <size_t n>
std::string line(const char* name, size_t size, const Field (&fields)[n]) {
    std::string text = std::string(name) + " " + std::to_string(size);
    for (const Field& field : fields)
        text += std::string(" ") + field.name + ":" + std::to_string(field.offset) + ":" + std::to_string(field.size);
    return text + "\n";
}

}  // namespace
}  // namespace elman

const char* elman_layout(void) {
    using namespace elman;
    static const std::string text = line("elman_call", sizeof(elman_call), call_fields) +
                                    line("elman_step_call", sizeof(elman_step_call), step_fields) +
                                    line("elman_general_call", sizeof(elman_general_call), general_fields) +
                                    line("elman_decoder_spec", sizeof(elman_decoder_spec), spec_fields) +
                                    line("elman_sampling_params", sizeof(elman_sampling_params), params_fields) +
                                    line("elman_loss_call", sizeof(elman_loss_call), loss_fields) +
                                    line("elman_reservoir_call", sizeof(elman_reservoir_call), reservoir_fields) +
                                    line("elman_python_api", sizeof(elman_python_api), python_fields);
    return text.c_str();
}
