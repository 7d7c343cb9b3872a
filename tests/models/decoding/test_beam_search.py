"""Beam search against all texts written out, and greedy writing against one step after the other."""

from itertools import product

import pytest
import torch
from torch import Tensor

from elman.errors import UserError
from elman.models.decoding.beam_search import Hypothesis, write
from elman.models.decoding.config import Decoding
from elman.models.recurrent import State

V, BEGIN, END = 5, 0, 1


class Table:
    """A writer whose next token depends on the last one, on the text's own numbers, and on how many came before."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.logits = 2 * torch.randn(8, V, V, generator=generator)

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        (steps,) = state  # (1, N, 1)
        (own,) = memory  # (1, N, V)
        return self.logits[steps[0, :, 0].long(), tokens] + own[0], (steps + 1,)

    def log_probability(self, own: Tensor, text: tuple[int, ...]) -> float:
        total, before = 0.0, BEGIN
        for number, token in enumerate(text):
            logits = (self.logits[number, before] + own).index_fill(0, torch.tensor([BEGIN]), -torch.inf)
            total += float(logits.log_softmax(0)[token])
            before = token
        return total


def given(B: int) -> tuple[State, State]:
    return (torch.zeros(1, B, 1),), (torch.randn(1, B, V, generator=torch.Generator().manual_seed(B)),)


def written(model: Table, B: int, decoding: Decoding) -> list[list[Hypothesis]]:
    return write(model, *given(B), begin=BEGIN, end=END, decoding=decoding, banned=[BEGIN])


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_best_of_all_texts(seed: int, penalty: float) -> None:
    model, B, most = Table(seed), 3, 4
    _, (own,) = given(B)
    best = written(model, B, Decoding(beam=150, length_penalty=penalty, max_length=most))
    for text in range(B):
        scores = {}
        for length in range(most):
            for tokens in product((2, 3, 4), repeat=length):
                log_probability = model.log_probability(own[0, text], (*tokens, END))
                scores[tokens] = log_probability / (length + 1) ** penalty
        expected = sorted(scores, key=scores.__getitem__, reverse=True)
        ended = [one for one in best[text] if one.ended]
        assert [one.tokens for one in ended] == expected
        assert [one.score(penalty) for one in ended] == pytest.approx([scores[tokens] for tokens in expected], abs=1e-5)


@pytest.mark.parametrize("beam", [1, 2, 4])
def test_many_texts_at_once_are_written_as_one_by_one(beam: int) -> None:
    model, decoding = Table(3), Decoding(beam=beam, max_length=8)
    (state,), (memory,) = given(6)
    for text, together in enumerate(written(model, 6, decoding)):
        own = slice(text, text + 1)
        (alone,) = write(
            model, (state[:, own],), (memory[:, own],), begin=BEGIN, end=END, decoding=decoding, banned=[BEGIN]
        )
        assert [one.tokens for one in alone] == [one.tokens for one in together]
        assert [one.log_probability for one in alone] == pytest.approx([one.log_probability for one in together])


def test_greedy_takes_the_most_probable_token_at_every_step() -> None:
    model = Table(1)
    _, (own,) = given(4)
    for text, (one,) in enumerate(written(model, 4, Decoding(max_length=8))):
        before = BEGIN
        for number, token in enumerate((*one.tokens, *[END] * one.ended)):
            scores = (model.logits[number, before] + own[0, text])[1:]
            assert token == 1 + int(scores.argmax())
            before = token
        whole = (*one.tokens, *[END] * one.ended)
        assert one.log_probability == pytest.approx(model.log_probability(own[0, text], whole), abs=1e-5)


def test_a_wider_beam_finds_no_worse_text_on_the_whole() -> None:
    found = [
        sum(
            texts[0].log_probability
            for texts in written(Table(2), 20, Decoding(beam=k, length_penalty=0.0, max_length=8))
        )
        for k in (1, 2, 8)
    ]
    assert found[0] <= found[1] <= found[2]


def test_a_text_without_an_end_is_cut_and_says_so() -> None:
    class Endless(Table):
        def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
            logits, state = super().step(tokens, state, memory)
            return logits.index_fill(1, torch.tensor([END]), -1e4), (state[0].clamp(max=6),)

    for beam in (1, 3):
        for texts in written(Endless(0), 2, Decoding(beam=beam, max_length=5)):
            assert len(texts) == beam
            assert all(len(one.tokens) == 5 and not one.ended for one in texts)


def test_drawn_texts_follow_the_seed() -> None:
    decoding = Decoding(temperature=1.0, max_length=6)
    first, again, other = (
        write(Table(0), *given(9), begin=BEGIN, end=END, decoding=decoding, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("wrong", [{"beam": 0}, {"max_length": 0}, {"length_penalty": -1.0}])
def test_refuses(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"` is .*; it must be at least"):
        Decoding(**wrong)  # type: ignore[arg-type]


def test_a_beam_does_not_draw() -> None:
    with pytest.raises(UserError, match="leave one out"):
        Decoding(beam=2, temperature=0.5)
