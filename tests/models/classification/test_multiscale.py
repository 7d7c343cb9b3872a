"""A series in patches, at several scales; several networks as one."""

import pytest
import torch
from torch import nn

from elman.models.classification.ensemble import EachMember, Ensemble
from elman.models.classification.multiscale import PATCH, MultiScaleClassifier, averaged, patches
from elman.models.classifier import Classifier
from elman.models.config import RecurrentConfig


def test_a_patch_every_stride_around_its_steps() -> None:
    x = torch.arange(1.0, 6.0).reshape(5, 1, 1)
    pieces, counts = patches(x, torch.tensor([5]), 2)
    before = (2 * PATCH - 2) // 2
    padded = torch.cat([torch.zeros(before), torch.arange(1.0, 6.0), torch.zeros(40)])
    assert pieces.shape == (3, 1, 2 * PATCH)
    assert counts.tolist() == [3]
    for number in range(3):
        torch.testing.assert_close(pieces[number, 0], padded[2 * number : 2 * number + 2 * PATCH])


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("readout", ["last", "mean", "max", "mean-max", "attention"])
def test_padding_changes_nothing(cell: str, readout: str) -> None:
    torch.manual_seed(0)
    shape = RecurrentConfig(input_size=2, hidden_size=5, bidirectional=True, cell=cell)
    model = MultiScaleClassifier([0.5, 2.0], shape, 3, [2, 4], readout=readout, head=4).eval()  # type: ignore[arg-type]
    x, lengths = torch.randn(11, 4, 2), torch.tensor([11, 1, 6, 9])
    together = model(x, lengths)
    for column, length in enumerate(lengths.tolist()):
        alone = model(x[:length, column : column + 1], torch.tensor([length]))
        torch.testing.assert_close(together[column], alone[0])


def test_long_strides_are_averaged_first() -> None:
    shape = RecurrentConfig(input_size=1, hidden_size=2)
    model = MultiScaleClassifier([1.0], shape, 2, [24, 48])
    assert (averaged(24, 1), averaged(8, 1), averaged(23, 1), averaged(6, 200)) == (3, 1, 23, 6)
    assert [part.shape.input_size for part in model.recurrent] == [2 * 64, 2 * 128]
    x, lengths = torch.randn(50, 2, 1), torch.tensor([50, 40])
    pieces, counts = model.views(x, lengths)[0]
    assert counts.tolist() == [3, 2]
    middle = (64 - 8) // 2  # the first step of the first stride
    torch.testing.assert_close(pieces[0, 0, middle], x[:3, 0, 0].mean())
    torch.testing.assert_close(model(x[:40, 1:], lengths[1:])[0], model(x, lengths)[1])


def test_it_reads_differences_by_their_usual_size() -> None:
    shape = RecurrentConfig(input_size=1, hidden_size=2)
    x = torch.tensor([1.0, 3.0, 2.0]).reshape(3, 1, 1)
    model = MultiScaleClassifier([4.0], shape, 2, [1])
    pieces, _ = model.views(x, torch.tensor([3]))[0]
    middle = (PATCH - 1) // 2  # a patch holds x first, then its differences
    torch.testing.assert_close(pieces[:, 0, middle], torch.tensor([1.0, 3.0, 2.0]))
    torch.testing.assert_close(pieces[:, 0, PATCH + middle], torch.tensor([0.0, 0.5, -0.25]))


def test_what_is_fixed_is_not_trained() -> None:
    shape = RecurrentConfig(input_size=1, hidden_size=2)
    model = MultiScaleClassifier([1.0], shape, 2, [1, 2], fixed=True)
    trained = {name.partition(".")[0] for name, one in model.named_parameters() if one.requires_grad}
    assert trained == {"output"}


def test_probabilities_of_members_are_averaged() -> None:
    torch.manual_seed(0)
    shape = RecurrentConfig(input_size=2, hidden_size=4)
    model = Ensemble(lambda: Classifier(nn.Identity(), shape, 3), 3).eval()
    x, lengths = torch.randn(6, 2, 2), torch.tensor([6, 4])
    shares = torch.stack([member(x, lengths).softmax(-1) for member in model.members])
    assert not torch.equal(shares[0], shares[1])
    torch.testing.assert_close(model(x, lengths).softmax(-1), shares.mean(0))
    torch.testing.assert_close(EachMember(model)(x, lengths).softmax(-1), shares.transpose(0, 1))
    torch.testing.assert_close(model.prefix_scores(x[:, 0])[-1], model(x, lengths)[0])
