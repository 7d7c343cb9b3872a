"""The readouts, against their definitions worked out one sequence at a time."""

import pytest
import torch
from torch import Tensor, nn

from elman.models.classifier import Classifier, Readout
from elman.models.config import RecurrentConfig

READOUTS: tuple[Readout, ...] = ("last", "mean", "sum", "max", "mean-max", "attention")


def classifier(readout: Readout, *, bidirectional: bool = False) -> Classifier:
    torch.manual_seed(0)
    shape = RecurrentConfig(input_size=3, hidden_size=5, bidirectional=bidirectional)
    return Classifier(nn.Identity(), shape, 2, readout=readout).eval()


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(7, 4, 3), torch.tensor([7, 1, 4, 6])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("readout", READOUTS)
def test_padding_changes_nothing(readout: Readout, bidirectional: bool) -> None:
    model = classifier(readout, bidirectional=bidirectional)
    x, lengths = batch()
    together = model(x, lengths)
    for column, length in enumerate(lengths.tolist()):
        alone = model(x[:length, column : column + 1], torch.tensor([length]))
        torch.testing.assert_close(together[column], alone[0])


@pytest.mark.parametrize("readout", READOUTS)
def test_every_step_answers_as_if_the_sequence_ended_there(readout: Readout) -> None:
    model = classifier(readout)
    x, lengths = batch()
    running = model(x, lengths, every_step=True)
    for column, length in enumerate(lengths.tolist()):
        for step in range(1, length + 1):
            prefix = model(x[:step, column : column + 1], torch.tensor([step]))
            torch.testing.assert_close(running[step - 1, column], prefix[0])


def test_readouts_by_their_definitions() -> None:
    x, lengths = batch()
    for readout in READOUTS:
        model = classifier(readout)
        states, last = model.recurrent(x, (), lengths)
        read = model.read(states, last[0], lengths)
        for column, length in enumerate(lengths.tolist()):
            own = states[:length, column]
            expected = {"last": own[-1], "mean": own.mean(0), "sum": own.sum(0), "max": own.amax(0)}
            expected["mean-max"] = torch.cat([own.mean(0), own.amax(0)])
            if model.attention is not None:
                expected["attention"] = (model.attention(own).softmax(0) * own).sum(0)
            torch.testing.assert_close(read[column], expected[readout])


def test_two_directions_have_no_running_answer() -> None:
    x, lengths = batch()
    with pytest.raises(ValueError, match="backwards"):
        classifier("last", bidirectional=True)(x, lengths, every_step=True)


@pytest.mark.parametrize("small_init", [False, True])
def test_a_head_is_a_relu_layer_between_the_states_and_the_answer(small_init: bool) -> None:
    torch.manual_seed(0)
    shape = RecurrentConfig(input_size=2, hidden_size=5)
    model = Classifier(nn.Identity(), shape, 3, head=7, small_init=small_init)
    x, lengths = torch.randn(4, 2, 2), torch.tensor([4, 2])
    _, last = model.recurrent(x, (), lengths)
    assert isinstance(model.head, nn.Sequential)
    read = last[0][0] * (50 if small_init else 1)
    torch.testing.assert_close(model(x, lengths), model.output(torch.relu(model.head[1](read))))


def test_a_fixed_network_trains_only_what_reads_the_states() -> None:
    model = Classifier(nn.Linear(2, 2), RecurrentConfig(input_size=2, hidden_size=5), 3, head=7, fixed=True)
    model(torch.randn(4, 2, 2), torch.tensor([4, 2])).sum().backward()
    moved = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert moved == {"head.1.weight", "head.1.bias", "output.weight", "output.bias"}
