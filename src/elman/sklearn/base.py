"""What estimators of whole sequences share: their parameters, the way to the task's settings, and the training.

N sequences, T steps, I channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from elman.errors import UserError, optional_imports
from elman.sklearn.inputs import Sequences, sequences_of
from elman.sklearn.progress import telling
from elman.training.settings import TrainingSettings

with optional_imports():
    from sklearn.base import BaseEstimator
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from torch import Tensor, nn

    from elman.data.scaling import Scaler
    from elman.models.config import Readout
    from elman.tasks.series.settings import ScaleSetting
    from elman.training.task import Task

S = TypeVar("S", bound=TrainingSettings)
FEWEST = 2


def settings_from(kind: type[S], estimator: Any, names: tuple[str, ...], **fixed: Any) -> S:
    """A task's settings from an estimator's parameters of the same names, and from its parameter `settings`.

    Arguments:
        names: of the parameters; None leaves one at the task's own default.
        fixed: settings that are not the user's.

    Raises:
        UserError: one is out of range, or `settings` has a name that is no setting of the task or stands twice.
    """
    given = {name: getattr(estimator, name) for name in names}
    more = estimator.settings
    if more is not None and not isinstance(more, Mapping):
        raise UserError(f"`settings` is a {type(more).__name__}; give a dictionary of names and values, or None")
    known = {field.name for field in fields(kind)} - fixed.keys()
    for name in more or {}:
        if name in given:
            raise UserError(f"`settings` has {name!r}, which is a parameter of its own; give it as `{name}=`")
        if name not in known:
            raise UserError(
                f"`settings` has {name!r}, which is no setting here; choose among {', '.join(sorted(known))}"
            )
    seed = int(check_random_state(estimator.random_state).randint(2**31 - 1))
    plain = {name: value for name, value in given.items() if value is not None}
    return kind(**{"seed": seed, **_plain(plain), **(more or {}), **fixed})


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """numpy's numbers, of which grids of parameters are often made, as Python's."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in given.items()}


NETWORK = (
    *("cell", "hidden_size", "layers", "bidirectional", "readout", "dropout", "stride", "scales", "members", "folds"),
    *("augment", "scale", "steps", "batch_size", "lr", "validation_share", "device"),
)
"""Parameters that are settings of the task `series`."""


class SequenceEstimator(BaseEstimator):
    """A network that answers to whole sequences.

    Attributes:
        n_features_in_: columns of a 2-D X, else the number of channels.
        channels_: I.
        settings_: the task's settings, with what was found from the data in its place.
        choices_: what was found from the data, and why.
        model_: the network, in double precision, so that a sequence alone and one among others get the same answer.
        n_iter_: optimiser steps.
        validation_: figures on the sequences that were held out, or under cross-validation of networks that never saw
            them.
    """

    random_state: Any
    interpolate: bool
    verbose: int
    channels_: int
    scaler_: Scaler

    def _sequences(self, X: Any, *, reset: bool) -> Sequences:
        return sequences_of(self, X, reset=reset, interpolate=self.interpolate)

    def _trained(self, task: Task[Any]) -> None:
        with optional_imports():
            from elman.sklearn.in_memory import train_in_memory

        with telling(self, self.verbose):
            model, result = train_in_memory(task)
        self.settings_ = task.settings
        self.model_: nn.Module = model.double()
        self.n_iter_ = result.steps
        self.validation_ = result.metrics

    def _answers(self, model: nn.Module, X: Any) -> Tensor:
        """(N, O) float64, what the model answers to each sequence."""
        import numpy as np
        import torch

        from elman.metrics.classification import answer

        check_is_fitted(self)
        sequences = [self.scaler_(one).astype(np.float64) for one in self._sequences(X, reset=False)]
        with torch.no_grad():
            return answer(model, sequences, np.zeros(len(sequences), np.int64)).scores

    def _needs_several(self, count: int) -> None:
        if count < FEWEST:
            raise UserError(f"Found array with 1 sample (n_samples = 1) while {type(self).__name__} needs {FEWEST}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = bool(self.interpolate)
        tags.target_tags.required = True
        return tags


class SequenceNetwork(SequenceEstimator):
    """The parameters of `RNNClassifier` and `RNNRegressor`; see the former."""

    def __init__(
        self,
        *,
        cell: str = "rnn",
        hidden_size: int = 0,
        layers: int = 1,
        bidirectional: bool = True,
        readout: Readout = "mean-max",
        dropout: float | None = None,
        stride: int = 0,
        scales: int = 0,
        members: int = 0,
        folds: int = -1,
        augment: float | None = None,
        scale: ScaleSetting = "auto",
        steps: int = 0,
        batch_size: int = 0,
        lr: float = 3e-3,
        validation_share: float = 0.1,
        interpolate: bool = False,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.layers = layers
        self.bidirectional = bidirectional
        self.readout = readout
        self.dropout = dropout
        self.stride = stride
        self.scales = scales
        self.members = members
        self.folds = folds
        self.augment = augment
        self.scale = scale
        self.steps = steps
        self.batch_size = batch_size
        self.lr = lr
        self.validation_share = validation_share
        self.interpolate = interpolate
        self.device = device
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose
