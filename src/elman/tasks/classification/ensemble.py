"""A task whose classifier is several networks, trained at once and, where data are few, by cross-validation.

N sequences, T steps, B in a batch, K members, C classes.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from elman.tasks.classification.comparison import Baseline, say_comparison
from elman.tasks.classification.settings import EnsembleSettings
from elman.tasks.classification.task import ClassificationTask, Examples, LabelledBatch, Part
from elman.training.progress import display
from elman.training.settings import CHOICES, Choice
from elman.training.task import Carry, Loss

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from elman.metrics.classification import Answers
    from elman.training.run_folder import RunFolder

S = TypeVar("S", bound=EnsembleSettings)
MOST_COMPARING = 0.2
"""The share of a training's minutes that simple methods may take."""
log = logging.getLogger("elman")


class MemberBatch(NamedTuple):
    """x (T, B, ...), lengths (B,), and labels (K, B), which do not count where a member must not see the example."""

    x: Tensor
    lengths: Tensor
    labels: Tensor


class EnsembleTask(ClassificationTask[S]):
    """Settings left open are found from the data; one network is trained, or several at once."""

    advice = "try more `members` or `steps`, a larger `hidden_size`, or `cell=gru`"
    """What to try where a simple method is ahead."""

    @classmethod
    def new(cls, settings: S) -> Self:
        """A task with its settings found from the data where they were left open."""
        return cls(settings).settled()

    def settled(self) -> Self:
        """This task, its settings found from its data where they were left open."""
        if self.settings.left_open():
            self.choices = self.choose()
            self.settings = self.settings.chosen(self.choices)
        return self

    def again(self, settings: S) -> Self:
        """A task by other settings, on the data that this one has read."""
        other = type(self)(settings)
        if "data" in vars(self):
            vars(other)["data"] = vars(self)["data"]
        return other

    @abstractmethod
    def choose(self) -> list[Choice]:
        """What the data say of the settings that are left open."""

    @abstractmethod
    def build_member(self) -> nn.Module:
        """One new network."""

    @abstractmethod
    def baselines(self) -> list[Baseline]:
        """What simple methods reach on the validation part; none where that would take long."""

    @cached_property
    def _kept_baselines(self) -> list[Baseline]:
        return self.baselines()

    def comparing_takes(self) -> float:
        """Seconds that `baselines` takes, about; next to nothing by default."""
        return 0.0

    def compare(self, seconds: float) -> None:
        """Compute the baselines, unless they take more than a fifth of the time."""
        if self.comparing_takes() > MOST_COMPARING * seconds:
            log.info("no simple method beside the network: it would take too much of the time")
            self._kept_baselines = []
        _ = self._kept_baselines

    def held_out(self) -> NDArray[np.bool_]:
        """(Q, N) whether a training example must not be learned from for the answer to one that is judged: one fold."""
        import numpy as np

        if self._left_out_of is None:
            return np.zeros((len(self.judged("validation")), len(self.examples("train"))), dtype=np.bool_)
        groups = self._folds
        same: NDArray[np.bool_] = groups[self._left_out_of.any(axis=0)][:, None] == groups[None]
        return same

    def findings(self) -> Sequence[str]:
        """The settings that followed from the data."""
        chosen = " ".join(f"`{one.setting}={one.value}`" for one in self.choices)
        return [f"chosen by the data ({CHOICES} says why): {chosen}"] if chosen else []

    def build_model(self) -> nn.Module:
        """One network, or an ensemble of several."""
        from elman.models.classification.ensemble import Ensemble

        count = self.settings.members
        return Ensemble(self.build_member, count) if count > 1 else self.build_member()

    @cached_property
    def _left_out_of(self) -> NDArray[np.bool_] | None:
        """(K, N) whether a member never sees a training example; None without cross-validation."""
        import numpy as np

        s = self.settings
        return np.stack([self._folds == number % s.folds for number in range(s.members)]) if s.folds > 0 else None

    @cached_property
    def _folds(self) -> NDArray[np.int64]:
        from elman.data.splits import folds

        return folds(self.examples("train").labels, self.settings.folds, 0)

    def batch(self, step: int, rank: int, world: int) -> LabelledBatch | MemberBatch:  # type: ignore[override]
        """Sequences of like length side by side; for several networks, with what each of them is to learn."""
        import torch

        from elman.data.batching import IGNORE_INDEX, process_share

        batch = super().batch(step, rank, world)
        if self.settings.members < 2:
            return batch
        labels = batch.labels.expand(self.settings.members, -1)
        if self._left_out_of is not None:
            share, _ = process_share(self._buckets.batch(step), rank, world)
            labels = labels.masked_fill(torch.from_numpy(self._left_out_of[:, share]), IGNORE_INDEX)
        return MemberBatch(batch.x, batch.lengths, labels)

    def loss(self, model: nn.Module, batch: LabelledBatch | MemberBatch, carry: Carry) -> Loss:
        """Cross-entropy in nats, the mean over the networks; of the first, where the model is `inspected`."""
        from elman.models.classification.multiscale import MultiScaleClassifier
        from elman.models.classifier import Classifier
        from elman.models.losses import token_loss

        if isinstance(batch, MemberBatch) and isinstance(model, Classifier | MultiScaleClassifier):
            batch = LabelledBatch(batch.x, batch.lengths, batch.labels[0])
        if isinstance(batch, LabelledBatch):
            return super().loss(model, batch, carry)
        device = next(model.parameters()).device
        scores = model(batch.x.to(device), batch.lengths.to(device), each=True)
        total, count = token_loss(scores, batch.labels.to(device))
        return Loss(total, count)

    def inspected(self, model: nn.Module) -> nn.Module:
        """The first of several networks."""
        from elman.models.classification.ensemble import Ensemble

        return model.members[0] if isinstance(model, Ensemble) else model

    def answers(self, model: nn.Module, part: Part) -> Answers:
        """What the networks answer on a part; of a training example under cross-validation, those that never saw it."""
        if part != "validation" or self._left_out_of is None:
            return super().answers(model, part)
        import torch

        from elman.metrics.classification import Answers, answer
        from elman.models.classification.ensemble import EachMember

        examples = self.examples("train")
        judged = torch.from_numpy(self._left_out_of.any(axis=0))
        with display().counting("judging, sequences", len(examples)) as counted:
            each = answer(EachMember(model), examples.sequences, examples.labels, counted)
        shares = each.scores.log_softmax(-1).masked_fill(~torch.from_numpy(self._left_out_of.T)[..., None], -torch.inf)
        return Answers(shares.logsumexp(1)[judged].log_softmax(-1), each.truth[judged])

    def judged(self, part: Part) -> Examples:
        """The examples that `answers` are of, in their order."""
        if part != "validation" or self._left_out_of is None:
            return super().judged(part)
        import numpy as np

        examples, chosen = self.examples("train"), np.flatnonzero(self._left_out_of.any(axis=0)).tolist()
        return Examples(
            [examples.sequences[i] for i in chosen], examples.labels[chosen], [examples.names[i] for i in chosen]
        )

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves, and say how simple methods do on the validation part."""
        import torch

        super().finish(folder, model)
        baselines = self._kept_baselines
        if baselines:
            with torch.no_grad():
                own = self.evaluate(model)["accuracy"]
            name, advice = self.answering(model)
            say_comparison(own, len(self.judged("validation")), baselines, advice, name)

    def answering(self, model: nn.Module) -> tuple[str, str]:
        """What gives the answers, and what to try where a simple method is ahead of it."""
        return "network", self.advice
