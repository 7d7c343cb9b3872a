"""The translator: one by one as in a batch, step by step as all at once, and searched greedily as by a beam of one."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from elman.models.attention import AttentionKind
from elman.models.config import RecurrentConfig
from elman.models.decoding.beam_search import write
from elman.models.decoding.config import Decoding
from elman.models.seq2seq import Feed, Translator, TranslatorConfig

PAD, BOS, EOS, V, SOURCE = 0, 1, 2, 11, 9
LENGTHS = (4, 1, 6)
SHAPES: list[tuple[AttentionKind, Feed, int, bool]] = [
    ("none", "none", 1, True),
    ("none", "last", 2, True),
    ("none", "mean", 1, False),
    ("none", "max", 1, True),
    ("dot", "last", 1, True),
    ("dot", "last", 2, False),
    ("additive", "last", 3, True),
]
CELLS: tuple[str, ...] = ("rnn", "lstm", "gru")


def model(
    attention: AttentionKind, feed: Feed, layers: int, bidirectional: bool, cell: str = "rnn", dropout: float = 0.0
) -> Translator:
    torch.manual_seed(0)
    recurrent = RecurrentConfig(input_size=6, hidden_size=8, layers=layers, cell=cell)
    shape = TranslatorConfig(
        source=SOURCE, target=V, recurrent=recurrent, bidirectional=bidirectional, attention=attention, feed=feed,
        dropout=dropout,
    )  # fmt: skip
    return Translator(shape).double().eval()


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    source = torch.randint(3, SOURCE, (max(LENGTHS), len(LENGTHS)), generator=generator)
    lengths = torch.tensor(LENGTHS)
    source[torch.arange(len(source)).unsqueeze(1) >= lengths] = PAD
    return source, lengths, torch.randint(3, V, (5, len(LENGTHS)), generator=generator)


@pytest.mark.parametrize(("shape", "cell"), [*product(SHAPES, ["rnn"]), *product(SHAPES[1:6:3], CELLS[1:])])
def test_a_batch_is_as_one_by_one(shape: tuple[AttentionKind, Feed, int, bool], cell: str) -> None:
    translator, (source, lengths, tokens) = model(*shape, cell), batch()
    together = translator(source, lengths, tokens)
    assert together.shape == (5, 3, V)
    for b, length in enumerate(LENGTHS):
        alone = translator(source[:length, b : b + 1], lengths[b : b + 1], tokens[:, b : b + 1])
        torch.testing.assert_close(together[:, b], alone[:, 0])


@pytest.mark.parametrize(("shape", "cell"), [*product(SHAPES, ["rnn"]), *product(SHAPES[1:6:3], CELLS[1:])])
def test_step_by_step_is_as_all_at_once(shape: tuple[AttentionKind, Feed, int, bool], cell: str) -> None:
    translator, (source, lengths, tokens) = model(*shape, cell), batch()
    whole = translator(source, lengths, tokens)
    state, memory = translator.encode(source, lengths)
    for t, some in enumerate(tokens):
        logits, state = translator.step(some, state, memory)
        torch.testing.assert_close(logits, whole[t])
        assert all(part.shape[1] == 3 for part in (*state, *memory))


def test_given_targets_it_is_the_loss_of_those_that_are_no_padding() -> None:
    translator, (source, lengths, tokens) = model("dot", "last", 2, True), batch()
    targets = tokens.masked_fill(tokens <= 6, 0)
    logits = translator(source, lengths, tokens)
    want = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=0, label_smoothing=0.1, reduction="sum"
    )
    got = translator(source, lengths, tokens, targets=targets, padding=0, smoothing=0.1)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_decoders_first_state_is_the_encoders_last(bidirectional: bool) -> None:
    translator, (source, lengths, _) = model("none", "none", 2, bidirectional), batch()
    (state,), memory = translator.encode(source, lengths)
    assert memory == ()
    _, (last,) = translator.encoder(translator.source_embedding(source), (), lengths)
    assert state.shape == (2, 3, 8)
    if bidirectional:  # forward and backward of each layer, side by side
        torch.testing.assert_close(state[1], torch.cat((last[2], last[3]), -1))
    else:
        torch.testing.assert_close(state, last)


@pytest.mark.parametrize(("feed", "reaches"), [("mean", True), ("max", True), ("last", True)])
def test_what_is_fed_comes_from_the_sentence_alone(feed: Feed, reaches: bool) -> None:
    translator, (source, lengths, _) = model("none", feed, 1, True), batch()
    _, (fed,) = translator.encode(source, lengths)
    steps, (last,) = translator.encoder(translator.source_embedding(source), (), lengths)
    own = {"mean": lambda h: h.mean(0), "max": lambda h: h.amax(0)}
    for b, length in enumerate(LENGTHS):
        h = steps[:length, b]
        expected = torch.cat((last[0, b], last[1, b])) if feed == "last" else own[feed](h)
        torch.testing.assert_close(fed[0, b], expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_weight_learns(shape: tuple[AttentionKind, Feed, int, bool]) -> None:
    translator, (source, lengths, tokens) = model(*shape), batch()
    translator(source, lengths, tokens).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in translator.parameters())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_beam_finds_nothing_worse_than_greedy_does_and_groups_change_nothing(
    shape: tuple[AttentionKind, Feed, int, bool],
) -> None:
    translator, (source, lengths, _) = model(*shape), batch()

    def search(beam: int, columns: slice, steps: int) -> list[tuple[tuple[int, ...], float]]:
        state, memory = translator.encode(source[:steps, columns], lengths[columns])
        how = Decoding(beam=beam, length_penalty=0.0, max_length=8)
        found = write(translator, state, memory, begin=BOS, end=EOS, decoding=how, banned=[PAD, BOS])
        return [(best.tokens, best.log_probability) for best, *_ in found]

    every = slice(None)
    for beam in (1, 4):
        together = search(beam, every, 6)
        for b, length in enumerate(LENGTHS):
            ((tokens, log_probability),) = search(beam, slice(b, b + 1), length)
            assert tokens == together[b][0]
            assert log_probability == pytest.approx(together[b][1], abs=1e-5)


def test_dropout_is_of_training_alone() -> None:
    translator, (source, lengths, tokens) = model("dot", "last", 2, True, dropout=0.5), batch()
    torch.testing.assert_close(translator(source, lengths, tokens), translator(source, lengths, tokens))
    translator.train()
    assert not torch.equal(translator(source, lengths, tokens), translator(source, lengths, tokens))
