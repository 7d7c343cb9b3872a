"""Counted n-grams beside a network: weights of tf-idf, what padding may not change, how two opinions are joined."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor, nn

from elman.data.batching import pad_sequences
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.ngrams import NgramCounts, Parts, WithNgrams, fit_shares, longest_ngram, ngram_codes
from elman.models.classifier import Classifier
from elman.models.config import RecurrentConfig
from elman.tasks.sentiment.ngrams import fit_ngrams, known_ngrams

SEQUENCES = [np.array(one) for one in ([0, 1, 2, 1, 0], [2, 2], [1], [0, 1, 0, 1, 3, 4], [4, 3, 2, 1])]
LABELS = np.array([0, 1, 1, 0, 2])
V, C = 5, 3


def counts_of(sets: int = 1, left_out: list[list[bool]] | None = None) -> NgramCounts:
    codes, texts = known_ngrams(SEQUENCES, "words", V, 1000)
    counts = NgramCounts(V, 2, len(codes), sets, C)
    away = np.zeros((sets, len(SEQUENCES)), dtype=bool) if left_out is None else np.array(left_out)
    fit_ngrams(counts, codes, texts, SEQUENCES, LABELS, away)
    return counts


def network(count: int = 1) -> nn.Module:
    torch.manual_seed(0)
    shape = RecurrentConfig(input_size=4, hidden_size=6, layers=1, bidirectional=True)
    if count == 1:
        return Classifier(nn.Embedding(V, 4), shape, C, readout="max").eval()
    return Ensemble(lambda: Classifier(nn.Embedding(V, 4), shape, C, readout="max"), count).eval()


def test_weights_are_those_of_sklearn() -> None:
    texts = [" ".join(["<", *map(str, one), ">"]) for one in SEQUENCES]
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\S+")
    # one edge stands for both ends
    wanted = vectorizer.fit_transform([text.replace("<", "|").replace(">", "|") for text in texts])
    counts = counts_of()
    row, _, value = counts.weighed(*pad_sequences(SEQUENCES))
    for number in range(len(SEQUENCES)):
        ours = sorted(value[row == number].tolist())
        assert ours == pytest.approx(sorted(wanted[number].data.tolist()), rel=1e-5)


def test_padding_and_company_change_nothing() -> None:
    counts = counts_of()
    together = counts(*pad_sequences(SEQUENCES))
    for number, one in enumerate(SEQUENCES):
        alone = counts(torch.from_numpy(one).unsqueeze(1), torch.tensor([len(one)]))
        torch.testing.assert_close(alone[:, 0], together[:, number])


def test_every_ngram_has_a_number_of_its_own() -> None:
    _, codes = ngram_codes(torch.tensor([[0], [1], [0]]), torch.tensor([3]), 3, V + 2)
    # 4 different of 5 single ones (edges are alike), 4 pairs, 3 threes
    assert len(torch.unique(codes)) == 3 + 4 + 3
    for vocabulary in (1, 100, 20_000, 1 << 20):
        n = longest_ngram(vocabulary, 4)
        assert (vocabulary + 2) ** n < 1 << 63
        assert n == 4 or (vocabulary + 2) ** (n + 1) > 1 << 62
    assert longest_ngram(20_000, 2) == 2


def test_unknown_ngrams_and_texts_of_none_are_no_mistake() -> None:
    counts = counts_of()
    scores = counts(torch.tensor([[3], [0]]), torch.tensor([2]))
    assert torch.isfinite(scores).all()


def test_a_class_that_a_set_does_not_see_is_never_its_answer() -> None:
    counts = counts_of(2, [[False] * 5, [False, False, False, False, True]])
    scores = counts(*pad_sequences(SEQUENCES))
    assert scores.shape == (2, 5, C)
    assert int(scores[0, 4].argmax()) == 2
    assert (scores[1].argmax(-1) < 2).all()


def log_probabilities(right: float, truth: Tensor) -> Tensor:
    rest = (1 - right) / (C - 1)
    return torch.full((len(truth), C), math.log(rest)).scatter(1, truth.unsqueeze(1), math.log(right))


def test_shares_follow_who_is_right() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, C, (400,), generator=generator)
    good, noise = log_probabilities(0.6, truth), torch.randn(400, C, generator=generator).log_softmax(-1)
    for own, counted, better in ((good, noise, 0), (noise, good, 1)):
        shares = fit_shares(own, counted, truth)
        assert (shares >= 0).all()
        assert shares[better] > 4 * shares[1 - better]
    against = log_probabilities(0.05, truth)
    assert fit_shares(good, against, truth)[1] == 0
    with torch.no_grad():
        few = fit_shares(good[:2], good[:2], truth[:2])
    assert (few < 3).all()  # two examples do not make it certain


@pytest.mark.parametrize(("members", "sets"), [(1, 1), (3, 1), (3, 3)])
def test_both_are_joined(members: int, sets: int) -> None:
    left = [[k == n for n in range(5)] for k in range(3)] if sets == 3 else None
    model = WithNgrams(network(members), counts_of(sets, left), most=4).eval()
    x, lengths = pad_sequences(SEQUENCES)
    model.shares.copy_(torch.tensor([0.7, 1.3]))
    with torch.no_grad():
        own, counted = model.parts(x, lengths)
        wanted = (0.7 * own + 1.3 * counted).log_softmax(-1).exp().mean(0)
        torch.testing.assert_close(model(x, lengths).exp(), wanted)
        assert model(x, lengths, each=True).shape == (members, 5, C)
        assert Parts(model)(x, lengths).shape == (5, members + sets, C)
        for number, one in enumerate(SEQUENCES):
            prefixes = model.prefix_scores(torch.from_numpy(one))
            assert len(prefixes) == min(len(one), 4)
            if len(one) <= 4:
                torch.testing.assert_close(prefixes[-1], model(x, lengths)[number])
        alone = network(members)
        model.shares.copy_(torch.tensor([1.0, 0.0]))
        recent, steps = pad_sequences([one[-4:] for one in SEQUENCES])
        torch.testing.assert_close(
            model(x, lengths).softmax(-1), alone(recent, steps).softmax(-1)
        )  # the network reads the last four
    model.train()
    torch.testing.assert_close(model(recent, steps), model.network(recent, steps))
