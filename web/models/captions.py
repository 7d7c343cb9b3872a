"""What is in a picture of 8 by 8? One picture in, many words out: made-up figures and their descriptions."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from common import embedded, fit, save
from torch import Tensor, nn
from torch.nn import functional as F

import elman

SIDE, HIDDEN, STEPS, B, SEED = 8, 64, 3000, 64, 1
END = "<end>"
SHAPES = {
    "cross": ("010", "111", "010"),
    "square": ("111", "101", "111"),
    "corner": ("100", "100", "111"),
    "bar": ("000", "111", "000"),
    "pole": ("010", "010", "010"),
    "slope": ("001", "010", "100"),
}
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


def picture(draw: random.Random) -> tuple[list[float], list[str]]:
    """Pixels (64), and the words that describe them."""
    shape = draw.choice(list(SHAPES))
    row, column = draw.randrange(6), draw.randrange(6)
    pixels = [0.0] * (SIDE * SIDE)
    for r, line in enumerate(SHAPES[shape]):
        for c, dot in enumerate(line):
            if dot == "1":
                pixels[(row + r) * SIDE + column + c] = 1.0
    for _ in range(draw.choice((0, 0, 0, 1))):  # a speck of dust
        pixels[draw.randrange(SIDE * SIDE)] = 1.0
    words = f"a {shape} at the {ROWS[row // 2]} {COLUMNS[column // 2]} {END}".split()
    return pixels, words


def build(folder: Path) -> None:
    """Train the picture to be the first state, and the words to follow one another; judged by 2,000 pictures."""
    torch.manual_seed(SEED)
    draw = random.Random(SEED)
    words = [END, *sorted({word for _ in range(2000) for word in picture(draw)[1]} - {END})]
    known = {word: place for place, word in enumerate(words)}
    embedding, rnn = nn.Embedding(len(words), 24), elman.RNN(24, HIDDEN, init="orthogonal")
    see, output = (
        nn.Sequential(nn.Linear(SIDE * SIDE, 96), nn.Tanh(), nn.Linear(96, HIDDEN)),
        nn.Linear(HIDDEN, len(words)),
    )

    def batch(size: int) -> tuple[Tensor, Tensor]:
        pairs = [picture(draw) for _ in range(size)]
        return torch.tensor([p for p, _ in pairs]), torch.tensor([[known[word] for word in w] for _, w in pairs]).t()

    def logits(pixels: Tensor, ids: Tensor) -> Tensor:
        before = torch.cat([torch.zeros_like(ids[:1]), ids[:-1]])  # END begins a sentence too
        return output(rnn(embedding(before), torch.tanh(see(pixels))[None])[0])

    def loss(step: int) -> Tensor:
        pixels, ids = batch(B)
        return F.cross_entropy(logits(pixels, ids).flatten(0, 1), ids.flatten())

    fit(nn.ModuleList([embedding, rnn, see, output]), loss, STEPS, 3e-3)
    pixels, ids = batch(2000)
    with torch.no_grad():
        right = (logits(pixels, ids).argmax(-1) == ids).all(0).float().mean()
    facts = {"H": HIDDEN, "side": SIDE, "words": words, "shapes": SHAPES}
    facts["quality"] = f"{100 * right:.1f} % of 2,000 new pictures described without a wrong word"
    tensors = embedded(embedding, rnn) | {"w_out": output.weight, "b_out": output.bias}
    first, second = see[0], see[2]
    tensors |= {"see_1": first.weight, "see_b1": first.bias, "see_2": second.weight, "see_b2": second.bias}
    save(folder, "captions", facts, tensors)
