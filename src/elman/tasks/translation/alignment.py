"""What each token of a translation attended to, worked out by reading the translation once more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from elman.insight.example import END
from elman.models.decoding.beam_search import Hypothesis
from elman.models.seq2seq import Translator
from elman.plotting.alignment import draw_alignment
from elman.tasks.translation.prediction import Alignment
from elman.tasks.translation.steps import VocabularyPair


def aligned(model: nn.Module, codes: VocabularyPair, text: str, found: Hypothesis) -> Alignment:
    """The attention of a translator with attention, from the tokens of its translation to those of the text."""
    assert isinstance(model, Translator)
    source = torch.from_numpy(codes.read([text.strip()])[0]).unsqueeze(1)
    tokens = torch.tensor([codes.target.bos, *found.tokens]).unsqueeze(1)
    with torch.no_grad():
        _, _, weights = model.decode(tokens, *model.encode(source, torch.tensor([len(source)])))
    assert weights is not None
    written = [codes.target.decode([token]) for token in found.tokens]
    read = codes.source.written(text.strip())
    return Alignment([*read, END], [*written, END], weights[0].tolist())


def draw_aligned(model: nn.Module, codes: VocabularyPair, text: str, found: Hypothesis, path: Path) -> tuple[Path, ...]:
    """Draw it as `path`.svg and `path`.png."""
    one = aligned(model, codes, text, found)
    return tuple(draw_alignment(np.array(one.weights, np.float32), one.read, one.written, path))
