"""CTC: the two decoders against all alignments by hand; the transcriber in pieces."""

from itertools import groupby, product

import pytest
import torch
from torch import Tensor

from elman.metrics.classification import mean_probabilities
from elman.models.classifier import Classifier
from elman.models.config import RecurrentConfig
from elman.models.decoding.ctc import ctc_loss, steps_needed
from elman.models.transcriber import CHUNK, Transcriber, log_probabilities
from elman.runtime.ctc import Greedy, PrefixBeam


def all_texts(scores: Tensor) -> dict[tuple[int, ...], float]:
    """The probability of every text, over all alignments."""
    found: dict[tuple[int, ...], float] = {}
    for path in product(range(scores.shape[1]), repeat=len(scores)):
        text = tuple(symbol for symbol, _ in groupby(path) if symbol)
        found[text] = found.get(text, 0.0) + float(scores[range(len(path)), list(path)].sum().exp())
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_the_likeliest_text(seed: int) -> None:
    torch.manual_seed(seed)
    scores = (2 * torch.randn(5, 4)).log_softmax(-1)
    beam = PrefixBeam(200)
    beam.push(scores[:2].numpy())
    beam.push(scores[2:].numpy())  # in pieces, as it is heard
    texts = all_texts(scores)
    assert tuple(one.symbol for one in beam.best()) == max(texts, key=texts.__getitem__)


def test_the_loss_is_that_of_all_alignments() -> None:
    torch.manual_seed(0)
    scores = torch.randn(5, 1, 4).log_softmax(-1)
    loss = ctc_loss(scores, torch.tensor([5]), torch.tensor([1, 1]), torch.tensor([2]))
    assert float((-loss).exp()) == pytest.approx(all_texts(scores[:, 0])[1, 1], rel=1e-4)


def test_where_greedy_decoding_is_wrong() -> None:
    scores = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()  # blank blank 0.36; a in any way 0.64
    greedy, beam = Greedy(), PrefixBeam(4)
    greedy.push(scores.numpy())
    beam.push(scores.numpy())
    assert greedy.best() == []
    assert [one.symbol for one in beam.best()] == [1]


def test_greedy_takes_repeats_and_blanks_out_across_pieces() -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 2, 0]
    scores = torch.nn.functional.one_hot(torch.tensor(path), 3).float().log()
    for cut in range(len(path)):
        greedy = Greedy()
        new = greedy.push(scores[:cut].numpy()) + greedy.push(scores[cut:].numpy())
        assert [(one.symbol, one.step) for one in new] == [(1, 1), (1, 4), (2, 5)]
        assert greedy.best() == new


def test_steps_needed() -> None:
    assert steps_needed([1, 2, 3]) == 3
    assert steps_needed([1, 1, 1]) == 5
    assert steps_needed([]) == 0


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("steps", [10, CHUNK + 50, 3 * CHUNK + 7])
def test_a_recording_in_pieces(both: bool, steps: int) -> None:
    torch.manual_seed(0)
    model = Transcriber(RecurrentConfig(input_size=4, hidden_size=6, bidirectional=both, init=0.5), 5).eval()
    x = torch.randn(steps, 4)
    with torch.no_grad():
        whole = model(x.unsqueeze(1))[:, 0].log_softmax(-1)
        pieces = torch.cat(list(log_probabilities(model, x.split(70))))
    torch.testing.assert_close(
        pieces, whole, atol=1e-5, rtol=1e-4
    )  # a spectral radius of 0.5 forgets the context's end


def test_a_class_of_a_long_recording_is_the_mean_of_its_pieces() -> None:
    torch.manual_seed(0)
    model = Classifier(torch.nn.Identity(), RecurrentConfig(input_size=3, hidden_size=4), 2, readout="mean").eval()
    x = torch.randn(25, 3)
    with torch.no_grad():
        parts = [model(part.unsqueeze(1), torch.tensor([len(part)])).softmax(-1)[0] for part in (x[:10], x[10:])]
        expected = (parts[0] * 10 + parts[1] * 15) / 25
        assert mean_probabilities(model, x.split(4), 10) == pytest.approx(expected.tolist(), abs=1e-6)
        alone = model(x.unsqueeze(1), torch.tensor([25])).softmax(-1)[0]
        assert mean_probabilities(model, x.split(4), 20) == pytest.approx(alone.tolist(), abs=1e-6)
