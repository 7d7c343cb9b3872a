"""What a task that captions has: batches, loss, and how a caption is explained. B captions, T words, D numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from elman.data.batching import IGNORE_INDEX, batches_by_length, pad_sequences
from elman.insight.example import BEGIN, InspectionExample
from elman.models.decoding.beam_search import Hypothesis, write
from elman.tasks.captioning.prediction import WordChoice
from elman.training.progress import display

if TYPE_CHECKING:
    from elman.data.image.dataset import Captioned
    from elman.data.text.vocabulary import Vocabulary
    from elman.models.captioner import Captioner
    from elman.models.decoding.config import Decoding

AT_ONCE = 250
"""Pictures captioned together."""
PICTURE = "▣"
"""How the step that reads the picture is drawn."""


class CaptionBatch(NamedTuple):
    """Features (B, D), and tokens (T + 1, B) from the begin mark to the end mark, then padding."""

    features: Tensor
    tokens: Tensor


class CaptionPairs:
    """Every caption of a part with its picture, as numbers."""

    def __init__(self, part: Captioned, vocabulary: Vocabulary, longest: int) -> None:
        self.vectors = part.vectors
        self.padding = vocabulary.pad
        self.rows = np.repeat(np.arange(len(part)), [len(texts) for texts in part.captions])
        lines = vocabulary.encode_lines([text for texts in part.captions for text in texts])
        self.texts = [[vocabulary.bos, *line[:longest], vocabulary.eos] for line in lines]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each caption, the marks among them."""
        return [len(text) for text in self.texts]

    def batch(self, chosen: Sequence[int]) -> CaptionBatch:
        """These captions side by side."""
        tokens, _ = pad_sequences([self.texts[i] for i in chosen], padding=self.padding or 0)
        return CaptionBatch(torch.from_numpy(self.vectors[self.rows[list(chosen)]]), tokens)


def batch_loss(model: Any, batch: CaptionBatch, padding: int, smoothing: float) -> tuple[Tensor, int]:
    """Summed loss of the words and end marks of a batch, and how many there are."""
    device = next(model.parameters()).device
    tokens = batch.tokens.to(device)
    given, targets = tokens[:-1], tokens[1:]
    total = model(batch.features.to(device), given, targets=targets, padding=padding, smoothing=smoothing)
    return total, int((targets != padding).sum())


def mean_loss(model: Any, pairs: CaptionPairs, padding: int) -> float:
    """Nats a word, over all captions of a part."""
    total, count = 0.0, 0
    for chosen in batches_by_length(pairs.lengths, AT_ONCE):
        loss, words = batch_loss(model, pairs.batch(chosen.tolist()), padding, 0.0)
        total, count = total + float(loss), count + words
    return total / count


def caption(
    model: Captioner, vectors: Tensor, vocabulary: Vocabulary, decoding: Decoding, seed: int
) -> list[Hypothesis]:
    """The best caption for each picture (N, D)."""
    assert vocabulary.bos is not None
    assert vocabulary.eos is not None
    banned = never_written(vocabulary)
    device = next(model.parameters()).device
    found: list[Hypothesis] = []
    with display().counting("captioning, pictures", len(vectors)) as counted:
        for some in torch.split(vectors, AT_ONCE):
            state, memory = model.start(some.to(device))
            begin, end = vocabulary.bos, vocabulary.eos
            written = write(model, state, memory, begin=begin, end=end, decoding=decoding, banned=banned, seed=seed)
            found += [one[0] for one in written]
            counted(len(found))
    return found


def never_written(vocabulary: Vocabulary) -> list[int]:
    """The marks that are no words."""
    return [token for token in (vocabulary.pad, vocabulary.unk, vocabulary.bos) if token is not None]


def explained(model: Captioner, vector: Tensor, written: Hypothesis, vocabulary: Vocabulary) -> tuple[WordChoice, ...]:
    """For each word and the end mark: how probable it was, and what would have been next best."""
    device = next(model.parameters()).device
    tokens = torch.tensor([vocabulary.bos, *written.tokens], device=device)
    targets = [*written.tokens, *[vocabulary.eos] * written.ended]
    logits = model(vector.unsqueeze(0).to(device), tokens.unsqueeze(1))[:, 0]
    logits = logits.index_fill(1, torch.tensor(never_written(vocabulary), device=device), -torch.inf)
    rows = []
    for chances, target in zip(logits.softmax(-1), targets, strict=False):
        others = chances.clone()
        others[target] = 0
        second = int(others.argmax())
        word, other = vocabulary.tokens[int(target or 0)], vocabulary.tokens[second]
        rows.append(WordChoice(word, float(chances[target]), other, float(chances[second])))
    return tuple(rows)


def look_at_caption(model: Captioner, vector: Tensor, written: Hypothesis, vocabulary: Vocabulary) -> InspectionExample:
    """The network while it writes: a step reads the picture, where it is the first input, and each word is a step.

    Arguments:
        vector: (D,) the picture's.
        written: what the network itself writes; C_t is -log p of its next word.
    """
    device = next(model.parameters()).device
    words = [vocabulary.tokens[token] for token in written.tokens]
    before = int(model.first is not None)
    targets = [IGNORE_INDEX] * before + [*written.tokens, vocabulary.eos if written.ended else IGNORE_INDEX]
    inputs = {
        "features": vector.unsqueeze(0).to(device),
        "tokens": torch.tensor([vocabulary.bos, *written.tokens], device=device).unsqueeze(1),
        "every_step": True,
    }
    names = (*[PICTURE] * before, BEGIN, *(f" {word}" for word in words))
    about = f"C is the cost of the network's own caption: {' '.join(words)}"
    ends = model(**inputs)[:, 0].softmax(-1)[:, vocabulary.eos or 0]
    tracks = {
        "words written": [0.0] * before + [float(n) for n in range(len(words) + 1)],
        "probability of the end": ends.tolist(),
    }
    return InspectionExample(inputs, names, torch.tensor(targets, device=device), about, tracks)
