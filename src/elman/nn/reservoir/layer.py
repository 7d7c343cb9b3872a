"""`Reservoir`: a leaky, sparse recurrent layer whose weights are drawn once and not trained.

T steps, B sequences, I inputs, H hidden units, O outputs that are fed back.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.kernels.cpu.library import available
from elman.kernels.cpu.reservoir import GROUP, ReservoirWeights, reservoir_states
from elman.kernels.general.options import GeneralInputs, general_options
from elman.nn.reservoir.connections import connections, spectral_radius_of
from elman.ops.general.functional import run_general


class Reservoir(nn.Module):
    """h_t = (1 - a) h_(t-1) + a f(W_ih x_t + W_fb y_(t-1) + W_hh h_(t-1) + b), the echo-state network of Jaeger (2001).

    The leak a is that of Jaeger, Lukosevicius, Popovici and Siewert (2007), section 2. Units stand in groups of 8 that
    receive from the same others, so that the sparse product runs by vectors; what comes from which is random, and so
    are all weights. Weights are buffers: nothing here is trained, but gradients of the inputs are had, by the dense
    recurrence. On a GPU it runs so too.

    Arguments:
        input_size: I.
        hidden_size: H.
        leak: a in (0, 1], a number or one a unit.
        spectral_radius: of W_hh: the size of its largest eigenvalue, which is met to 1 part in 1,000.
        input_scale: W_ih is uniform in +-`input_scale`, a number or one an input.
        bias_scale: b is uniform in +-`bias_scale`.
        density: the share of units that one receives from; one at least.
        nonlinearity: f, "tanh", "relu" or "identity".
        feedback_size: O, 0 for none.
        feedback_scale: W_fb is uniform in +-`feedback_scale`.
        seed: of the weights; torch's random state goes on where it is None.
        dtype: torch.float64 by default, since readouts by least squares feel float32's rounding. W_hh is of numbers
            that float32 has: half the memory is then read at each step, which is what many units wait for.

    Raises:
        UserError: a size or share is out of range.
    """

    w_ih: Tensor
    bias: Tensor
    leak: Tensor
    starts: Tensor
    sources: Tensor
    values: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        leak: float | Tensor = 1.0,
        spectral_radius: float = 0.9,
        input_scale: float | Tensor = 1.0,
        bias_scale: float = 0.0,
        density: float = 0.1,
        nonlinearity: Literal["tanh", "relu", "identity"] = "tanh",
        feedback_size: int = 0,
        feedback_scale: float = 1.0,
        seed: int | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        _check(input_size, hidden_size, leak, spectral_radius, density, nonlinearity, feedback_size, dtype)
        self.input_size, self.hidden_size, self.feedback_size = input_size, hidden_size, feedback_size
        self.nonlinearity, self.spectral_radius = nonlinearity, spectral_radius
        draw = torch.Generator()
        draw.manual_seed(int(torch.randint(2**62, ())) if seed is None else seed)
        width = -(-hidden_size // GROUP) * GROUP
        starts, sources, values = connections(hidden_size, density, draw)
        scale = torch.as_tensor(input_scale, dtype=torch.float64).expand(input_size).unsqueeze(1)
        w_ih = _uniform((input_size, width), draw) * scale
        w_fb = _uniform((feedback_size, width), draw) * feedback_scale
        padded = torch.ones(width, dtype=torch.float64)
        padded[:hidden_size] = torch.as_tensor(leak, dtype=torch.float64)
        floats = {
            "w_ih": torch.cat([w_ih, w_fb]),
            "bias": _uniform((width,), draw) * bias_scale,
            "leak": padded,
            "values": values,
        }
        for name, tensor in floats.items():
            self.register_buffer(name, tensor.to(dtype).to(device))
        self.register_buffer("starts", starts.to(device))
        self.register_buffer("sources", sources.to(device))
        now = spectral_radius_of(self.weight_hh.double())
        if spectral_radius and now > 0:
            self.values *= spectral_radius / now
        elif not spectral_radius:
            self.values.zero_()
        rounded = self.values.float().to(dtype)
        if bool(rounded.isfinite().all()):
            self.values.copy_(rounded)

    @property
    def weight_hh(self) -> Tensor:
        """W_hh (H, H), mostly zeros; a copy."""
        H, groups = self.hidden_size, len(self.starts) - 1
        group = torch.repeat_interleave(torch.arange(groups, device=self.starts.device), self.starts.diff())
        dense = self.values.new_zeros(groups, H, GROUP)
        dense[group, self.sources.long()] = self.values
        return dense.transpose(1, 2).reshape(-1, H)[:H].contiguous()

    def forward(
        self,
        input: Tensor,  # (T, B, I), or (T, I)
        hx: Tensor | None = None,  # (1, B, H), or (1, H)
        *,
        feedback: Tensor | None = None,  # (T, B, O), or (T, O): y_(t-1) at step t
        lengths: Tensor | None = None,  # (B,)
    ) -> tuple[Tensor, Tensor]:
        """The states (T, B, H), zero past a sequence's end, and the last state (1, B, H), as `elman.RNN` gives them.

        Raises:
            UserError: the sizes do not fit.
        """
        alone = input.dim() == 2
        x = input.unsqueeze(1) if alone else input
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            raise UserError(
                f"the input has shape {tuple(input.shape)}; the reservoir takes (T, B, {self.input_size}), or without B"
            )
        x = self._with_feedback(x.to(self.bias.dtype), feedback)
        T, B, _ = x.shape
        h0 = x.new_zeros(B, self.hidden_size) if hx is None else hx.to(x.dtype).reshape(-1, self.hidden_size)
        if len(h0) != B:
            raise UserError(f"the state has {len(h0)} sequences, the input {B}")
        h = self._states(x, h0)
        last = h[-1] if T else h0
        if lengths is not None:
            lengths = lengths.to(x.device)
            h = h * (torch.arange(T, device=x.device).unsqueeze(1) < lengths).unsqueeze(2)
            last = torch.where((lengths > 0).unsqueeze(1), h[(lengths - 1).clamp_min(0), torch.arange(B)], h0)
        return (h[:, 0], last) if alone else (h, last.unsqueeze(0))

    def _with_feedback(self, x: Tensor, feedback: Tensor | None) -> Tensor:
        if not self.feedback_size:
            if feedback is not None:
                raise UserError("the reservoir has no feedback; make it with `feedback_size`")
            return x
        if feedback is None:
            raise UserError(f"the reservoir is fed {self.feedback_size} outputs; give them as `feedback`")
        given = feedback.to(x.dtype).reshape(x.shape[0], x.shape[1], -1)
        if given.shape[2] != self.feedback_size:
            raise UserError(f"`feedback` has {given.shape[2]} numbers a step, the reservoir takes {self.feedback_size}")
        return torch.cat([x, given], 2)

    def _states(self, x: Tensor, h0: Tensor) -> Tensor:
        if x.device.type == "cpu" and available() and not (torch.is_grad_enabled() and x.requires_grad):
            weights = ReservoirWeights(*(getattr(self, name) for name in ReservoirWeights._fields))
            if x.shape[0] * x.shape[1] >= _WORTH_NARROWING and self.values.nbytes > _NEAR_CACHE:
                narrow = self.values.float()
                if torch.equal(narrow.to(self.values.dtype), self.values):
                    weights = weights._replace(values=narrow)
            return reservoir_states(x.detach(), h0.detach(), weights, self.nonlinearity)
        H = self.hidden_size
        inputs = GeneralInputs(
            x,
            h0,
            self.w_ih[:, :H].t().contiguous(),
            self.weight_hh,
            self.bias[:H].contiguous(),
            self.leak[:H].contiguous(),
        )
        return run_general(inputs, general_options(self.nonlinearity, False, False, "rate"))[0]

    def extra_repr(self) -> str:
        """Sizes and what is not at its default."""
        fed = f", feedback_size={self.feedback_size}" if self.feedback_size else ""
        return f"{self.input_size}, {self.hidden_size}, spectral_radius={self.spectral_radius:g}{fed}"


_WORTH_NARROWING = 64
"""Steps of all sequences from which on it is worth looking whether float32 holds all weights."""
_NEAR_CACHE = 1 << 20
"""Bytes of weights that a step finds in a near cache, from which they come as quickly as they are converted."""


def _uniform(shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=draw, dtype=torch.float64) * 2 - 1


def _check(
    I: int, H: int, leak: float | Tensor, radius: float, density: float, nonlinearity: str, O: int, dtype: torch.dtype
) -> None:
    if I < 0 or H < 1 or O < 0 or I + O < 1:
        raise UserError(
            f"{I} inputs, {H} hidden units and {O} fed back: there must be units, and something that drives them"
        )
    a = torch.as_tensor(leak, dtype=torch.float64)
    if a.dim() > 1 or (a.dim() and len(a) != H) or not bool(((a > 0) & (a <= 1)).all()):
        raise UserError(f"`leak` is {leak}; give a number above 0 and at most 1, or one for each of {H} units")
    if not 0 < density <= 1:
        raise UserError(f"`density` is {density}; it is a share, above 0 and at most 1")
    if not 0 <= radius < math.inf:
        raise UserError(f"`spectral_radius` is {radius}; it must be finite and not negative")
    if nonlinearity not in ("tanh", "relu", "identity"):
        raise UserError(f"`nonlinearity` is {nonlinearity!r}; choose 'tanh', 'relu' or 'identity'")
    if dtype not in (torch.float32, torch.float64):
        raise UserError(f"`dtype` is {dtype}; choose torch.float32 or torch.float64")
