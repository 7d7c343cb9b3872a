"""One step of a recurrent layer, and its derivative, for the vanilla RNN, the LSTM and the GRU.

T steps, B sequences, I inputs, H hidden units, G gates, S numbers in the state: H, or 2 H for the LSTM, whose
state is (h, c). The step is s_t = F(s_(t-1), x_t). Its derivative J_t = ds_t/ds_(t-1) is needed at every step
that was visited; a `Local` holds the factors of it for all steps at once, so that a product with J_t or its
transpose costs one product with W_hh. The equations are those of torch.nn.RNN, LSTM and GRU.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

GATES = {
    "tanh": ("h",),
    "relu": ("h",),
    "LSTM": ("input", "forget", "cell", "output"),
    "GRU": ("reset", "update", "new"),
}
# |tanh| beyond it leaves less than 2 % of the steepest slope; a logistic gate beyond it or below 1 - it, 4 %.
SATURATED = 0.99


@dataclass(frozen=True)
class Cell:
    """One layer of a recurrent module in one direction: the weights that all its steps share.

    Attributes:
        name: the module's name in the model, then the layer: "rnn.l0", "rnn.l1.reverse".
        kind: "tanh", "relu", "LSTM" or "GRU".
        w_ih: (G*H, I).
        w_hh: (G*H, H).
        b_ih, b_hh: (G*H,), zeros where the layer has none.
        reverse: it reads each sequence from its end.
        residual: h_t = h_(t-1) + f(a_t) in place of f(a_t); "tanh" and "relu" only.
        gain: (H,), where a_t is normalised over the hidden units before f (Ba, Kiros and Hinton 2016,
            equation 4): the normalisation's gain; the biases' sum is then its bias. "tanh" and "relu" only.
    """

    name: str
    kind: str
    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor
    b_hh: Tensor
    reverse: bool = False
    residual: bool = False
    gain: Tensor | None = None

    @property
    def hidden_size(self) -> int:
        return self.w_hh.shape[1]

    @property
    def state_size(self) -> int:
        return 2 * self.hidden_size if self.kind == "LSTM" else self.hidden_size

    @property
    def plain(self) -> bool:
        """Whether it is h_t = f(a_t) and no more, so that h alone gives the derivative."""
        return self.kind in ("tanh", "relu") and not self.residual and self.gain is None

    def to(self, dtype: torch.dtype, device: torch.device | str) -> Cell:
        """Give the same cell with weights of another dtype or on another device."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {k: v.to(device, dtype) for k, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def drive(self, x: Tensor) -> Tensor:
        """Give the input's share of each step, W_ih x_t + b_ih: x (..., I) to (..., G*H)."""
        return F.linear(x, self.w_ih, self.b_ih if self.gain is None else None)

    def step(self, state: Tensor, drive: Tensor) -> Tensor:
        """Take one step: state (..., S), drive (..., G*H), to the next state (..., S)."""
        h = state[..., : self.hidden_size]
        a = F.linear(h, self.w_hh, self.b_hh if self.gain is None else None)
        if self.kind == "LSTM":
            i, f, g, o = (drive + a).chunk(4, -1)
            c = f.sigmoid() * state[..., self.hidden_size :] + i.sigmoid() * g.tanh()
            return torch.cat((o.sigmoid() * c.tanh(), c), -1)
        if self.kind == "GRU":
            (d_r, d_z, d_n), (a_r, a_z, a_n) = drive.chunk(3, -1), a.chunk(3, -1)
            n, z = (d_n + (d_r + a_r).sigmoid() * a_n).tanh(), (d_z + a_z).sigmoid()
            return (1 - z) * n + z * h
        a = drive + a
        if self.gain is not None:
            a = F.layer_norm(a, (self.hidden_size,), self.gain, self.b_ih + self.b_hh)
        out = torch.relu(a) if self.kind == "relu" else torch.tanh(a)
        return h + out if self.residual else out

    def run(self, x: Tensor, state: Tensor) -> Tensor:
        """Take a step for each x_t: x (T, B, I), state (B, S), to the states after each step (T, B, S)."""
        states = []
        for drive in self.drive(x):
            state = self.step(state, drive)
            states.append(state)
        return torch.stack(states)

    def memory(self, x: Tensor, h: Tensor, state: Tensor) -> Tensor:
        """Give the LSTM's c after each step, (T, B, H); arguments as for `local`."""
        h_prev = torch.cat((state[None, :, : self.hidden_size], h[:-1]))
        return _lstm(self, x, h_prev, state[:, self.hidden_size :])[-1][1:]

    def local(self, x: Tensor, h: Tensor, state: Tensor) -> Local:
        """Give the derivative of every step at the states that it visited.

        Arguments:
            x: (T, B, I) the input.
            h: (T, B, H) the hidden state after each step.
            state: (B, S) the state before the first.
        """
        if self.plain:
            return Vanilla.at(self, h, None)
        h_prev = torch.cat((state[None, :, : self.hidden_size], h[:-1]))
        if self.kind == "LSTM":
            return Lstm.at(self, x, h_prev, state[:, self.hidden_size :])
        if self.kind == "GRU":
            return Gru.at(self, x, h_prev)
        if self.gain is not None:
            return Normalised.at(self, x, h, h_prev)
        return Vanilla.at(self, h, h_prev)


@dataclass(frozen=True)
class Local(ABC):
    """The derivative of every step, J_t = ds_t/ds_(t-1), in factors.

    Attributes:
        w_hh: (G*H, H).
        factors: each (T, B, H), or (T, B, 1) but for the first; what they are is the subclass's affair.
        saturated: for each gate (T, B, H), where it is saturated; empty in a window.
    """

    w_hh: Tensor
    factors: tuple[Tensor, ...]
    saturated: dict[str, Tensor]

    @property
    def steps(self) -> int:
        return self.factors[0].shape[0]

    def window(self, rows: list[int], ends: list[int], steps: int) -> Local:
        """Cut out, for each sequence in `rows`, the `steps` steps that end with its own step in `ends`."""
        first = [end + 1 - steps for end in ends]
        cut = (torch.stack([f[a : a + steps, b] for a, b in zip(first, rows, strict=True)], 1) for f in self.factors)
        return type(self)(self.w_hh, tuple(cut), {})

    def to(self, dtype: torch.dtype) -> Local:
        return type(self)(self.w_hh.to(dtype), tuple(f.to(dtype) for f in self.factors), {})

    def matrix(self, t: int) -> Tensor:
        """Give J_t in full, (B, S, S)."""
        batch = self.factors[0].shape[1]
        size = self.size
        basis = torch.eye(size, dtype=self.w_hh.dtype, device=self.w_hh.device)
        return self.jvp(t, basis[:, None].expand(size, batch, size)).permute(1, 2, 0)

    @property
    def parts(self) -> int:
        """How many vectors of H numbers the state has."""
        return 1

    @property
    def size(self) -> int:
        """S, how many numbers the state has."""
        return self.factors[0].shape[-1] * self.parts

    def singular(self) -> Tensor:
        """Say where J_t is singular by its form, (T, B)."""
        return torch.zeros_like(self.factors[0][..., 0], dtype=torch.bool)

    @abstractmethod
    def jvp(self, t: int, v: Tensor) -> Tensor:
        """Carry a change of s_(t-1) forward to s_t: J_t v, for v (..., B, S)."""

    @abstractmethod
    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        """Turn a gradient with respect to s_t, (..., B, S), into that with respect to the drive, (..., B, G*H).

        With a slice of steps in the place of t, for all of them: v (T, B, S).
        """

    @abstractmethod
    def vjp(self, t: int, v: Tensor) -> tuple[Tensor, Tensor]:
        """Carry a gradient with respect to s_t back to s_(t-1): v J_t, for v (..., B, S).

        Returns:
            the gradient with respect to s_(t-1), (..., B, S), and delta_t, that with respect to the drive of
            step t, (..., B, G*H).
        """

    def hidden_delta(self, delta: Tensor) -> Tensor:
        """Turn delta (T, B, G*H) into the gradient with respect to W_hh h_(t-1) + b_hh."""
        return delta


class Vanilla(Local):
    """factors: the slope f'(a_t), and for the residual form a second one of ones."""

    @classmethod
    def at(cls, cell: Cell, h: Tensor, h_prev: Tensor | None) -> Vanilla:
        slope, still = _slope(cell, h if h_prev is None else h - h_prev)
        factors = (slope,) if h_prev is None else (slope, torch.ones_like(slope[..., :1]))
        return cls(cell.w_hh, factors, {"h": still})

    @property
    def residual(self) -> bool:
        return len(self.factors) == 2

    def singular(self) -> Tensor:
        return super().singular() if self.residual else (self.factors[0] == 0).any(-1)

    def jvp(self, t: int, v: Tensor) -> Tensor:
        out = times(v, self.w_hh.T) * self.factors[0][t]
        return out + v if self.residual else out

    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        return v * self.factors[0][t]

    def vjp(self, t: int, v: Tensor) -> tuple[Tensor, Tensor]:
        delta = self.delta(t, v)
        back = times(delta, self.w_hh)
        return (back + v if self.residual else back), delta


class Normalised(Local):
    """factors: f' times the gain, the normalised sum, 1 over its deviation, and 1 if residual, else 0."""

    @classmethod
    def at(cls, cell: Cell, x: Tensor, h: Tensor, h_prev: Tensor) -> Normalised:
        assert cell.gain is not None
        a = cell.drive(x) + F.linear(h_prev, cell.w_hh)
        middle = a - a.mean(-1, keepdim=True)
        inverse = (middle.square().mean(-1, keepdim=True) + 1e-5).rsqrt()  # torch's epsilon
        slope, still = _slope(cell, h - h_prev if cell.residual else h)
        kept = torch.full_like(inverse, float(cell.residual))
        return cls(cell.w_hh, (slope * cell.gain, middle * inverse, inverse, kept), {"h": still})

    def singular(self) -> Tensor:
        return (self.factors[3] == 0)[..., 0]  # the mean and the length of the sums are lost

    def jvp(self, t: int, v: Tensor) -> Tensor:
        slope, _, _, kept = (f[t] for f in self.factors)
        return self._normalised(t, v @ self.w_hh.T) * slope + v * kept

    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        return self._normalised(t, v * self.factors[0][t])

    def vjp(self, t: int, v: Tensor) -> tuple[Tensor, Tensor]:
        delta = self.delta(t, v)
        return delta @ self.w_hh + v * self.factors[3][t], delta

    def _normalised(self, t: int | slice, v: Tensor) -> Tensor:
        _, unit, inverse, _ = (f[t] for f in self.factors)
        return (v - v.mean(-1, keepdim=True) - unit * (v * unit).mean(-1, keepdim=True)) * inverse


class Gru(Local):
    """factors: of h_(t-1) itself, of the three gates' sums, and the reset gate (which stands before a_n)."""

    @classmethod
    def at(cls, cell: Cell, x: Tensor, h_prev: Tensor) -> Gru:
        (d_r, d_z, d_n), (a_r, a_z, a_n) = (
            s.chunk(3, -1) for s in (cell.drive(x), F.linear(h_prev, cell.w_hh, cell.b_hh))
        )
        r, z = (d_r + a_r).sigmoid(), (d_z + a_z).sigmoid()
        n = (d_n + r * a_n).tanh()
        to_n = (1 - z) * (1 - n * n)
        factors = (z, to_n * a_n * r * (1 - r), (h_prev - n) * z * (1 - z), to_n, r)
        return cls(cell.w_hh, factors, {"reset": _shut(r), "update": _shut(z), "new": n.abs() > SATURATED})

    def jvp(self, t: int, v: Tensor) -> Tensor:
        z, to_r, to_z, to_n, r = (f[t] for f in self.factors)
        a_r, a_z, a_n = (v @ self.w_hh.T).chunk(3, -1)
        return z * v + to_r * a_r + to_z * a_z + to_n * r * a_n

    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        return torch.cat([v * to[t] for to in self.factors[1:4]], -1)

    def vjp(self, t: int, v: Tensor) -> tuple[Tensor, Tensor]:
        delta = self.delta(t, v)
        return self._hidden_delta(t, delta) @ self.w_hh + v * self.factors[0][t], delta

    def hidden_delta(self, delta: Tensor) -> Tensor:
        return self._hidden_delta(slice(None), delta)

    def _hidden_delta(self, t: int | slice, delta: Tensor) -> Tensor:
        delta_r, delta_z, delta_n = delta.chunk(3, -1)
        return torch.cat((delta_r, delta_z, delta_n * self.factors[4][t]), -1)


class Lstm(Local):
    """factors: of c_(t-1), of the gates' sums, and of c_t in h_t."""

    @classmethod
    def at(cls, cell: Cell, x: Tensor, h_prev: Tensor, c: Tensor) -> Lstm:
        i, f, g, o, memory = _lstm(cell, x, h_prev, c)
        c_prev, squashed = memory[:-1], memory[1:].tanh()
        factors = (
            f,
            g * i * (1 - i),
            c_prev * f * (1 - f),
            i * (1 - g * g),
            squashed * o * (1 - o),
            o * (1 - squashed * squashed),
        )
        shut = {"input": _shut(i), "forget": _shut(f), "cell": g.abs() > SATURATED, "output": _shut(o)}
        return cls(cell.w_hh, factors, shut)

    @property
    def parts(self) -> int:
        return 2

    @property
    def cell_to_hidden(self) -> Tensor:
        """dh_t/dc_t within one step, (T, B, H)."""
        return self.factors[5]

    def jvp(self, t: int, v: Tensor) -> Tensor:
        f, to_i, to_f, to_g, to_o, to_c = (factor[t] for factor in self.factors)
        h, c = v.chunk(2, -1)
        a_i, a_f, a_g, a_o = (h @ self.w_hh.T).chunk(4, -1)
        c = f * c + to_i * a_i + to_f * a_f + to_g * a_g
        return torch.cat((to_c * c + to_o * a_o, c), -1)

    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        return self._split(t, v)[0]

    def vjp(self, t: int, v: Tensor) -> tuple[Tensor, Tensor]:
        delta, c = self._split(t, v)
        return torch.cat((delta @ self.w_hh, c * self.factors[0][t]), -1), delta

    def _split(self, t: int | slice, v: Tensor) -> tuple[Tensor, Tensor]:
        """Give delta, and the gradient with respect to c_t with what passes through h_t."""
        _, to_i, to_f, to_g, to_o, to_c = (factor[t] for factor in self.factors)
        h, c = v.chunk(2, -1)
        c = c + h * to_c
        return torch.cat((c * to_i, c * to_f, c * to_g, h * to_o), -1), c


def _lstm(cell: Cell, x: Tensor, h_prev: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """Give the gates i, f, g, o, each (T, B, H), and the cell before and after each step, (T+1, B, H)."""
    a = cell.drive(x) + F.linear(h_prev, cell.w_hh, cell.b_hh)
    i, f, g, o = (s.tanh() if k == 2 else s.sigmoid() for k, s in enumerate(a.chunk(4, -1)))
    memory, new = [c], i * g
    for t in range(len(a)):
        memory.append(f[t] * memory[-1] + new[t])
    return i, f, g, o, torch.stack(memory)


def times(v: Tensor, matrix: Tensor) -> Tensor:
    """Give v @ matrix; for v (2, S) one row at a time, which takes half as long."""
    return torch.stack([v[0] @ matrix, v[1] @ matrix]) if v.dim() == 2 and len(v) == 2 else v @ matrix


def _slope(cell: Cell, out: Tensor) -> tuple[Tensor, Tensor]:
    """Give f' in terms of f, and where it is so small that a unit counts as saturated."""
    slope = (~(out <= 0)).to(out.dtype) if cell.kind == "relu" else 1 - out * out  # nan passes, as in torch
    return slope, is_still(cell, out)


def is_still(cell: Cell, out: Tensor) -> Tensor:
    """Say where f of a vanilla cell is saturated; for relu, where it is 0."""
    return out == 0 if cell.kind == "relu" else out.abs() > SATURATED


def _shut(gate: Tensor) -> Tensor:
    return (gate > SATURATED) | (gate < 1 - SATURATED)
