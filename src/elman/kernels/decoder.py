"""Many single steps of a stack of layers, without gradients: streaming and generation.

`Stack` is the equations in plain torch, the specification, and what runs where there is no native library;
`NativeStack` packs the weights once and takes a step, or writes a whole text, in one native call. `make_stack` chooses.
L layers, S sequences side by side, I inputs, H hidden units, V vocabulary.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.errors import UserError
from elman.kernels.cpu import backend as cpu


@dataclass(frozen=True)
class LayerWeights:
    """One layer's weights."""

    w_ih: Tensor  # (H, I), or (H, H) above the first
    w_hh: Tensor  # (H, H)
    bias: Tensor | None  # (H,) the sum b_ih + b_hh


@dataclass(frozen=True)
class SamplingParams:
    """How a token is drawn from logits: temperature (0 is greedy), then top-k (0 is all), then top-p (1 is all).

    Draw n of sequence s is number n S + s of the SplitMix64 counter of `seed` (Steele, Lea and Flood 2014): the same
    on every machine, whatever the thread count.

    Attributes:
        temperature: divides the logits; 0 is greedy.
        top_k: keep this many of the most probable tokens; 0 keeps all.
        top_p: keep the smallest set of tokens whose probability reaches this (Holtzman et al. 2020); 1 keeps all.
        seed: of the draws.

    Raises:
        UserError: a value outside its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(f"`temperature` is {self.temperature}; it must be 0 (greedy) or more")
        if self.top_k < 0:
            raise UserError(f"`top_k` is {self.top_k}; it must be 0 (all tokens) or more")
        if not 0 < self.top_p <= 1:
            raise UserError(f"`top_p` is {self.top_p}; it must be above 0 and at most 1")


class Stack:
    """A stack of layers, taken one step at a time.

    Arguments:
        layers: from the bottom up.
        nonlinearity: "tanh" or "relu".
        residual: the identity connection h_t = h_(t-1) + f(a_t).
        embedding: (V, I), if the bottom layer reads tokens.
        output: the output layer's weight (V, H) and bias (V,) or None, if tokens are written.
        bfloat16: round the weights to bfloat16; sums stay in their own dtype.
    """

    def __init__(
        self,
        layers: Sequence[LayerWeights],
        nonlinearity: str = "tanh",
        residual: bool = False,
        *,
        embedding: Tensor | None = None,
        output: tuple[Tensor, Tensor | None] | None = None,
        bfloat16: bool = False,
    ) -> None:
        def kept(weight: Tensor) -> Tensor:
            weight = weight.detach()
            return weight.to(torch.bfloat16).to(weight.dtype) if bfloat16 else weight

        first = layers[0]
        # Every token's share of the bottom layer's sum: a row to look up instead of a product.
        self.table = None if embedding is None else _share_of_tokens(embedding, first)  # (V, H)
        self.layers = [LayerWeights(kept(layer.w_ih), kept(layer.w_hh), _detached(layer.bias)) for layer in layers]
        self.f = torch.tanh if nonlinearity == "tanh" else torch.relu
        self.residual = residual
        self.output = None if output is None else (kept(output[0]), _detached(output[1]))

    def step(self, x: Tensor, state: Tensor) -> Tensor:
        """x (S, I), or tokens (S,); state (L, S, H). Returns the new state; its last layer is the output."""
        new: list[Tensor] = []
        for layer, before in zip(self.layers, state, strict=True):
            if not new and self.table is not None:
                drive = self.table[x]
            else:
                drive = F.linear(new[-1] if new else x, layer.w_ih, layer.bias)
            h = self.f(drive + before @ layer.w_hh.t())
            new.append(before + h if self.residual else h)
        return torch.stack(new)

    def generate(
        self, first: Tensor, state: Tensor, length: int, params: SamplingParams, *, start: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Write `length` tokens for each of S texts.

        Arguments:
            first: (S,) the token that each text goes on from, not yet read.
            state: (L, S, H), after the tokens before `first`.
            start: the number of the first draw, to go on with a text in several calls.

        Returns:
            tokens (length, S) and the state (L, S, H) after reading all of them but the last.

        Raises:
            RuntimeError: the stack was made without an embedding or without an output layer.
        """
        self._check_writes()
        assert self.output is not None
        tokens = torch.empty(length, first.shape[0], dtype=torch.int64, device=first.device)
        for n in range(length):
            state = self.step(first, state)
            first = tokens[n] = choose(F.linear(state[-1], *self.output), params, start + n)
        return tokens, state

    def _check_writes(self) -> None:
        if self.table is None or self.output is None:
            raise RuntimeError("this stack was made without an embedding or an output layer: it cannot write")


def choose(logits: Tensor, params: SamplingParams, draw: int) -> Tensor:
    """Draw number `draw`: (S, V) logits to (S,) tokens."""
    if params.temperature == 0:
        return logits.argmax(-1)
    S, V = logits.shape
    scores = logits.float()
    kept = torch.ones_like(scores, dtype=torch.bool)
    if 0 < params.top_k < V:
        kept = scores >= scores.topk(params.top_k).values[:, -1:]
    p = ((scores - scores.amax(-1, keepdim=True)) / params.temperature).exp().masked_fill(~kept, 0).double()
    if params.top_p < 1:
        ordered, order = p.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(-1) - ordered
        ordered = ordered.masked_fill(before >= params.top_p * p.sum(-1, keepdim=True), 0)
        p = torch.zeros_like(p).scatter(-1, order, ordered)
    chance = torch.tensor([uniform(params.seed, draw * S + s) for s in range(S)], dtype=torch.float64)
    reached = p.cumsum(-1) > (chance.to(p.device) * p.sum(-1)).unsqueeze(-1)
    return reached.int().argmax(-1)


def uniform(seed: int, draw: int) -> float:
    """Number `draw` of the seed's counter, hashed, in [0, 1)."""
    word = (1 << 64) - 1

    def mix(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & word
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & word
        return z ^ (z >> 31)

    return float(mix(mix(seed & word) + (draw + 1) * 0x9E3779B97F4A7C15 & word) >> 11) * 2.0**-53


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

    def __init__(
        self,
        layers: Sequence[LayerWeights],
        nonlinearity: str = "tanh",
        residual: bool = False,
        *,
        embedding: Tensor | None = None,
        output: tuple[Tensor, Tensor | None] | None = None,
        bfloat16: bool = False,
    ) -> None:
        super().__init__(layers, nonlinearity, residual, embedding=embedding, output=output)
        self._count, self._hidden = len(layers), layers[0].w_hh.shape[0]
        self._library = _declared(cpu.library())
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
            0 if table is not None else layers[0].w_ih.shape[1],
            self._hidden,
            0 if w_out is None else w_out.shape[0],
            cpu.NONLINEARITIES[nonlinearity],
            residual,
            bfloat16,
            cpu.pointer(table),
            *(_pointers(column) for column in columns),
            cpu.pointer(w_out),
            cpu.pointer(b_out),
        )
        self._stack = self._library.elman_decoder_new(ctypes.byref(spec))
        if not self._stack:
            raise MemoryError("not enough memory to pack the weights")

    def __del__(self) -> None:
        if getattr(self, "_stack", None):
            self._library.elman_decoder_free(self._stack)

    def step(self, x: Tensor, state: Tensor) -> Tensor:
        if self.table is not None:
            return super().step(x, state)
        state = self._checked(state, x.shape[0]).clone()
        x = x.contiguous()
        threads = torch.get_num_threads()
        self._check(self._library.elman_decoder_step(self._stack, x.shape[0], x.data_ptr(), state.data_ptr(), threads))
        return state

    def generate(
        self, first: Tensor, state: Tensor, length: int, params: SamplingParams, *, start: int = 0
    ) -> tuple[Tensor, Tensor]:
        self._check_writes()
        S = first.shape[0]
        state = self._checked(state, S).clone()
        first = first.to(torch.int64).contiguous()
        tokens = torch.empty(length, S, dtype=torch.int64)
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
        if state.shape != shape or state.dtype != torch.float32:
            raise ValueError(f"state is {state.dtype} {tuple(state.shape)}, expected torch.float32 {shape}")
        return state.contiguous()

    def _check(self, status: int) -> None:
        if status == 2:
            raise MemoryError("not enough memory for the stack's working buffers")
        if status:
            raise ValueError("a token lies outside the vocabulary, or there are no sequences")


def make_stack(
    layers: Sequence[LayerWeights],
    nonlinearity: str = "tanh",
    residual: bool = False,
    *,
    embedding: Tensor | None = None,
    output: tuple[Tensor, Tensor | None] | None = None,
    bfloat16: bool = False,
) -> Stack:
    """A `NativeStack` where the weights are float32 on the CPU and the library is built, else a `Stack`."""
    w_hh = layers[0].w_hh
    native = w_hh.device.type == "cpu" and w_hh.dtype == torch.float32 and cpu.serves(w_hh.dtype)
    kind = NativeStack if native else Stack
    return kind(layers, nonlinearity, residual, embedding=embedding, output=output, bfloat16=bfloat16)


def _in_rows(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _pointers(tensors: list[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*map(cpu.pointer, tensors))


def _share_of_tokens(embedding: Tensor, layer: LayerWeights) -> Tensor:
    with torch.no_grad():
        return F.linear(embedding, layer.w_ih, layer.bias)


def _detached(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach()


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
