"""The language model: state carried, weights tied, text written."""

import itertools
from typing import Any

import pytest
import torch

import elman
from elman.kernels.decoder import SamplingParams
from elman.models.config import RecurrentConfig
from elman.models.decoding.sampling import generate
from elman.models.language_model import LanguageModel
from elman.models.losses import token_loss
from elman.models.recurrent import cut


def language_model(cell: str = "rnn", *, tied: bool = False) -> LanguageModel:
    torch.manual_seed(0)
    shape = RecurrentConfig(input_size=12, hidden_size=12, layers=2, cell=cell)
    return LanguageModel(7, shape, tied=tied).eval()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_carried_state_is_as_good_as_the_whole_text(cell: str) -> None:
    model = language_model(cell)
    tokens = torch.randint(7, (20, 3))
    whole, _ = model(tokens)
    first, state = model(tokens[:11])
    second, _ = model(tokens[11:], cut(state))
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_tied_weights_are_one_parameter() -> None:
    model = language_model(tied=True)
    assert model.decoder.weight is model.embedding.weight
    with pytest.raises(ValueError, match="12"):
        LanguageModel(7, RecurrentConfig(input_size=12, hidden_size=13), tied=True)


def test_loss_counts_what_counts() -> None:
    logits = torch.randn(4, 2, 7)
    targets = torch.randint(7, (4, 2))
    targets[3, 1] = -100
    total, count = token_loss(logits, targets)
    expected = -logits.log_softmax(-1).gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    expected[3, 1] = 0
    assert count == 7
    torch.testing.assert_close(total, expected.sum())


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_greedy_writing_is_what_the_whole_text_says(cell: str) -> None:
    model = language_model(cell)
    prompt = torch.tensor([1, 4, 2])
    written = [int(token) for token in generate(model, prompt, 15, SamplingParams(temperature=0))]
    tokens = prompt.tolist()
    for token in written:
        logits, _ = model(torch.tensor(tokens).unsqueeze(1))
        assert token == int(logits[-1, 0].argmax())
        tokens.append(token)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_samples_side_by_side_differ_and_the_seed_repeats_them(cell: str) -> None:
    model = language_model(cell)
    prompt = torch.tensor([1])
    texts = [
        torch.stack(list(generate(model, prompt, 30, SamplingParams(seed=5), samples=3))).T.tolist() for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert all(left != right for left, right in itertools.pairwise(texts[0]))


@pytest.mark.parametrize("options", [{"leak": 0.5, "form": "current"}, {"nonlinearity": "softplus"}], ids=str)
def test_a_layer_that_is_not_packed_writes_step_by_step(options: dict[str, Any]) -> None:
    model = language_model()
    size = model.recurrent.layer.input_size, model.recurrent.layer.hidden_size
    model.recurrent.layer = elman.RNN(*size, **options).eval()
    prompt = torch.tensor([1, 2, 3])
    written = [int(token) for token in generate(model, prompt, 8, SamplingParams(temperature=0))]
    whole = torch.cat([prompt, torch.tensor(written)])
    logits, _ = model(whole.unsqueeze(1))
    assert logits[2:-1, 0].argmax(-1).tolist() == written
