"""The gradient in one layer: how much is left of it, how far back."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from elman.insight.jacobians.products import JacobianProducts
from elman.insight.jacobians.recurrent_weights import RecurrentWeight
from elman.nn.registry import Gate

VANISHED = 1e-3  # of the gradient at the last step, where the first step gets less
EXPLODED = 1e2  # times the gradient at the last step, where some step gets more


@dataclass(frozen=True)
class LayerFlow:
    """The gradient in one layer, in one direction.

    Distances count steps back from the last step that a loss reaches, for each sequence its own; norms are
    Euclidean, and means over the sequences that are long enough.

    Attributes:
        name: "rnn.l0", "rnn.l1.reverse".
        kind: the name of the layer's kind in `elman.nn.registry`.
        label: what tables call it: "tanh", "relu", "LSTM", "GRU".
        gated: whether it has gates that keep a gradient alive.
        state_parts: the names of the state's parts: ("h",), or ("h", "c") for the LSTM.
        gates: what squashes what, in the order of `weights`.
        gradient: (D,) norm of dC/dh_t at distance 0, 1, ...; empty where no gradient arrives.
        cell_gradient: (D,) the same for dC/dc_t; the LSTM's only.
        carried: (D,) norm of the part that arrives at the last step and is carried back by this layer's
            recurrence alone. Where the loss stands at the last step only it is the whole; where every step
            has a loss it shows what `gradient` hides. For the LSTM with respect to the pair (h_t, c_t).
        jacobians: singular values of dh_t/dh_k; for the LSTM of d(h, c)_t/d(h, c)_k.
        weights: W_hh, gate by gate; empty for a cell whose W_hh is not laid out by gates.
        saturated: gate to the share of its values, over all steps, that are saturated (see `Gate.saturated`); empty
            for a cell that does not give its gates' values.
    """

    name: str
    kind: str
    label: str
    gated: bool
    state_parts: tuple[str, ...]
    gates: tuple[Gate, ...]
    gradient: Tensor
    cell_gradient: Tensor | None
    carried: Tensor
    jacobians: JacobianProducts | None
    weights: tuple[RecurrentWeight, ...]
    saturated: dict[str, float]

    @property
    def ratio(self) -> float:
        """What is left of the carried gradient at the greatest distance, as a share of that at distance 0."""
        return float(self.carried[-1] / self.carried[0]) if len(self.carried) else 0.0

    @property
    def factor(self) -> float:
        """The carried gradient's mean factor (geometric) from one step to the one before it, while any is left."""
        alive = int((self.carried > 0).sum())
        if alive < 2:
            return 0.0
        return float((self.carried[alive - 1].log() - self.carried[0].log()).div(alive - 1).exp())

    @property
    def reach(self) -> int | None:
        """The first distance at which less than 1 % of the carried gradient is left, or None."""
        below = (self.carried < 0.01 * self.carried[:1]).nonzero()
        return int(below[0]) if len(below) else None

    @property
    def most_saturated(self) -> tuple[str, float] | None:
        """The gate with the largest share of saturated values, and the share; None where nothing is known of them."""
        return max(self.saturated.items(), key=lambda item: item[1], default=None)

    def saturation(self, gate: str) -> str:
        """What a gate's saturated values are called: "at zero" for relu, else "saturated"."""
        return "at zero" if any(g.name == gate and g.nonlinearity == "relu" for g in self.gates) else "saturated"

    @property
    def state(self) -> str:
        """One of "no gradient", "not finite", "exploding", "vanishing", "steady"."""
        if not len(self.carried):
            return "no gradient"
        if not bool(self.carried.isfinite().all()):
            return "not finite"
        if float(self.carried.max()) > EXPLODED * float(self.carried[0]):
            return "exploding"
        return "vanishing" if self.ratio < VANISHED else "steady"
