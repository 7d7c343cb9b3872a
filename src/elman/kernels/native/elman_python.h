// A step as a builtin function of CPython that takes torch's tensors as they come. Nothing of CPython or torch is
// compiled in, so that one library serves every version: who loads it fills a struct with the addresses of what is
// called, of CPython's stable ABI, of torch's C interfaces, and of the objects that answers are compared with.
#pragma once
#include <stddef.h>

#include "elman.h"

#ifdef __cplusplus
extern "C" {
#endif

// `PyObject*` is void* here. Fields that are not functions hold references of the caller's, kept for good.
typedef struct elman_python_api {
    void* (*object_type)(void* object);  // PyObject_Type, and so on: the stable ABI's names are those of the fields
    void* (*object_vectorcall)(void* callable, void* const* arguments, size_t count, void* names);
    void* (*dict_get_item)(void* dict, void* key);
    intptr_t (*list_size)(void* list);
    void* (*list_get_item)(void* list, intptr_t at);
    void* (*tuple_new)(intptr_t size);
    int (*tuple_set_item)(void* tuple, intptr_t at, void* stolen);
    int64_t (*long_as_long_long)(void* number);
    void (*inc_ref)(void* object);
    void (*dec_ref)(void* object);
    void (*err_clear)(void);
    void* (*eval_save_thread)(void);
    void (*eval_restore_thread)(void* state);
    void *none, *not_true;                 // None, False
    void *tensor_type, *parameter_type;    // the types of tensors whose memory may be taken
    void *is_negated, *is_zero, *threads;  // Tensor.is_neg, Tensor._is_zerotensor, torch.get_num_threads
    const void* exchange;                  // torch's table of DLPack functions
    int (*empty_strided)(int64_t rank, const int64_t* sizes, const int64_t* strides, int32_t dtype, int32_t device,
                         int32_t index, void** tensor);
    int (*get_data_ptr)(void* tensor, void** data);
    int (*delete_tensor)(void* tensor);
    void* (*wrap)(const void* tensor);  // a new reference to the tensor's Python object
    int64_t dtypes[2], cpu;             // torch's numbers of float32 and float64, and of the device
    uint64_t lowest;                    // an address below is maybe the offset of a view into a zero tensor
} elman_python_api;

// A PyMethodDef, for PyCFunction_NewEx; `self` is the function's options, nonlinearity + 2 * residual, as an int.
// The function's arguments are x (S, I), the state (L, S, H) or None, a layer's dict of parameters, the list of the
// lists of their names by layer, and H. It returns the output and the new state, or None, and nothing has run, where
// something does not fit, has no memory, or has rules of its own: what a step by other means is then to see.
ELMAN_API void* elman_step_method(const elman_python_api* api);

// The same for a layer's forward pass, `self` with 4 more where the first direction runs from the end. The arguments
// are x (T, B, I) with any strides, h0 (D, B, H) or None, lengths (B) int64 or None, the list of the weights (D times
// w_ih, w_hh and none, one or two biases), H, D, and whether h is laid out by steps though x may lie by sequences. It
// returns h (T, B, D H) and the last states (D, B, H), or None, also where a length is out of range.
ELMAN_API void* elman_layer_method(const elman_python_api* api);

#ifdef __cplusplus
}
#endif
