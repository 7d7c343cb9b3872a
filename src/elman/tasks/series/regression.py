"""Series to numbers: the networks, scales and cross-validation of the task `series`, for targets that are no classes.

N series, T steps, B in a batch, I channels, O targets, K members. It has no command: its data are in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

from elman.tasks.classification.ensemble import MemberBatch
from elman.tasks.classification.task import LabelledBatch
from elman.tasks.series.settings import Settings
from elman.tasks.series.task import Task
from elman.training.task import Carry, Loss

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

LEAST_STD = 1e-12
"""Targets that vary by less than this share of their size are constant, and left at their size."""


class RegressionTask(Task):
    """Numbers that belong to a series. An example's label is its own number, by which its targets are found."""

    name = "series regression"
    loss_unit = "scaled squared error"
    targets: NDArray[np.float64]
    """(N, O) in their own units."""

    @classmethod
    def of_arrays(cls, settings: Settings, values: Sequence[NDArray[np.float32]], targets: NDArray[np.float64]) -> Self:
        """A task of series (T_n, I) in memory, and what belongs to them.

        Arguments:
            settings: with `best_by` "loss".
            values: N, two at least.
            targets: (N, O).
        """
        import numpy as np

        from elman.data.timeseries.classification import LabelledSequences, with_part_held_out

        every = LabelledSequences(tuple(values), np.arange(len(values)))
        strata = np.zeros(len(values), dtype=np.int64)
        task = cls(settings)
        task.targets = targets
        task.data = with_part_held_out(every, (), settings.validation_share, strata=strata)
        return task.settled()

    @cached_property
    def target_scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(O,) what is taken from each target, and what it is then divided by."""
        import numpy as np

        mean, std = self.targets.mean(axis=0), self.targets.std(axis=0)
        return mean, np.where(std <= LEAST_STD * np.abs(mean), 1.0, std)

    @cached_property
    def _scaled_targets(self) -> Tensor:
        import torch

        mean, std = self.target_scale
        return torch.from_numpy((self.targets - mean) / std).float()

    @property
    def outputs(self) -> int:
        """O."""
        return int(self.targets.shape[1])

    @cached_property
    def _folds(self) -> NDArray[np.int64]:
        import numpy as np

        from elman.data.splits import folds

        return folds(np.zeros(len(self.examples("train")), dtype=np.int64), self.settings.folds, 0)

    def loss(self, model: nn.Module, batch: LabelledBatch | MemberBatch, carry: Carry) -> Loss:
        """The squared error of scaled targets, the mean over the targets and the networks."""
        from elman.data.batching import IGNORE_INDEX

        device = next(model.parameters()).device
        each = {"each": True} if isinstance(batch, MemberBatch) else {}
        answers = model(batch.x.to(device), batch.lengths.to(device), **each)
        counts = batch.labels != IGNORE_INDEX
        truth = self._scaled_targets[batch.labels.clamp_min(0)].to(device)
        errors = (answers.float() - truth).square().mean(-1)
        return Loss((errors * counts.to(device)).sum(), int(counts.sum()))

    def figures(self, model: nn.Module) -> dict[str, float]:
        """The loss on the validation part; of a series under cross-validation, by the networks that never saw it."""
        import torch

        from elman.metrics.classification import answer
        from elman.models.classification.ensemble import EachMember, Ensemble

        examples = self.judged("validation")
        each = EachMember(model) if isinstance(model, Ensemble) else model
        answers = answer(each, examples.sequences, examples.labels).scores
        if isinstance(model, Ensemble):
            unseen = torch.ones(len(examples), len(model.members))
            if self._left_out_of is not None:
                unseen = torch.from_numpy(self._left_out_of.T[self._left_out_of.any(axis=0)]).float()
            answers = (answers * unseen.unsqueeze(2)).sum(1) / unseen.sum(1, keepdim=True)
        errors = (answers - self._scaled_targets[examples.labels]).square()
        return {"loss": float(errors.mean())}
