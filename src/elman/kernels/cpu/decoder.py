"""The stack of layers in native code: weights packed once, then a step, or a whole text, in one native call.

L layers, S sequences side by side, I inputs, H hidden units, V vocabulary.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from elman.kernels.cpu.library import NONLINEARITIES, in_memory, library, pointer
from elman.kernels.decoder import SamplingParams, Stack, StackWeights
from elman.kernels.options import PLAIN, RecurrenceOptions


class _Spec(ctypes.Structure):  # elman_decoder_spec in native/elman.h
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("layers", "I", "H", "V", "nonlinearity", "residual", "bfloat16")),
        ("table", ctypes.c_void_p),
        *((name, ctypes.POINTER(ctypes.c_void_p)) for name in ("w_ih", "w_hh", "bias")),
        ("w_out", ctypes.c_void_p),
        ("b_out", ctypes.c_void_p),
    )


class _SamplingParams(ctypes.Structure):  # elman_sampling_params
    _fields_ = (
        ("temperature", ctypes.c_double),
        ("top_p", ctypes.c_double),
        ("top_k", ctypes.c_int64),
        ("seed", ctypes.c_uint64),
        ("first_draw", ctypes.c_uint64),
    )


class NativeStack(Stack):
    """A `Stack` in float32 on the CPU, in native code. Calls on one stack may not overlap in time."""

    dtypes = (torch.float32,)

    def __init__(self, weights: StackWeights, options: RecurrenceOptions = PLAIN, *, bfloat16: bool = False) -> None:
        super().__init__(weights, options)  # the native code rounds the weights itself
        self._count, self._hidden = len(self.layers), self.layers[0].w_hh.shape[0]
        self._library = _declared(library())
        columns: list[list[Tensor | None]] = [
            [_in_rows(layer.w_ih) for layer in self.layers],
            [_in_rows(layer.w_hh) for layer in self.layers],
            [_in_rows(layer.bias) for layer in self.layers],
        ]
        if self.table is not None:
            columns[0][0] = columns[2][0] = None  # they are in the table
        # The native side reads these two where they are, at every step.
        table = self.table = _in_rows(self.table)
        w_out, b_out = (None, None) if self.output is None else map(_in_rows, self.output)
        self._b_out = b_out
        spec = _Spec(
            self._count,
            0 if table is not None else self.layers[0].w_ih.shape[1],
            self._hidden,
            0 if w_out is None else w_out.shape[0],
            NONLINEARITIES[options.nonlinearity],
            options.residual,
            bfloat16,
            pointer(table),
            *(_pointers(column) for column in columns),
            pointer(w_out),
            pointer(b_out),
        )
        self._stack = self._library.elman_decoder_new(ctypes.byref(spec))
        if not self._stack:
            raise MemoryError("not enough memory to pack the weights")

    def __del__(self) -> None:
        if getattr(self, "_stack", None):
            self._library.elman_decoder_free(self._stack)

    def step(self, x: Tensor, state: Tensor) -> Tensor:
        """One step of every layer, in one native call; see `Stack.step`."""
        if self.table is not None:
            return super().step(x, state)
        inputs = self.layers[0].w_ih.shape[1]
        if x.dim() != 2 or x.shape[1] != inputs or x.dtype is not torch.float32 or not x.is_cpu:
            found = f"{x.dtype} {tuple(x.shape)} on {x.device}"
            raise ValueError(f"x is {found}, expected torch.float32 (sequences, {inputs}) on cpu")
        state = self._checked(state, x.shape[0]).clone()
        if not len(x):
            return state
        x = in_memory(x.contiguous())
        threads = torch.get_num_threads()
        self._check(self._library.elman_decoder_step(self._stack, x.shape[0], x.data_ptr(), state.data_ptr(), threads))
        return state

    def generate(
        self, first: Tensor, state: Tensor, length: int, params: SamplingParams, *, start: int = 0
    ) -> tuple[Tensor, Tensor]:
        """A whole text, in one native call; see `Stack.generate`."""
        self.check_writes()
        S = first.shape[0]
        state = self._checked(state, S).clone()
        first = first.to(torch.int64).contiguous()
        tokens = torch.empty(length, S, dtype=torch.int64)
        if not S:
            return tokens, state
        native = _SamplingParams(params.temperature, params.top_p, params.top_k, params.seed & ((1 << 64) - 1), start)
        self._check(
            self._library.elman_decoder_generate(
                self._stack,
                *(S, length, first.data_ptr(), state.data_ptr(), ctypes.byref(native), tokens.data_ptr()),
                torch.get_num_threads(),
            )
        )
        return tokens, state

    def _checked(self, state: Tensor, S: int) -> Tensor:
        shape = (self._count, S, self._hidden)
        if state.shape != shape or state.dtype != torch.float32 or not state.is_cpu:
            found = f"{state.dtype} {tuple(state.shape)} on {state.device}"
            raise ValueError(f"state is {found}, expected torch.float32 {shape} on cpu")
        return in_memory(state.contiguous())

    def _check(self, status: int) -> None:
        if status == 2:
            raise MemoryError("not enough memory for the stack's working buffers")
        if status:
            raise ValueError("a token lies outside the vocabulary")


def _in_rows(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else in_memory(tensor.contiguous())


def _pointers(tensors: list[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*map(pointer, tensors))


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """Tell ctypes what the stack's functions take."""
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    library.elman_decoder_new.restype = pointer
    library.elman_decoder_new.argtypes = [pointer]
    library.elman_decoder_free.restype = None
    library.elman_decoder_free.argtypes = [pointer]
    library.elman_decoder_step.argtypes = [pointer, integer, pointer, pointer, integer]
    library.elman_decoder_generate.argtypes = [
        *(pointer, integer, integer),
        *(pointer, pointer, pointer, pointer),
        integer,
    ]
    return library
