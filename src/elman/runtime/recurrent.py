"""The recurrent part of every model: vanilla layers in native code, LSTM, GRU and layer normalisation in numpy.

Names of weights, gates and their order are those of `torch.nn.RNN`, `LSTM` and `GRU`.
T steps, B sequences, I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from elman.errors import UserError
from elman.runtime.files import Settings
from elman.runtime.native import Decoder, Layer, load_library
from elman.runtime.records import Record
from elman.runtime.tensors import Array, Floats, Integers

CELLS = {"rnn": 1, "lstm": 4, "gru": 3}
"""Cells, and how many gates each has."""
State = tuple[Floats, ...]
"""(h,), or for the LSTM (h, c), each (L * D, B, H); () is zeros."""
NORM_EPSILON = 1e-5
Lengths = Integers
Directions = list[tuple[Floats, ...]]


class Weights:
    """The weights of a file, taken out one by one; what is left in the end does not belong there."""

    def __init__(self, tensors: Mapping[str, Array], path: Path) -> None:
        self._tensors = dict(tensors)
        self.path = path

    def take(self, name: str, *shape: int) -> Floats:
        """The tensor of this name and shape; -1 is any size.

        Raises:
            UserError: there is none, or its shape is another.
        """
        return self._take(name, shape)

    def take_whole(self, name: str, *shape: int) -> Integers:
        """The same of whole numbers: see `elman.runtime.tensors.WHOLE`."""
        found = self._take(name, shape)
        if found.dtype != np.int64:
            raise self.unfit(f"{name} is {found.dtype} in the file, and is int64")
        return np.require(found, requirements="A")  # searching in what is not aligned copies all of it

    def _take(self, name: str, shape: tuple[int, ...]) -> Array:
        found = self._tensors.pop(name, None)
        if found is None:
            raise self.unfit(f"{name} is missing")
        wrong = found.ndim != len(shape) or any(
            size not in (-1, has) for size, has in zip(shape, found.shape, strict=True)
        )
        if wrong:
            raise self.unfit(f"{name} is {found.shape} in the file, {shape} by the settings")
        return found

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return name in self._tensors

    def close(self) -> None:
        """Raise a UserError where a tensor was not taken."""
        if self._tensors:
            raise self.unfit(f"{min(self._tensors)} is not one of its weights")

    def unfit(self, what: str) -> UserError:
        """The complaint that the weights and the settings do not belong together."""
        return UserError(f"{self.path} does not fit the settings beside it: {what}")


class Shape(Record):
    """What the recurrent part is made of: the settings of a run that say so."""

    hidden_size: int
    layers: int
    cell: str
    nonlinearity: str
    residual: bool
    layer_norm: bool
    bidirectional: bool

    @classmethod
    def of(cls, settings: Settings, *, hidden_size: int = 128, bidirectional: bool = False) -> Shape:
        """The shape in a run's settings; the defaults are those of the task.

        Raises:
            UserError: a cell that is not built in.
        """
        cell = settings.text("cell", "rnn")
        if cell not in CELLS:
            raise UserError(
                f"{settings.path}: `cell={cell}` is a cell of the user's own; elman.runtime has {', '.join(CELLS)}"
            )
        return cls(
            settings.integer("hidden_size", hidden_size, 1),
            settings.integer("layers", 1, 1, 1000),
            cell,
            settings.text("nonlinearity", "tanh", ("tanh", "relu")),
            settings.flag("residual"),
            settings.flag("layer_norm"),
            bidirectional,
        )


class Recurrent:
    """A recurrent part with its weights.

    Arguments:
        weights: from which its own are taken.
        prefix: of their names, "recurrent.layer.".
        input_size: I.
    """

    def __init__(self, weights: Weights, prefix: str, input_size: int, shape: Shape) -> None:
        self.shape, self.input_size = shape, input_size
        self.H, self.D = shape.hidden_size, 2 if shape.bidirectional else 1
        self.output_size = self.D * self.H
        self.layers: list[Directions] = []
        rows, normed = CELLS[shape.cell] * self.H, shape.layer_norm
        for layer in range(shape.layers):
            columns = self.output_size if layer else input_size
            directions: Directions = []
            for end in ("", "_reverse")[: self.D]:
                name = f"l{layer}{end}"
                w_ih = weights.take(f"{prefix}weight_ih_{name}", rows, columns)
                w_hh = weights.take(f"{prefix}weight_hh_{name}", rows, self.H)
                b_ih = weights.take(f"{prefix}bias_ih_{name}", rows)
                b_hh = weights.take(f"{prefix}bias_hh_{name}", rows)
                gain = [weights.take(f"{prefix}layer_norm_weight_{name}", self.H)] if normed else []
                directions.append((w_ih, w_hh, b_ih, b_hh, *gain))
            self.layers.append(directions)
        library = load_library() if shape.cell == "rnn" and not normed else None
        form = shape.nonlinearity, shape.residual
        self._native = [Layer(library, _summed(one), *form) for one in self.layers] if library else []
        self._steps = _STEPS[shape.cell]

    @property
    def parts(self) -> int:
        """Parts of the state: 2 of an LSTM."""
        return 2 if self.shape.cell == "lstm" else 1

    def zeros(self, B: int) -> State:
        """The state before a sequence begins."""
        return tuple(np.zeros((len(self.layers) * self.D, B, self.H), np.float32) for _ in range(self.parts))

    @np.errstate(all="ignore")  # states may grow without bound
    def __call__(self, x: Floats, state: State = (), lengths: Lengths | None = None) -> tuple[Floats, State]:
        """Run over a batch.

        Arguments:
            x: (T, B, I).
            state: as an earlier call returned it, or () for zeros.
            lengths: (B,) steps of each sequence, 1 to T.

        Returns:
            the last layer's states (T, B, D * H), zero past an end, and the state after each sequence's last step.
        """
        if self._native:
            x = np.ascontiguousarray(x, np.float32)
            h0, last, D = (np.ascontiguousarray(state[0]) if state else None), [], self.D
            for number, layer in enumerate(self._native):
                x, h_last = layer(x, None if h0 is None else h0[number * D : number * D + D], lengths)
                last.append(h_last)
            return x, (last[0] if len(last) == 1 else np.concatenate(last),)
        state = state or self.zeros(x.shape[1])
        ends: list[list[Floats]] = [[] for _ in state]
        for number, directions in enumerate(self.layers):
            outputs = []
            for d, weights in enumerate(directions):
                begin = tuple(part[number * self.D + d] for part in state)
                output, end = self._loop(x, begin, weights, lengths, reverse=d == 1)
                outputs.append(output)
                for part, one in zip(ends, end, strict=True):
                    part.append(one)
            x = outputs[0] if self.D == 1 else np.concatenate(outputs, axis=2)
        return x, tuple(np.stack(part) for part in ends)

    def _loop(
        self, x: Floats, state: State, weights: tuple[Floats, ...], lengths: Lengths | None, *, reverse: bool
    ) -> tuple[Floats, State]:
        """One layer and direction: (T, B, H) and the state (B, H) after each sequence's last step."""
        T, B = x.shape[:2]
        drive = x.reshape(T * B, -1) @ weights[0].T
        if self.shape.cell == "rnn" and not self.shape.layer_norm:
            drive = drive + (weights[2] + weights[3])
        elif self.shape.cell != "rnn":
            drive = drive + weights[2]
        drive = drive.reshape(T, B, -1)
        output = np.zeros((T, B, self.H), np.float32)
        alive = None if lengths is None else (np.arange(T)[:, None] < lengths)[:, :, None]
        for t in range(T - 1, -1, -1) if reverse else range(T):
            new = self._steps(drive[t], state, weights, self.shape)
            if alive is None:
                state, output[t] = new, new[0]
            else:
                state = tuple(np.where(alive[t], one, old) for one, old in zip(new, state, strict=True))
                output[t] = np.where(alive[t], state[0], 0)
        return output, state

    def writer(self, embedding: Floats, output: tuple[Floats, Floats]) -> Decoder | None:
        """The layers packed to write tokens, where native code does that: one direction of plain vanilla layers.

        Arguments:
            embedding: (V, I).
            output: weight (V, H) and bias (V,) of the output layer.
        """
        library = load_library()
        if library is None or not self._native or self.D > 1:
            return None
        layers = [_summed(one)[0] for one in self.layers]
        w_ih, _, bias = layers[0]
        table = np.ascontiguousarray(embedding @ w_ih.T + bias)  # each token's share of the bottom layer's sum
        whole = np.ascontiguousarray(output[0]), np.ascontiguousarray(output[1])
        return Decoder(library, layers, self.shape.nonlinearity, self.shape.residual, table, whole)


def _summed(directions: Directions) -> list[tuple[Floats, Floats, Floats]]:
    whole = np.ascontiguousarray
    return [(whole(one[0]), whole(one[1]), one[2] + one[3]) for one in directions]


def _rnn_step(drive: Floats, state: State, weights: tuple[Floats, ...], shape: Shape) -> State:
    (h,), a = state, drive + state[0] @ weights[1].T
    if shape.layer_norm:  # Ba, Kiros and Hinton (2016), equation 4
        a = a - a.mean(axis=1, keepdims=True)
        a = a / np.sqrt(np.square(a).mean(axis=1, keepdims=True) + NORM_EPSILON) * weights[4] + (
            weights[2] + weights[3]
        )
    new = np.tanh(a) if shape.nonlinearity == "tanh" else np.maximum(a, 0)
    return (h + new if shape.residual else new,)


def _lstm_step(drive: Floats, state: State, weights: tuple[Floats, ...], shape: Shape) -> State:
    (h, c), H = state, shape.hidden_size
    gates = drive + h @ weights[1].T + weights[3]
    i, f, o = sigmoid(gates[:, :H]), sigmoid(gates[:, H : 2 * H]), sigmoid(gates[:, 3 * H :])
    c = f * c + i * np.tanh(gates[:, 2 * H : 3 * H])
    return o * np.tanh(c), c


def _gru_step(drive: Floats, state: State, weights: tuple[Floats, ...], shape: Shape) -> State:
    (h,), H = state, shape.hidden_size
    past = h @ weights[1].T + weights[3]
    r, z = sigmoid(drive[:, :H] + past[:, :H]), sigmoid(drive[:, H : 2 * H] + past[:, H : 2 * H])
    n = np.tanh(drive[:, 2 * H :] + r * past[:, 2 * H :])
    return ((1 - z) * n + z * h,)


Step = Callable[[Floats, State, tuple[Floats, ...], Shape], State]
_STEPS: dict[str, Step] = {"rnn": _rnn_step, "lstm": _lstm_step, "gru": _gru_step}


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), by tanh, which does not overflow."""
    found: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return found


def softmax(scores: Floats) -> Floats:
    """Probabilities along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return found


def log_softmax(scores: Floats) -> Floats:
    """Log-probabilities along the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def batches(lengths: Sequence[int], most: int) -> Iterator[Integers]:
    """The numbers of sequences, like lengths together, at most so many at a time."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    for begin in range(0, len(order), most):
        yield order[begin : begin + most]
