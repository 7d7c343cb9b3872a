"""The one list of cases that every test of the recurrence goes through."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from elman.kernels import RecurrenceInputs, RecurrenceOptions
from elman.ops import recurrence


@dataclass(frozen=True)
class Case:
    """T steps, B sequences, I inputs, H hidden units, and what is asked of the recurrence."""

    T: int
    B: int
    I: int
    H: int
    nonlinearity: str = "tanh"
    lengths: tuple[int, ...] | None = None
    reverse: bool = False
    residual: bool = False
    masked: bool = False
    bias: bool = True
    batch_first: bool = False  # x lies in memory batch first, and is a transposed view

    def __str__(self) -> str:
        flags = [name for name in ("reverse", "residual", "masked", "batch_first") if getattr(self, name)]
        flags += [] if self.bias else ["nobias"]
        flags += [] if self.lengths is None else ["lengths" + "".join(map(str, self.lengths))]
        return "-".join([f"T{self.T}B{self.B}I{self.I}H{self.H}", self.nonlinearity, *flags])

    def tensors(self, dtype: torch.dtype = torch.float64, seed: int = 0, requires_grad: bool = True) -> list[Tensor]:
        """x, h0, w_ih, w_hh and, where there is one, the bias."""
        draw = torch.Generator().manual_seed(seed)
        shapes = [(self.T, self.B, self.I), (self.B, self.H), (self.H, self.I), (self.H, self.H), (self.H,)]
        tensors = [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes]
        tensors[3] /= self.H**0.5
        if self.batch_first:
            tensors[0] = tensors[0].transpose(0, 1).contiguous().transpose(0, 1)
        return [t.to(dtype).requires_grad_(requires_grad) for t in (tensors if self.bias else tensors[:4])]

    def options(self, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
        """The keyword arguments of `recurrence`."""
        keep = (torch.arange(self.B * self.H) * 7 % 5 > 1).view(self.B, self.H)  # 3 of 5
        return {
            "lengths": None if self.lengths is None else torch.tensor(self.lengths),
            "nonlinearity": self.nonlinearity,
            "reverse": self.reverse,
            "residual": self.residual,
            "mask": keep.to(dtype) / 0.6 if self.masked else None,
        }

    def inputs(self, dtype: torch.dtype = torch.float64) -> RecurrenceInputs:
        """The tensors as a backend takes them, without gradients."""
        x, h0, w_ih, w_hh, *bias = self.tensors(dtype, requires_grad=False)
        given = self.options(dtype)
        return RecurrenceInputs(x, h0, w_ih, w_hh, bias[0] if bias else None, given["lengths"], given["mask"])

    @property
    def recurrence_options(self) -> RecurrenceOptions:
        """What a backend computes of it."""
        return RecurrenceOptions(self.nonlinearity, self.reverse, self.residual)

    def recurrence(self, dtype: torch.dtype = torch.float64) -> Any:
        """The recurrence as a function of `tensors` alone."""
        run = partial(recurrence, **self.options(dtype))
        return run if self.bias else lambda x, h0, w_ih, w_hh, **more: run(x, h0, w_ih, w_hh, None, **more)

    @property
    def torch_can(self) -> bool:
        """Whether torch.nn.RNN computes this case too."""
        return not (self.residual or self.masked or (self.lengths is not None and 0 in self.lengths))


CASES = (
    Case(1, 1, 1, 1),
    Case(1, 3, 2, 4, "relu", reverse=True),
    Case(5, 2, 3, 4),
    Case(5, 2, 3, 4, "relu", bias=False),
    Case(4, 3, 2, 5, reverse=True, batch_first=True),
    Case(4, 3, 2, 5, lengths=(4, 1, 3)),
    Case(4, 3, 2, 5, "relu", lengths=(2, 3, 1), reverse=True, batch_first=True),
    Case(4, 3, 2, 5, lengths=(3, 0, 4), residual=True),
    Case(4, 2, 3, 5, "relu", residual=True, masked=True),
    Case(4, 3, 2, 5, lengths=(1, 0, 4), reverse=True, residual=True, masked=True),
    Case(3, 2, 2, 3, lengths=(0, 0)),
    Case(3, 0, 2, 3),
    Case(7, 3, 4, 17, masked=True, bias=False),
    Case(6, 9, 5, 33, "relu", lengths=(6, 1, 4, 4, 2, 6, 3, 1, 5), batch_first=True),
)
SMALL = tuple(case for case in CASES if case.H <= 5)  # for derivatives by finite differences
