"""One to many: the network writes, its own output being its next input."""

from __future__ import annotations

from collections.abc import Generator

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
    state: State = (),
    start: int = 0,
) -> Generator[Tensor, None, State]:
    """Read the prompt, then write `length` tokens.

    Dropout is left out. Where the recurrent part is elman's, the steps run as native calls of `BLOCK` tokens, by the
    weights as they are when the first token is asked for.

    Arguments:
        prompt: (P,) integers, at least one.
        params: how a token is drawn; the same seed writes the same texts.
        samples: S, how many texts to write side by side.
        bfloat16: round the weights to bfloat16 (sums stay float32), for speed; elman's recurrent part only.
        state: as an earlier call returned it, to go on from there; () at the beginning of a text.
        start: the number of the first draw, to go on with the draws of an earlier call.

    Yields:
        (S,) integers, the next token of each text.

    Returns:
        the state after all tokens but the last one.
    """
    tokens = prompt.unsqueeze(1).expand(-1, samples)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            state = model(tokens[:-1], state)[1] if len(prompt) > 1 else state
            layer, draws = model.native_layer, range(start, start + length)
            if layer is not None:
                return (yield from _by_blocks(model, layer, tokens[-1], state, draws, params, bfloat16))
            return (yield from _by_steps(model, tokens[-1], state, draws, params))
    finally:
        model.train(was_training)


def _by_blocks(
    model: LanguageModel, layer: RNN, first: Tensor, state: State, draws: range, params: SamplingParams, bfloat16: bool
) -> Generator[Tensor, None, State]:
    output = (model.decoder.weight, model.decoder.bias)
    stack = pack_for_steps(layer, embedding=model.embedding.weight, output=output, bfloat16=bfloat16)
    hidden = (
        state[0]
        if state
        else first.new_zeros((layer.num_layers, len(first), layer.hidden_size), dtype=model.decoder.weight.dtype)
    )
    for start in draws[::BLOCK]:
        block, hidden = stack.generate(first, hidden, min(BLOCK, draws.stop - start), params, start=start)
        yield from block
        first = block[-1]
    return (hidden,)


def _by_steps(
    model: LanguageModel, first: Tensor, state: State, draws: range, params: SamplingParams
) -> Generator[Tensor, None, State]:
    for number in draws:
        logits, state = model(first.unsqueeze(0), state)
        first = choose(logits[-1], params, number)
        yield first
    return state
