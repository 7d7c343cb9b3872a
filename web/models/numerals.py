"""English number words to digits: an encoder reads words, a decoder writes digits from the encoder's last state."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from common import embedded, fit, save
from torch import Tensor, nn
from torch.nn import functional as F

import elman

HIDDEN, STEPS, B, SEED = 64, 3500, 64, 1
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = [*ONES, *TENS[2:], "hundred", "thousand", "and"]
END = 10  # after the digits 0 ... 9
LONGEST = 5


def spelled(number: int) -> list[str]:
    """2305: two thousand three hundred and five."""
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10], *([ONES[number % 10]] if number % 10 else [])]
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = number % size
    joint = ["and"] if 0 < rest < 100 else []
    return [*spelled(number // size), name, *joint, *(spelled(rest) if rest else [])]


def build(folder: Path) -> None:
    """Train on numbers below 10,000 but for every seventh, by which the network is judged."""
    torch.manual_seed(SEED)
    draw = random.Random(SEED)
    known = {word: place for place, word in enumerate(WORDS)}
    read, write = nn.Embedding(len(WORDS), 24), nn.Embedding(END + 1, 16)
    encoder, decoder = elman.RNN(24, HIDDEN, init="orthogonal"), elman.RNN(16, HIDDEN, init="orthogonal")
    output = nn.Linear(HIDDEN, END + 1)

    def batch(numbers: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        texts = [spelled(number) for number in numbers]
        lengths = torch.tensor([len(words) for words in texts])
        ids = torch.zeros(int(lengths.max()), len(numbers), dtype=torch.int64)
        digits = torch.full((LONGEST, len(numbers)), -100)
        for b, (number, words) in enumerate(zip(numbers, texts, strict=True)):
            ids[: len(words), b] = torch.tensor([known[word] for word in words])
            written = [*map(int, str(number)), END]
            digits[: len(written), b] = torch.tensor(written)
        return ids, lengths, digits

    def logits(ids: Tensor, lengths: Tensor, digits: Tensor) -> Tensor:
        _, state = encoder(read(ids), lengths=lengths)
        before = torch.cat([torch.full_like(digits[:1], END), digits[:-1]]).clamp(min=0)
        return output(decoder(write(before), state)[0])

    def drawn() -> int:
        number = draw.randrange(10 ** draw.choice((2, 3, 4)))
        return number if number % 7 else drawn()

    def loss(step: int) -> Tensor:
        ids, lengths, digits = batch([drawn() for _ in range(B)])
        return F.cross_entropy(logits(ids, lengths, digits).flatten(0, 1), digits.flatten())

    fit(nn.ModuleList([read, write, encoder, decoder, output]), loss, STEPS, 4e-3)
    ids, lengths, digits = batch(list(range(0, 10_000, 7)))
    with torch.no_grad():
        right = ((logits(ids, lengths, digits).argmax(-1) == digits) | (digits < 0)).all(0).float().mean()
    quality = f"{100 * right:.1f} % of {len(lengths):,} numbers that it was not trained on"
    facts = {"H": HIDDEN, "words": WORDS, "end": END, "longest": LONGEST, "quality": quality}
    tensors = embedded(read, encoder, "read_") | embedded(write, decoder, "write_")
    save(folder, "numerals", facts, tensors | {"w_out": output.weight, "b_out": output.bias})
