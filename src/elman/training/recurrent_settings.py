"""What a task's recurrent part is made of, as settings: shared by every task that has one."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from elman.models.config import CellName, InitSetting, RecurrentConfig, suited
from elman.training.checks.ranges import SHARE, UNITS, Range, Ranges
from elman.training.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class RecurrentSettings(TrainingSettings):
    """Training settings and the shape of the recurrent part."""

    cell: CellName = "rnn"
    """rnn is elman's vanilla cell; lstm and gru are torch's; other names are registered cells."""
    hidden_size: int = 128
    """Hidden units of each layer."""
    layers: int = 1
    """Recurrent layers, one on the other."""
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """What the vanilla cell applies."""
    dropout: float = 0.0
    """Share of values dropped between layers, at the input and at the output."""
    recurrent_dropout: float = 0.0
    """Share of state units dropped, the same ones at every step (variational dropout)."""
    residual: bool = False
    """The identity connection h_t = h_(t-1) + F(x_t, h_(t-1))."""
    layer_norm: bool = False
    """Layer normalisation inside the recurrence (slower)."""
    init: InitSetting = "uniform"
    """How the recurrent matrix starts; a number is its spectral radius; auto: orthogonal, for gated cells uniform."""

    RANGES: ClassVar[Ranges] = {
        "hidden_size": UNITS,
        "layers": Range(1, 1000),
        "dropout": SHARE,
        "recurrent_dropout": SHARE,
        "init": Range(0, 1e3, above=True),
    }
    """What each number may be."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.shape(1)

    def shape(self, input_size: int, *, bidirectional: bool = False) -> RecurrentConfig:
        """The recurrent part for inputs of `input_size`."""
        return RecurrentConfig(
            input_size=input_size,
            hidden_size=self.hidden_size or 1,  # 0 until it is found from the data
            layers=self.layers,
            cell=self.cell,
            nonlinearity=self.nonlinearity,
            dropout=max(self.dropout, 0.0),  # -1 until it is found from the data
            recurrent_dropout=self.recurrent_dropout,
            bidirectional=bidirectional,
            residual=self.residual,
            layer_norm=self.layer_norm,
            init=suited(self.init, self.cell),
        )
