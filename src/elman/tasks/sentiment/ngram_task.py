"""Counted n-grams beside the network of a task on texts: what is counted, fitted, weighed and said of them."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from elman.tasks.classification.ensemble import EnsembleTask
from elman.tasks.sentiment.ngram_sizes import WANTED, NgramSizes
from elman.tasks.sentiment.settings import Settings
from elman.training.progress import display

if TYPE_CHECKING:
    from torch import Tensor, nn

    from elman.data.text.vocabulary import Vocabulary
    from elman.models.classification.ngrams import NgramCounts, WithNgrams
    from elman.training.run_folder import RunFolder

log = logging.getLogger("elman")
UNSEEN = 0.005
"""Weights below this are written as 0."""


class NgramTask(EnsembleTask[Settings]):
    """What the task `sentiment` does about counted n-grams."""

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens; the task has them."""
        raise NotImplementedError

    @cached_property
    def ngram_sizes(self) -> NgramSizes:
        """What is counted: the run's own sizes, or those that follow from the training texts."""
        from elman.models.classification.ngrams import longest_ngram

        longest = longest_ngram(len(self.vocabulary), WANTED[self.vocabulary.kind])
        return NgramSizes(longest, len(self._known_ngrams[0]), self._ngram_sets)

    @property
    def _ngram_sets(self) -> int:
        return 1 if self._left_out_of is None else self.settings.members

    @cached_property
    def _known_ngrams(self) -> tuple[Tensor, Tensor]:
        from elman.tasks.sentiment.ngrams import MOST_WEIGHTS, known_ngrams

        most = MOST_WEIGHTS // (self._ngram_sets * len(self.classes))
        sequences = self.examples("train").sequences
        return known_ngrams(sequences, self.vocabulary.kind, len(self.vocabulary), most)

    @cached_property
    def _counts(self) -> NgramCounts:
        """The counted n-grams, fitted on the training texts."""
        import numpy as np

        from elman.tasks.sentiment.ngrams import fit_ngrams

        counts, train = self._new_counts(), self.examples("train")
        away = np.zeros((1, len(train)), dtype=np.bool_) if self._left_out_of is None else self._left_out_of
        fit_ngrams(counts, *self._known_ngrams, train.sequences, train.labels, away)
        return counts

    def _new_counts(self) -> NgramCounts:
        from elman.models.classification.ngrams import NgramCounts

        s = self.ngram_sizes
        return NgramCounts(len(self.vocabulary), s.longest, s.features, s.sets, len(self.classes))

    def build_model(self) -> nn.Module:
        """The network, or several; with n-grams beside, which are fitted where training begins."""
        from elman.models.classification.ngrams import WithNgrams

        network = super().build_model()
        if self.settings.ngrams != "beside":
            return network
        counts = self._new_counts()
        if self.begins:
            counts.load_state_dict(self._counts.state_dict())
        return WithNgrams(network, counts, self.settings.max_length)

    def inspected(self, model: nn.Module) -> nn.Module:
        """The network, of several the first one; without the counts."""
        from elman.models.classification.ngrams import WithNgrams

        return super().inspected(model.network if isinstance(model, WithNgrams) else model)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and accuracy on the validation part, where also the network and the counts are weighed."""
        from elman.models.classification.ngrams import WithNgrams, fit_shares

        if isinstance(model, WithNgrams):
            model.shares.copy_(fit_shares(*self._two_opinions(model)))
        return super().evaluate(model)

    def _two_opinions(self, model: WithNgrams) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities (M, C) of the network and of the counts on what neither has seen, and the truth (M,)."""
        import torch

        from elman.metrics.classification import answer
        from elman.models.classification.ensemble import mean_scores
        from elman.models.classification.ngrams import Parts

        away = self._left_out_of
        examples = self.examples("validation" if away is None else "train")
        with display().counting("judging, sequences", len(examples)) as done:
            found = answer(Parts(model), examples.sequences, examples.labels, done)
        own, counted = found.scores.tensor_split([found.scores.shape[1] - self._ngram_sets], dim=1)
        if away is None:
            return mean_scores(own.transpose(0, 1)), counted[:, 0], found.truth
        unseen = torch.from_numpy(away.T)
        return own[unseen], counted[unseen], found.truth.unsqueeze(1).expand_as(unseen)[unseen]

    def answering(self, model: nn.Module) -> tuple[str, str]:
        """The network, with its counted n-grams or, where it weighs nothing, these alone."""
        from elman.models.classification.ngrams import WithNgrams

        if not isinstance(model, WithNgrams):
            return super().answering(model)
        share, counted = model.shares.tolist()
        if share < UNSEEN:
            return "answer of counted n-grams (the network weighs 0)", "give more texts, or try `ngrams=none`"
        return "network with n-grams" if counted >= UNSEEN else "network (its n-grams weigh 0)", self.advice

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves, and say what network and counts reach alone and together."""
        import torch

        from elman.models.classification.ngrams import WithNgrams

        super().finish(folder, model)
        if isinstance(model, WithNgrams):
            with torch.no_grad():
                own, counted, truth = self._two_opinions(model)
            alone, other = (float((one.argmax(-1) == truth).double().mean()) for one in (own, counted))
            shares = model.shares.tolist()
            log.info(
                "the answers join the network (alone %.1f%% on validation, weight %.2f) and counted n-grams (alone"
                " %.1f%%, weight %.2f); `ngrams=none` trains the network alone",
                *(100 * alone, shares[0], 100 * other, shares[1]),
            )
