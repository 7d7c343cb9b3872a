"""An exported graph beside the network that it was made of, on inputs that are drawn: the export checks itself.

T steps, B sequences. Sizes are none that the graph was written with: all its sizes are open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from elman.data.batching import pad_sequences
from elman.export.onnx.networks import inner_scaler
from elman.export.onnx.running.forecaster import ExportedForecaster
from elman.models.captioner import Captioner
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.multiscale import MultiScaleClassifier
from elman.models.classification.ngrams import NgramCounts, WithNgrams
from elman.models.classifier import Classifier
from elman.models.language_model import LanguageModel
from elman.models.recurrent import Recurrent, State
from elman.models.seq2seq import Translator
from elman.models.transcriber import Transcriber
from elman.training.task import Task

MOST_APART = 1e-4
"""By how much a float32 file may differ from the run: absolutely below 1, relatively above."""
SIZES = ((1, 1), (7, 3), (23, 2))
"""T and B of the inputs that are drawn."""

Pairs = Iterator[tuple[Tensor, Tensor]]


def largest_difference(task: Task[Any], model: nn.Module, exported: Any) -> float:
    """The largest difference between what a network and its graph give, absolutely below 1 and relatively above.

    Arguments:
        task: the run's, which says what the graph does to inputs before the network.
    """
    generator = torch.Generator().manual_seed(1)
    apart = 0.0
    with torch.no_grad():
        for T, B in SIZES:
            for want, got in _pairs(task, model, exported, T, B, generator):
                differences = (want - got).abs() / want.abs().clamp(min=1)
                apart = max(apart, float(differences.nan_to_num(nan=torch.inf).max()))
    return apart


def _pairs(task: Task[Any], model: nn.Module, exported: Any, T: int, B: int, generator: torch.Generator) -> Pairs:
    """What the network gives and what the graph gives, tensor by tensor."""
    match model:
        case Classifier() | MultiScaleClassifier() | Ensemble():
            yield from _classified(task, model, exported, T, B, generator)
        case WithNgrams():
            x, lengths = known_tokens(model.counts, T, B, generator), _lengths(T, B)
            yield model(x, lengths), exported(x, lengths)
            yield model.prefix_scores(x[:, 0]), exported.prefix_scores(x[:, 0])
        case Transcriber():
            lengths = _lengths(T, B)
            raw, scaled = _steps(task, model.recurrent.shape.input_size, T, lengths, generator)
            state = () if model.both_directions else drawn_state(model.recurrent, B, generator)
            (want, *_), (got, *_) = model.go_on(scaled, state, lengths), exported.go_on(raw, state, lengths)
            for column, length in enumerate(lengths.tolist()):
                yield want[:length, column].log_softmax(-1), got[:length, column]
        case LanguageModel():
            tokens = torch.randint(model.embedding.num_embeddings, (T, B), generator=generator)
            state = drawn_state(model.recurrent, B, generator)
            yield from _both(model(tokens, state), exported(tokens, state))
        case Captioner():
            features = model.mean + model.spread * torch.randn(B, len(model.mean), generator=generator)
            words = torch.randint(model.embedding.num_embeddings, (T, B), generator=generator)
            yield model(features, words), exported(features, words)
        case Translator():
            source = torch.randint(model.source_embedding.num_embeddings, (T, B), generator=generator)
            words = torch.randint(model.target_embedding.num_embeddings, (T, B), generator=generator)
            yield model(source, _lengths(T, B), words), exported(source, _lengths(T, B), words)
        case _:
            assert isinstance(exported, ExportedForecaster)
            yield from _forecast(task, model, exported, B, generator)


def drawn_state(module: Recurrent, B: int, generator: torch.Generator) -> State:
    """A state (L * D, B, H) that is not zero."""
    shape = module.shape
    rows = shape.layers * (2 if shape.bidirectional else 1)
    return tuple(torch.randn(rows, B, shape.hidden_size, generator=generator) / 2 for _ in module.kind.state)


def known_tokens(counts: NgramCounts, T: int, B: int, generator: torch.Generator) -> Tensor:
    """Tokens (T, B), one known n-gram after the other."""
    drawn = counts.codes[torch.randint(len(counts.codes), (T * B,), generator=generator)]
    powers = counts.base ** torch.arange(counts.longest - 1, -1, -1)
    digits = (drawn.unsqueeze(1) // powers % counts.base).flatten()
    tokens = digits[(digits > 0) & (digits < counts.base - 1)] - 1  # neither an edge nor a place before a shorter one
    return torch.nn.functional.pad(tokens, (0, T * B))[: T * B].reshape(B, T).T


def _lengths(T: int, B: int) -> Tensor:
    """The longest first, then one that is a step long."""
    return torch.tensor([T, 1, max(1, T // 2)][:B])


def _steps(task: Task[Any], size: int, T: int, lengths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Values (T, B, I) as the graph takes them, and as the network does; T is the largest of the lengths (B,)."""
    scaler = inner_scaler(task)
    channels = size if scaler is None else scaler.channels
    values = torch.randn(T, len(lengths), channels, generator=generator)
    if scaler is None:
        return values, values
    mean, std = map(torch.from_numpy, (scaler.mean, scaler.std))
    if scaler.floor is None:
        raw = values * std + mean
        return raw, (raw - mean) / std
    raw = values * 10 ** mean[channels:].clamp(-36, 36)
    own = [scaler(raw[:length, column].numpy()) for column, length in enumerate(lengths.tolist())]
    return raw, pad_sequences(own)[0]


def _classified(task: Task[Any], model: Any, exported: Any, T: int, B: int, generator: torch.Generator) -> Pairs:
    first: Any = model.members[0] if isinstance(model, Ensemble) else model
    every = {"every_step": True} if task.answer_kind == "classes at every step" else {}
    lengths = torch.full((B,), T) if every else _lengths(T, B)
    if isinstance(first, Classifier) and isinstance(first.inputs, nn.Embedding):
        raw = scaled = torch.randint(first.inputs.num_embeddings, (T, B), generator=generator)
    else:
        size = len(first.difference) if isinstance(first, MultiScaleClassifier) else first.recurrent.shape.input_size
        raw, scaled = _steps(task, size, T, lengths, generator)
    yield model(scaled, lengths, **every), exported(raw, lengths, **every)


def _forecast(task: Any, model: Any, exported: Any, B: int, generator: torch.Generator) -> Pairs:
    layout, rows, ahead = model.layout, task.settings.window, task.settings.horizon
    values = torch.randn(rows, B, layout.targets + layout.past, generator=generator)
    known = torch.randn(rows + ahead, B, layout.known, generator=generator)
    (want, bounds), (got, ends) = model.forecast(values, known), exported.forecast(values, known)
    yield want, got
    yield from zip(bounds or (), ends or (), strict=True)


def _both(want: tuple[Tensor, State], got: tuple[Tensor, State]) -> Pairs:
    yield want[0], got[0]
    yield from zip(want[1], got[1], strict=True)
