"""What the recurrent part of a model is made of, checked when it is made; no torch needed to say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from elman.errors import UserError

Cell = Literal["rnn", "lstm", "gru"]
_Start = Literal["uniform", "orthogonal", "identity", "antisymmetric"]
Init = _Start | float
InitSetting = Literal["auto", _Start] | float
"""As a person asks for it; auto is the start that suits the cell: see `suited`."""
Readout = Literal["last", "mean", "sum", "max", "attention"]


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """What the recurrent part is made of.

    Raises:
        UserError: an option that only elman's own layer has is asked of a gated cell.
    """

    input_size: int
    hidden_size: int
    layers: int = 1
    cell: Cell = "rnn"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    bidirectional: bool = False
    residual: bool = False
    layer_norm: bool = False
    init: Init = "uniform"

    def __post_init__(self) -> None:
        if not isinstance(self.init, str) and not 0 < self.init < float("inf"):
            raise UserError(f"--init is {self.init}; a spectral radius is above 0")
        only_rnn = {
            "--residual": self.residual,
            "--layer-norm": self.layer_norm,
            "--recurrent-dropout": self.recurrent_dropout > 0,
            "--nonlinearity relu": self.nonlinearity == "relu",
            f"--init {self.init}": self.init != "uniform",
        }
        for option, asked in only_rnn.items():
            if asked and self.cell != "rnn":
                raise UserError(f"{option} is for --cell rnn; the {self.cell} cell is torch's and has no such thing")


def suited(init: InitSetting, cell: Cell) -> Init:
    """The start that is meant: auto is orthogonal for the vanilla cell, and torch's own for the gated ones."""
    if init != "auto":
        return init
    return "orthogonal" if cell == "rnn" else "uniform"
