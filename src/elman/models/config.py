"""What the recurrent part of a model is made of, checked when it is made; no torch needed to say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Literal

from elman.errors import UserError
from elman.nn.registry import cell_names, cell_options


@dataclass(frozen=True)
class OneOf:
    """Marks a setting that names something registered: `names` gives the names that there are now."""

    names: Callable[[], tuple[str, ...]]


CellName = Annotated[str, OneOf(cell_names)]
_Start = Literal["uniform", "orthogonal", "identity", "antisymmetric"]
Init = _Start | float
InitSetting = Literal["auto", _Start] | float
"""As the user sets it; auto is the initialisation that suits the cell: see `suited`."""
Readout = Literal["last", "mean", "sum", "max", "mean-max", "attention"]
OPTIONS = ("nonlinearity", "recurrent_dropout", "residual", "layer_norm", "init")
"""Options that only some cells have: `CellKind.options` says which."""


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """What the recurrent part is made of.

    Attributes:
        input_size: I.
        hidden_size: H, of each layer and direction.
        layers: L, each taking the output of the one before.
        cell: a name of `elman.nn.cell_names()`.
        nonlinearity: of the vanilla cell.
        dropout: probability, between layers.
        recurrent_dropout: probability that a state unit is dropped, the same ones at every step.
        bidirectional: whether a second recurrence reads from the end.
        residual: h_t = h_(t-1) + f(a_t).
        layer_norm: whether a_t is normalised over the hidden units.
        init: how W_hh starts; a number is its spectral radius.

    Raises:
        UserError: there is no such cell, or an option is set that the cell does not have.
    """

    input_size: int
    hidden_size: int
    layers: int = 1
    cell: CellName = "rnn"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    bidirectional: bool = False
    residual: bool = False
    layer_norm: bool = False
    init: Init = "uniform"

    def __post_init__(self) -> None:
        if not isinstance(self.init, str) and not 0 < self.init < float("inf"):
            raise UserError(f"`init` is {self.init}; a spectral radius is above 0")
        has = cell_options(self.cell)
        for field in fields(self):
            value = getattr(self, field.name)
            default = None if field.default is MISSING else field.default
            if field.name in OPTIONS and field.name not in has and value != default:
                raise UserError(
                    f"`{field.name}={value}` is for `cell=rnn`; the {self.cell} cell has no such option: "
                    "leave one of the two out"
                )


def suited(init: InitSetting, cell: str) -> Init:
    """The initialisation that is meant: auto is orthogonal for cells that can start so, and their own for others.

    Raises:
        UserError: there is no such cell.
    """
    if init != "auto":
        return init
    return "orthogonal" if "init" in cell_options(cell) else "uniform"
