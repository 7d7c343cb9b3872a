"""Captioner: one to many. A vector that stands for a picture goes in, words come out; see `elman.models.captioner`.

B pictures, D numbers in a picture's vector, V vocabulary, E embedding, H hidden.
"""

from __future__ import annotations

import numpy as np

from elman.runtime.classifier import linear_in
from elman.runtime.files import Settings
from elman.runtime.recurrent import Recurrent, Shape, State, Weights
from elman.runtime.tensors import Floats


class Captioner:
    """Embedding, recurrent layers, and the output layer over the words, with the picture in one place or several.

    Its state is that of the recurrent layers; where the picture stands beside the word at every step, that too.
    """

    def __init__(self, weights: Weights, settings: Settings, V: int, D: int, E: int, shape: Shape) -> None:
        places = settings.text("feature_as", "first", ("first", "state", "every", "first+state")).split("+")
        H, tied = shape.hidden_size, settings.flag("tied", True)
        self.mean, self.spread = weights.take("mean", D), weights.take("spread", D)
        if not (self.spread > 0).all():
            raise weights.unfit("a spread is not above 0")
        self.embedding = weights.take("embedding.weight", V, E)
        self.first = linear_in(weights, "first", E, D) if "first" in places else None
        self.initial = linear_in(weights, "initial", shape.layers * H, D) if "state" in places else None
        self.every = linear_in(weights, "every", E, D) if "every" in places else None
        self.recurrent = Recurrent(weights, "recurrent.layer.", 2 * E if self.every else E, shape)
        self.narrow = linear_in(weights, "narrow", E, H) if tied else None
        self.output = (self.embedding, weights.take("output.bias", V)) if tied else linear_in(weights, "output", V, H)

    def start(self, feature: Floats) -> State:
        """The state before the first word, from a picture's vector (D,)."""
        scaled, layers = ((feature - self.mean) / self.spread)[None], len(self.recurrent.layers)
        state = self.recurrent.zeros(1)
        if self.initial is not None:
            hidden = np.tanh(_linear(scaled, self.initial)).reshape(1, layers, -1).transpose(1, 0, 2)
            state = (np.ascontiguousarray(hidden), *state[1:])
        beside = (np.tanh(_linear(scaled, self.every))[None],) if self.every is not None else ()
        if self.first is not None:
            _, state = self.recurrent(self._with_picture(_linear(scaled, self.first), beside), state)
        return (*state, *beside)

    def step(self, tokens: list[int], state: State) -> tuple[Floats, State]:
        """Logits (N, V) of the next word after tokens (N,), and the state."""
        parts = self.recurrent.parts
        beside = state[parts:]
        hidden, new = self.recurrent(self._with_picture(self.embedding[tokens], beside), state[:parts])
        said = hidden[0] if self.narrow is None else _linear(hidden[0], self.narrow)
        return _linear(said, self.output), (*new, *beside)

    def _with_picture(self, inputs: Floats, beside: State) -> Floats:
        """(1, N, E) or with the picture beside each (1, N, 2 E)."""
        return np.concatenate([inputs, beside[0][0]], axis=1)[None] if beside else inputs[None]


def _linear(x: Floats, layer: tuple[Floats, Floats]) -> Floats:
    product: Floats = x @ layer[0].T + layer[1]
    return product
