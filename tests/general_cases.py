"""The one list of cases that every test of the general recurrence goes through, and its definition."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from elman.kernels.general.activations import FUNCTIONS
from elman.kernels.general.noise import normal
from elman.kernels.general.options import GeneralInputs, GeneralOptions

SEED = (2**62 + 12345, 3)


@dataclass(frozen=True)
class GeneralCase:
    """T steps, B sequences, I inputs, H hidden units, and what is asked of the general recurrence."""

    T: int
    B: int
    I: int
    H: int
    nonlinearity: str = "tanh"
    form: str = "rate"
    leak: bool = False
    noise: bool = False
    reset: bool = False
    restart: bool = False
    lengths: tuple[int, ...] | None = None
    reverse: bool = False
    residual: bool = False
    masked: bool = False
    bias: bool = True
    batch_first: bool = False
    rank: int = 0
    density: float = 0

    def __str__(self) -> str:
        flags = [f.name for f in fields(self) if getattr(self, f.name) is True and f.name != "bias"]
        flags += [f"rank{self.rank}"] if self.rank else []
        flags += [f"density{self.density}"] if self.density else []
        flags += [] if self.bias else ["nobias"]
        flags += [] if self.lengths is None else ["lengths" + "".join(map(str, self.lengths))]
        return "-".join([f"T{self.T}B{self.B}I{self.I}H{self.H}", self.nonlinearity, self.form, *flags])

    @property
    def options(self) -> GeneralOptions:
        return GeneralOptions(self.nonlinearity, self.reverse, self.residual, self.form)

    def inputs(self, dtype: torch.dtype = torch.float64, seed: int = 0) -> GeneralInputs:
        """The tensors, without gradients."""
        draw = torch.Generator().manual_seed(seed)

        def randn(*shape: int) -> Tensor:
            return torch.randn(shape, generator=draw, dtype=torch.float64)

        T, B, I, H = self.T, self.B, self.I, self.H
        x = randn(B, T, I).transpose(0, 1) if self.batch_first else randn(T, B, I)
        tensors = {
            "x": x,
            "h0": randn(B, H),
            "w_ih": randn(H, I),
            "w_hh": randn(H, self.rank or H) / H**0.5,
            "w_in": randn(H, self.rank) if self.rank else None,
            "bias": randn(H) if self.bias else None,
            "leak": 0.1 + 0.8 * torch.rand(H, generator=draw, dtype=torch.float64) if self.leak else None,
            "noise": 0.1 + torch.rand(H, generator=draw, dtype=torch.float64) if self.noise else None,
            "restart": randn(H) if self.restart else None,
            "mask": (torch.rand(B, H, generator=draw) > 0.4) / 0.6 if self.masked else None,
        }
        given = {name: None if tensor is None else tensor.to(dtype) for name, tensor in tensors.items()}
        reset = torch.rand(T, B, generator=draw) > 0.6 if self.reset else None
        lengths = None if self.lengths is None else torch.tensor(self.lengths)
        seeds = torch.tensor(SEED) if self.noise else None
        connected = torch.rand(H, H, generator=draw) < self.density if self.density else None
        return GeneralInputs(lengths=lengths, reset=reset, seed=seeds, connected=connected, **given)


def definition(inputs: GeneralInputs, options: GeneralOptions) -> tuple[Tensor, Tensor]:
    """h and the last state, one sequence and one step at a time, for autograd to differentiate."""
    x, h0, w_ih, w_hh, bias, leak, noise, restart, w_in, lengths, mask, reset, _, connected = inputs
    T, B, _ = x.shape
    H = w_hh.shape[0]
    w_hh = w_hh if w_in is None else w_hh @ w_in.t()
    w_hh = w_hh if connected is None else w_hh.where(connected, 0)
    f = FUNCTIONS[options.nonlinearity]
    a = torch.ones(H, dtype=x.dtype) if leak is None else leak
    drawn = normal(*SEED, T, B, H).to(x.dtype)
    columns, last = [], []
    for b in range(B):
        length = T if lengths is None else int(lengths[b])
        state, outputs = h0[b], [torch.zeros(H, dtype=x.dtype)] * T
        for t in reversed(range(length)) if options.reverse else range(length):
            if reset is not None and reset[t, b]:
                state = torch.zeros(H, dtype=x.dtype) if restart is None else restart
            entering = f(state) if options.current else state
            z = w_ih @ x[t, b] + w_hh @ (entering if mask is None else mask[b] * entering)
            z = z + (0 if bias is None else bias) + (0 if noise is None else noise * drawn[t, b])
            kept = state if options.residual else (1 - a) * state
            state = kept + a * (z if options.current else f(z))
            outputs[t] = f(state) if options.current else state
        columns.append(torch.stack(outputs))
        last.append(state)
    if not columns:
        return x.new_empty(T, 0, H), x.new_empty(0, H)
    return torch.stack(columns, 1), torch.stack(last)


def differentiable(inputs: GeneralInputs) -> tuple[GeneralInputs, list[str]]:
    """The inputs as leaves, and the names of those that have a gradient."""
    names = [name for name in inputs._fields[:9] if getattr(inputs, name) is not None]
    return inputs._replace(**{name: getattr(inputs, name).detach().requires_grad_() for name in names}), names


_OTHERS = ("relu", "sigmoid", "softplus", "hardtanh", "rectified_tanh", "leaky_relu", "identity")
GENERAL_CASES = (
    GeneralCase(1, 1, 1, 1, leak=True, noise=True, reset=True),
    *(GeneralCase(4, 3, 2, 5, f) for f in _OTHERS),
    *(GeneralCase(4, 3, 2, 5, f, leak=True, noise=True, reset=True) for f in _OTHERS),
    *(GeneralCase(4, 2, 2, 5, f, "current", leak=True, noise=True, reset=True, restart=True) for f in _OTHERS),
    GeneralCase(5, 3, 2, 4, form="current", lengths=(2, 5, 0), masked=True, reset=True),
    GeneralCase(5, 3, 2, 4, leak=True, lengths=(2, 5, 0), masked=True, reset=True, restart=True, batch_first=True),
    GeneralCase(5, 3, 2, 4, leak=True, noise=True, lengths=(2, 5, 1), reverse=True, reset=True, bias=False),
    GeneralCase(5, 3, 2, 4, form="current", leak=True, noise=True, lengths=(2, 5, 1), reverse=True, reset=True),
    GeneralCase(4, 2, 3, 5, residual=True, noise=True, reset=True, masked=True),
    GeneralCase(4, 2, 3, 5, "sigmoid", "current", residual=True, noise=True, reset=True, masked=True),
    GeneralCase(3, 2, 2, 3, leak=True, lengths=(0, 0), reset=True, restart=True),
    GeneralCase(3, 0, 2, 3, leak=True, noise=True, reset=True, restart=True),
    GeneralCase(6, 9, 5, 33, form="current", leak=True, noise=True, reset=True, lengths=(6, 1, 4, 4, 2, 6, 3, 1, 5)),
    GeneralCase(7, 5, 4, 70, leak=True, noise=True, reset=True, restart=True, batch_first=True, reverse=True),
    GeneralCase(7, 13, 4, 65, "softplus", noise=True, bias=False),
    GeneralCase(5, 3, 2, 5, rank=2),
    GeneralCase(5, 3, 2, 5, "sigmoid", leak=True, noise=True, reset=True, restart=True, masked=True, rank=1),
    GeneralCase(5, 13, 2, 65, form="current", leak=True, reset=True, lengths=(5, 2, 4, 0) * 3 + (1,), rank=3),
    GeneralCase(4, 3, 2, 5, reset=True),
    GeneralCase(6, 9, 5, 33, "relu", reset=True, reverse=True, masked=True, lengths=(6, 1, 4, 4, 2, 6, 3, 1, 5)),
    GeneralCase(7, 13, 4, 65, reset=True, batch_first=True, bias=False),
    GeneralCase(4, 3, 2, 5, density=0.4),
    GeneralCase(5, 13, 2, 65, form="current", leak=True, reset=True, lengths=(5, 2, 4, 0) * 3 + (1,), density=0.1),
    GeneralCase(4, 33, 3, 37, leak=True, noise=True, reset=True, restart=True, masked=True, density=0.2),
    GeneralCase(3, 70, 2, 33, "sigmoid", reverse=True, residual=True, reset=True, bias=False, density=0.3),
)
GENERAL_SMALL = tuple(case for case in GENERAL_CASES if case.H <= 5)
