"""One to many: the network writes, its own output being its next input."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from elman.kernels.decoder import SamplingParams, choose
from elman.models.language_model import LanguageModel
from elman.models.recurrent import State
from elman.nn import RNN
from elman.nn.streaming import pack_for_steps

BLOCK = 64
"""Tokens written in one native call: few enough that the user sees the text grow."""


def generate(
    model: LanguageModel,
    prompt: Tensor,
    length: int,
    params: SamplingParams,
    *,
    samples: int = 1,
    bfloat16: bool = False,
) -> Iterator[Tensor]:
    """Read the prompt, then write `length` tokens.

    Dropout is left out. Where the recurrent part is elman's, the steps run as native calls of `BLOCK` tokens, by the
    weights as they are when the first token is asked for.

    Arguments:
        prompt: (P,) integers, at least one.
        params: how a token is drawn; the same seed writes the same texts.
        samples: S, how many texts to write side by side.
        bfloat16: round the weights to bfloat16 (sums stay float32), for speed; elman's recurrent part only.

    Yields:
        (S,) integers, the next token of each text.
    """
    tokens = prompt.unsqueeze(1).expand(-1, samples)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            state: State = model(tokens[:-1])[1] if len(prompt) > 1 else ()
            layer = model.native_layer
            if layer is not None:
                yield from _by_blocks(model, layer, tokens[-1], state, length, params, bfloat16)
            else:
                yield from _by_steps(model, tokens[-1], state, length, params)
    finally:
        model.train(was_training)


def _by_blocks(
    model: LanguageModel, layer: RNN, first: Tensor, state: State, length: int, params: SamplingParams, bfloat16: bool
) -> Iterator[Tensor]:
    output = (model.decoder.weight, model.decoder.bias)
    stack = pack_for_steps(layer, embedding=model.embedding.weight, output=output, bfloat16=bfloat16)
    hidden = (
        state[0]
        if state
        else first.new_zeros((layer.num_layers, len(first), layer.hidden_size), dtype=model.decoder.weight.dtype)
    )
    for start in range(0, length, BLOCK):
        block, hidden = stack.generate(first, hidden, min(BLOCK, length - start), params, start=start)
        yield from block
        first = block[-1]


def _by_steps(
    model: LanguageModel, first: Tensor, state: State, length: int, params: SamplingParams
) -> Iterator[Tensor]:
    for number in range(length):
        logits, state = model(first.unsqueeze(0), state)
        first = choose(logits[-1], params, number)
        yield first
