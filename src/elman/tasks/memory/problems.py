"""The classic memory problems put to a network: what it looks like, what it loses, how good it is.

T steps, B sequences. Every model is a `Classifier`: parity has two classes, adding one number, copy memory a symbol at
every step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.data.synthetic import (
    Adding,
    CopyMemory,
    Parity,
    Part,
    ProblemBatch,
)
from elman.errors import UserError
from elman.insight.example import InspectionExample
from elman.models.classification.prefixes import last_scores
from elman.models.classifier import Classifier
from elman.models.config import RecurrentConfig
from elman.models.losses import token_loss
from elman.runtime.text.memory_problems import BLANK, RECALL, read_bits, read_marked, read_symbols
from elman.tasks.memory.prediction import CopyPrediction, ParityPrediction, SumPrediction
from elman.tasks.memory.streaming import BitStream, NumberStream
from elman.training.predicting.input_stream import InputStream
from elman.training.task import Prediction

ANSWERS = ("NO", "YES")
SYMBOLS = RECALL + 1
WHISPER = 0.3  # how loud copy memory's symbols begin: tanh takes its cube from every state at every step
CLOSE = 0.04  # an answer so near counts as right (Hochreiter and Schmidhuber 1997)


class Memory(ABC):
    """A problem of one length."""

    input_size: int
    outputs: int
    shortest: int

    def model(self, shape: RecurrentConfig, dropout: float) -> Classifier:
        """A new network for the problem; the shape's input size must be `input_size`."""
        return Classifier(self.input_layer(), shape, self.outputs, dropout=dropout)

    @abstractmethod
    def input_layer(self) -> nn.Module:
        """From inputs (T, B, ...) to vectors (T, B, input_size)."""

    @abstractmethod
    def batch(self, length: int, size: int, seed: int, step: int, part: Part) -> ProblemBatch:
        """`size` sequences of the problem of this length."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: ProblemBatch) -> tuple[Tensor, int]:
        """The summed loss, and what it was summed over."""

    @abstractmethod
    def metrics(self, model: nn.Module, batch: ProblemBatch) -> dict[str, float]:
        """Loss and what the problem counts as success; the sequences must be of one length."""

    @abstractmethod
    def answer(self, model: nn.Module, text: str, length: int) -> Prediction:
        """What the network says to what the user wrote; raises a UserError where that cannot be read."""

    def answers(self, model: nn.Module, texts: Sequence[str], length: int) -> list[Prediction]:
        """What it says to each of several; raises as `answer`."""
        return [self.answer(model, text, length) for text in texts]

    def open_stream(self, model: nn.Module) -> InputStream:
        """What takes a sequence in pieces; raises a UserError where the problem's sequences have one length."""
        raise UserError("copy takes its ten digits together, not in pieces; ask for a prediction")

    @abstractmethod
    def inspection_example(self, text: str, length: int, device: torch.device) -> InspectionExample:
        """What the user wrote, to be looked at with what the answer should be; raises a UserError as `answer` does."""


class Counting(Memory):
    """YES if the number of 1s is even; asked after every bit where `every` says so."""

    input_size = 4  # two symbols need no large embedding
    outputs = len(ANSWERS)
    shortest = 2

    def __init__(self, every: bool) -> None:
        self.every = every

    def input_layer(self) -> nn.Module:
        """A vector of four numbers for each bit."""
        return nn.Embedding(2, self.input_size)

    def batch(self, length: int, size: int, seed: int, step: int, part: Part) -> ProblemBatch:
        """Strings of up to `length` bits in training, of exactly `length` otherwise."""
        shortest = 1 if part == "train" else length
        every = self.every and part == "train"
        return Parity(shortest, length, every).batch(size, seed, step, part)

    def loss(self, model: nn.Module, batch: ProblemBatch) -> tuple[Tensor, int]:
        """Cross-entropy of even or odd, after every bit or at the end."""
        return token_loss(model(batch.inputs, batch.lengths, every_step=self.every), batch.targets)

    def metrics(self, model: nn.Module, batch: ProblemBatch) -> dict[str, float]:
        """Loss, and the share of strings that are answered correctly."""
        scores = model(batch.inputs, batch.lengths)
        total, count = token_loss(scores, batch.targets)
        right = (scores.argmax(-1) == batch.targets).double().mean()
        return {"loss": float(total) / count, "accuracy": float(right)}

    def answer(self, model: nn.Module, text: str, length: int) -> Prediction:
        """YES or NO for a string of 0s and 1s."""
        return self.answers(model, [text], length)[0]

    def answers(self, model: nn.Module, texts: Sequence[str], length: int) -> list[Prediction]:
        """The same for several, side by side."""
        scores = last_scores(model, [torch.tensor(read_bits(text)) for text in texts])
        probability, given = scores.softmax(-1).max(-1)
        rows = zip(texts, given.tolist(), probability.tolist(), strict=True)
        return [ParityPrediction(text, ANSWERS[best], share) for text, best, share in rows]

    def open_stream(self, model: nn.Module) -> InputStream:
        """YES or NO after each bit."""
        return BitStream(model, ANSWERS)

    def inspection_example(self, text: str, length: int, device: torch.device) -> InspectionExample:
        """A string of bits with the right answer after each."""
        bits = torch.tensor(read_bits(text), device=device)
        even = 1 - bits.cumsum(0) % 2
        tracks = {"odd number of 1s": (1 - even).tolist(), "this bit": bits.tolist()}
        inputs = {"x": bits.unsqueeze(1), "lengths": _lengths(bits), "every_step": self.every}
        return InspectionExample(
            inputs, tuple(map(str, bits.tolist())), even if self.every else even[-1:], tracks=tracks
        )


class Summing(Memory):
    """The sum of the two marked numbers."""

    input_size = 2
    outputs = 1
    shortest = 4

    def input_layer(self) -> nn.Module:
        """The numbers and their marks as they are."""
        return nn.Identity()

    def batch(self, length: int, size: int, seed: int, step: int, part: Part) -> ProblemBatch:
        """Sequences of `length` numbers, two of them marked."""
        return Adding(length).batch(size, seed, step, part)

    def loss(self, model: nn.Module, batch: ProblemBatch) -> tuple[Tensor, int]:
        """Squared error of the sum."""
        sums = model(batch.inputs, batch.lengths).squeeze(-1)
        return F.mse_loss(sums.float(), batch.targets, reduction="sum"), len(sums)

    def metrics(self, model: nn.Module, batch: ProblemBatch) -> dict[str, float]:
        """Mean squared error, and the share of sums within `CLOSE` of the right one."""
        errors = model(batch.inputs, batch.lengths).squeeze(-1).float() - batch.targets
        close = (errors.abs() < CLOSE).double().mean()
        return {"loss": float(errors.square().mean()), "accuracy": float(close)}

    def answer(self, model: nn.Module, text: str, length: int) -> Prediction:
        """The network's sum beside the right one."""
        pairs = torch.tensor(read_marked(text))
        total = model(pairs.unsqueeze(1), torch.tensor([len(pairs)]))
        return SumPrediction(text, float(total), float(pairs.prod(-1).sum()))

    def open_stream(self, model: nn.Module) -> InputStream:
        """The sum after each number."""
        return NumberStream(model)

    def inspection_example(self, text: str, length: int, device: torch.device) -> InspectionExample:
        """Marked numbers with their sum."""
        pairs = torch.tensor(read_marked(text), device=device)
        sums = pairs.prod(-1).cumsum(0)
        inputs = {"x": pairs.unsqueeze(1), "lengths": _lengths(pairs)}
        tracks = {"sum so far": sums.tolist(), "marked so far": pairs[:, 1].cumsum(0).tolist()}
        return InspectionExample(
            inputs, tuple(f"{word} " for word in text.split()), sums[-1:].unsqueeze(1), tracks=tracks
        )


class Copying(Memory):
    """The ten symbols again, after a silence."""

    input_size = SYMBOLS
    outputs = SYMBOLS
    shortest = 2

    def model(self, shape: RecurrentConfig, dropout: float) -> Classifier:
        """A network whose recurrent biases begin at zero."""
        model = super().model(shape, dropout)
        for name, parameter in model.recurrent.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)  # a constant drive would add up over the silence
        return model

    def input_layer(self) -> nn.Module:
        """A vector for each symbol; that of the blank is zero."""
        symbols = nn.Embedding(SYMBOLS, self.input_size, padding_idx=BLANK)  # in silence nothing comes in
        with torch.no_grad():
            symbols.weight.mul_(WHISPER)
        return symbols

    def batch(self, length: int, size: int, seed: int, step: int, part: Part) -> ProblemBatch:
        """Ten symbols, a silence of `length` steps, and the sign to write them down."""
        return CopyMemory(length).batch(size, seed, step, part)

    def loss(self, model: nn.Module, batch: ProblemBatch) -> tuple[Tensor, int]:
        """Cross-entropy at every step."""
        return token_loss(model(batch.inputs, batch.lengths, every_step=True), batch.targets)

    def metrics(self, model: nn.Module, batch: ProblemBatch) -> dict[str, float]:
        """Loss, and the share of symbols that are copied correctly."""
        scores = model(batch.inputs, batch.lengths, every_step=True)
        total, count = token_loss(scores, batch.targets)
        remembered = CopyMemory().remembered
        right = (scores[-remembered:].argmax(-1) == batch.targets[-remembered:]).double().mean()
        return {"loss": float(total) / count, "accuracy": float(right)}

    def answer(self, model: nn.Module, text: str, length: int) -> Prediction:
        """The symbols that the network writes after the silence."""
        inputs = CopyMemory(length).inputs_for(read_symbols(text))
        scores = model(inputs, torch.tensor([len(inputs)]), every_step=True)
        given = scores[-CopyMemory().remembered :, 0].argmax(-1).tolist()
        return CopyPrediction(text, "".join(str(symbol) if symbol < BLANK else "-" for symbol in given))

    def inspection_example(self, text: str, length: int, device: torch.device) -> InspectionExample:
        """Ten digits with the copy that should follow."""
        problem, symbols = CopyMemory(length), read_symbols(text)
        inputs = problem.inputs_for(symbols).to(device)
        targets = torch.full((len(inputs),), BLANK, device=device)
        targets[-problem.remembered :] = torch.tensor(symbols, device=device)
        names = "".join({BLANK: "-", RECALL: "?"}.get(symbol, str(symbol)) for symbol in inputs[:, 0].tolist())
        writing = [0] * (len(inputs) - problem.remembered) + [1] * problem.remembered
        tracks = {"writing down": writing, "time": list(range(len(inputs)))}
        given = {"x": inputs, "lengths": _lengths(inputs), "every_step": True}
        return InspectionExample(given, tuple(names), targets, tracks=tracks)


def _lengths(sequence: Tensor) -> Tensor:
    """The length of the one sequence of a batch, (1,)."""
    return torch.tensor([len(sequence)], device=sequence.device)
