"""A step and a layer as builtin functions of CPython, made when first asked for: no Python lies between them and torch.

The native library holds nothing of CPython or torch and is told here where their functions are (native/elman_python.h).
Where one is missing (another interpreter, one without a global lock, another torch, a platform that names C++ functions
in another way) there are no such functions, and `step_layers` and `forward_layer` do their work.
"""

from __future__ import annotations

import ctypes
import sysconfig
from ctypes import c_int64, c_uint64, c_void_p, cast, py_object
from functools import cache
from typing import Any

import torch
from torch import Tensor

from elman.kernels.cpu.library import ADDRESSES, NONLINEARITIES, library
from elman.kernels.options import PLAIN_TYPES, RecurrenceOptions
from elman.kernels.protocols import LayerFunction, StepFunction
from elman.kernels.torch_private import is_zero_tensor, native_interface

_CPYTHON = {
    "object_type": "PyObject_Type",
    "object_vectorcall": "PyObject_Vectorcall",
    "dict_get_item": "PyDict_GetItem",
    "list_size": "PyList_Size",
    "list_get_item": "PyList_GetItem",
    "tuple_new": "PyTuple_New",
    "tuple_set_item": "PyTuple_SetItem",
    "long_as_long_long": "PyLong_AsLongLong",
    "inc_ref": "Py_IncRef",
    "dec_ref": "Py_DecRef",
    "err_clear": "PyErr_Clear",
    "eval_save_thread": "PyEval_SaveThread",
    "eval_restore_thread": "PyEval_RestoreThread",
}
_OBJECTS: dict[str, object] = {
    "none": None,
    "not_true": False,
    "tensor_type": PLAIN_TYPES[0],
    "parameter_type": PLAIN_TYPES[1],
    "is_negated": Tensor.is_neg,
    "is_zero": is_zero_tensor,
    "threads": torch.get_num_threads,
}
_TORCH = ("exchange", "empty_strided", "get_data_ptr", "delete_tensor", "wrap")


class PythonApi(ctypes.Structure):
    """elman_python_api of native/elman_python.h."""

    _fields_ = (
        *((name, c_void_p) for name in (*_CPYTHON, *_OBJECTS, *_TORCH)),
        ("dtypes", c_int64 * 2),
        ("cpu", c_int64),
        ("lowest", c_uint64),
    )


def step_function(nonlinearity: str, residual: bool) -> StepFunction | None:
    """`StepForm.step_function` of the native backend."""
    made: StepFunction | None = _function("elman_step_method", nonlinearity, residual, False)
    return made


def layer_function(options: RecurrenceOptions) -> LayerFunction | None:
    """`LayerForm.layer_function` of the native backend."""
    made: LayerFunction | None
    made = _function("elman_layer_method", options.nonlinearity, options.residual, options.reverse)
    return made


def _function(method: str, nonlinearity: str, residual: bool, reverse: bool) -> Any:
    api = _api()
    if api is None:
        return None
    place = getattr(library(), method)
    place.restype, place.argtypes = c_void_p, [ctypes.POINTER(PythonApi)]
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype, make.argtypes = py_object, [c_void_p, py_object, py_object]
    return make(place(api), NONLINEARITIES[nonlinearity] + 2 * bool(residual) + 4 * bool(reverse), __name__)


@cache
def _api() -> PythonApi | None:
    """What the native library is told, if all of it is here."""
    torch_has: dict[str, Any] | None = native_interface()
    python: Any = getattr(ctypes, "pythonapi", None)
    if torch_has is None or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    if not all(hasattr(python, name) for name in (*_CPYTHON.values(), "PyCFunction_NewEx")):
        return None
    api = PythonApi(**torch_has, lowest=ADDRESSES)
    for field, name in _CPYTHON.items():
        setattr(api, field, cast(getattr(python, name), c_void_p))
    for field, kept in _OBJECTS.items():
        setattr(api, field, id(kept))
    return api
