"""The Jacobians of torch's LSTM and GRU by hand."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.insight.jacobians.cell import Cell
from elman.insight.jacobians.factored import FactoredJacobians


class GruJacobians(FactoredJacobians):
    """factors: of h_(t-1) itself, of the three gates' sums, and the reset gate (which stands before a_n)."""

    @classmethod
    def at(cls, cell: Cell, x: Tensor, h_before: Tensor) -> GruJacobians:
        """The Jacobians of steps from the states `h_before` (T, B, H) with inputs x (T, B, I)."""
        w_hh, drive = cell.weights["weight_hh"], cell.drive(x)
        d_r, d_z, d_n = drive.chunk(3, -1)
        a_r, a_z, a_n = F.linear(h_before, w_hh, cell.weights.get("bias_hh")).chunk(3, -1)
        r, z = (d_r + a_r).sigmoid(), (d_z + a_z).sigmoid()
        n = (d_n + r * a_n).tanh()
        to_n = (1 - z) * (1 - n * n)
        factors = (z, to_n * a_n * r * (1 - r), (h_before - n) * z * (1 - z), to_n, r)
        saturated = {gate.name: gate.saturated(value) for gate, value in zip(cell.map.gates, (r, z, n), strict=True)}
        return cls(cell.weights["weight_ih"], w_hh, factors, saturated)

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v."""
        z, to_r, to_z, to_n, r = (f[t] for f in self.factors)
        a_r, a_z, a_n = (v @ self.w_hh.T).chunk(3, -1)
        return z * v + to_r * a_r + to_z * a_z + to_n * r * a_n

    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        """v times the three gates' factors, (..., B, 3 H)."""
        return torch.cat([v * to[t] for to in self.factors[1:4]], -1)

    def vjp(self, t: int, v: Tensor) -> Tensor:
        """v J_t."""
        return self._hidden_delta(t, self.delta(t, v)) @ self.w_hh + v * self.factors[0][t]

    def hidden_delta(self, delta: Tensor) -> Tensor:
        """delta with the third part times the reset gate, which stands before a_n."""
        return self._hidden_delta(slice(None), delta)

    def _hidden_delta(self, t: int | slice, delta: Tensor) -> Tensor:
        delta_r, delta_z, delta_n = delta.chunk(3, -1)
        return torch.cat((delta_r, delta_z, delta_n * self.factors[4][t]), -1)


class LstmJacobians(FactoredJacobians):
    """factors: of c_(t-1), of the gates' sums, and of c_t in h_t. The state is (h, c), S = 2 H."""

    @classmethod
    def at(cls, cell: Cell, x: Tensor, h_before: Tensor, c: Tensor) -> LstmJacobians:
        """The Jacobians of steps from the states `h_before` (T, B, H); c (B, H) is the cell before the first."""
        w_hh = cell.weights["weight_hh"]
        a = cell.drive(x) + F.linear(h_before, w_hh, cell.weights.get("bias_hh"))
        i, f, g, o = gates = tuple(s.tanh() if k == 2 else s.sigmoid() for k, s in enumerate(a.chunk(4, -1)))
        memory, new = [c], i * g
        for t in range(len(a)):
            memory.append(f[t] * memory[-1] + new[t])
        c_before, squashed = torch.stack(memory[:-1]), torch.stack(memory[1:]).tanh()
        factors = (
            f,
            g * i * (1 - i),
            c_before * f * (1 - f),
            i * (1 - g * g),
            squashed * o * (1 - o),
            o * (1 - squashed * squashed),
        )
        saturated = {gate.name: gate.saturated(value) for gate, value in zip(cell.map.gates, gates, strict=True)}
        return cls(cell.weights["weight_ih"], w_hh, factors, saturated)

    @property
    def size(self) -> int:
        """S = 2 H."""
        return 2 * super().size

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v."""
        f, to_i, to_f, to_g, to_o, to_c = (factor[t] for factor in self.factors)
        h, c = v.chunk(2, -1)
        a_i, a_f, a_g, a_o = (h @ self.w_hh.T).chunk(4, -1)
        c = f * c + to_i * a_i + to_f * a_f + to_g * a_g
        return torch.cat((to_c * c + to_o * a_o, c), -1)

    def delta(self, t: int | slice, v: Tensor) -> Tensor:
        """The gradient with respect to the four gates' sums, (..., B, 4 H)."""
        return self._split(t, v)[0]

    def vjp(self, t: int, v: Tensor) -> Tensor:
        """v J_t."""
        delta, c = self._split(t, v)
        return torch.cat((delta @ self.w_hh, c * self.factors[0][t]), -1)

    def memory_gradient(self, total: Tensor) -> Tensor:
        """dC/dc_t with what passes through h_t, (T, B, H)."""
        return self._split(slice(None), total)[1]

    def _split(self, t: int | slice, v: Tensor) -> tuple[Tensor, Tensor]:
        """Delta, and the gradient with respect to c_t with what passes through h_t."""
        _, to_i, to_f, to_g, to_o, to_c = (factor[t] for factor in self.factors)
        h, c = v.chunk(2, -1)
        c = c + h * to_c
        return torch.cat((c * to_i, c * to_f, c * to_g, h * to_o), -1), c
