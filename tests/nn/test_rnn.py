"""elman.RNN in the place of torch.nn.RNN: nothing else changes."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

import elman
from tests.numerics import assert_close

SHAPES = [
    dict(zip(("num_layers", "nonlinearity", "bias", "batch_first", "bidirectional"), values, strict=True))
    for values in itertools.product((1, 3), ("tanh", "relu"), (True, False), (True, False), (True, False))
]


def pair(*args: Any, seed: int = 0, **kwargs: Any) -> tuple[torch.nn.RNN, elman.RNN]:
    """torch's layer and ours, made under the same seed."""
    torch.manual_seed(seed)
    theirs = torch.nn.RNN(*args, **kwargs)
    torch.manual_seed(seed)
    return theirs, elman.RNN(*args, **kwargs)


def state(rnn: torch.nn.RNNBase, *batch: int) -> Tensor:
    return torch.randn(rnn.num_layers * (2 if rnn.bidirectional else 1), *batch, rnn.hidden_size, dtype=torch.float64)


@pytest.mark.parametrize("options", SHAPES, ids=lambda options: "-".join(map(str, options.values())))
def test_same_parameters_outputs_and_gradients(options: dict[str, Any]) -> None:
    theirs, ours = pair(3, 4, **options, dtype=torch.float64)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(torch.equal(p, q) for p, q in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert repr(ours) == repr(theirs)
    x = torch.randn(5, 6, 3, dtype=torch.float64)
    one, batch = x[:, 0], 5 if options["batch_first"] else 6
    for args in ((x,), (x, state(ours, batch)), (one,), (one, state(ours))):
        results = []
        for rnn in (theirs, ours):
            leaves = [arg.clone().requires_grad_() for arg in args]
            output, h_n = rnn(*leaves)
            loss = output.sin().sum() + h_n.cos().sum()
            results.append([output, h_n, *torch.autograd.grad(loss, [*leaves, *rnn.parameters()])])
        assert_close(results[1], results[0])


@pytest.mark.parametrize("options", SHAPES[::3], ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("enforce_sorted", [True, False], ids=["sorted", "unsorted"])
def test_packed_sequences(options: dict[str, Any], enforce_sorted: bool) -> None:
    theirs, ours = pair(3, 4, **options, dtype=torch.float64)
    lengths = (5, 5, 2, 1) if enforce_sorted else (2, 5, 1, 5)
    packed = pack_sequence([torch.randn(n, 3, dtype=torch.float64) for n in lengths], enforce_sorted)
    for hx in (None, state(ours, 4)):
        (got, h_got), (want, h_want) = ours(packed, hx), theirs(packed, hx)
        assert isinstance(got, PackedSequence)
        for mine, torchs in zip(got, want, strict=True):
            assert_close(mine, torchs)
        assert_close(h_got, h_want)


def test_state_dict_loads_both_ways() -> None:
    theirs, _ = pair(3, 4, 2, bidirectional=True)
    _, ours = pair(3, 4, 2, bidirectional=True, seed=1)
    x = torch.randn(5, 2, 3)
    assert not torch.allclose(ours(x)[0], theirs(x)[0])
    ours.load_state_dict(theirs.state_dict())
    assert_close(ours(x), theirs(x))
    theirs, _ = pair(3, 4, 2, bidirectional=True, seed=2)
    theirs.load_state_dict(ours.state_dict())
    assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_dropout_between_layers_drops_the_same_under_the_same_seed(batch_first: bool, bidirectional: bool) -> None:
    theirs, ours = pair(3, 16, 3, dropout=0.5, bidirectional=bidirectional, batch_first=batch_first)
    x = torch.randn(5, 2, 3)
    results = []
    for rnn in (theirs, ours):
        torch.manual_seed(3)
        results.append(rnn(x))
    assert_close(results[1], results[0])
    assert not torch.allclose(ours(x)[0], results[1][0])
    assert_close(ours.eval()(x), theirs.eval()(x))


def test_constructor_by_position_and_attributes() -> None:
    theirs, ours = pair(3, 4, 2, "relu", False, True, 0.25, True)
    names = ("mode", "nonlinearity", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout")
    for name in (*names, "bidirectional", "proj_size", "training"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert isinstance(ours, torch.nn.RNNBase)
    assert [[w.shape for w in layer] for layer in ours.all_weights] == [
        [w.shape for w in layer] for layer in theirs.all_weights
    ]
    ours.flatten_parameters()


WRONG_INPUT: list[tuple[dict[str, Any], Any, Any]] = [
    ({}, torch.zeros(3), None),
    ({}, torch.zeros(2, 2, 2, 3), None),
    ({}, torch.zeros(5, 2, 4), None),
    ({"batch_first": True}, torch.zeros(2, 5, 4), None),
    ({}, torch.zeros(5, 4), None),
    ({}, torch.zeros(0, 2, 3), None),
    ({"batch_first": True}, torch.zeros(2, 0, 3), None),
    ({}, torch.zeros(5, 2, 3), torch.zeros(1, 3, 4)),
    ({}, torch.zeros(5, 2, 3), torch.zeros(2, 2, 4)),
    ({}, torch.zeros(5, 2, 3), torch.zeros(1, 2, 5)),
    ({}, torch.zeros(5, 2, 3), torch.zeros(1, 4)),
    ({"batch_first": True, "num_layers": 2}, torch.zeros(2, 5, 3), torch.zeros(2, 5, 4)),
    ({}, torch.zeros(5, 3), torch.zeros(1, 1, 4)),
    ({"bidirectional": True}, torch.zeros(5, 3), torch.zeros(1, 4)),
    ({}, torch.zeros(5, 2, 3).double(), None),
    ({}, torch.zeros(5, 2, 3).long(), None),
    ({}, pack_padded_sequence(torch.zeros(5, 2, 4), torch.tensor([5, 2])), None),
    ({}, pack_padded_sequence(torch.zeros(5, 2, 3).double(), torch.tensor([5, 2])), None),
    ({}, pack_padded_sequence(torch.zeros(5, 2, 3), torch.tensor([5, 2])), torch.zeros(1, 3, 4)),
]


@pytest.mark.parametrize(("options", "x", "hx"), WRONG_INPUT)
def test_wrong_input_raises_what_torch_raises(options: dict[str, Any], x: Any, hx: Any) -> None:
    theirs, ours = pair(3, 4, **options)
    with pytest.raises(Exception) as want:  # noqa: PT011  # whatever torch raises is the measure
        theirs(x, hx)
    with pytest.raises(want.type) as got:
        ours(x, hx)
    assert str(got.value) == str(want.value)


@pytest.mark.skipif(torch.__version__ < (2, 11), reason="errors are those of torch 2.11 and later")  # type: ignore[operator]
@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 0},
        {"input_size": 0},
        {"input_size": 2.5},
        {"num_layers": 0},
        {"bias": 1},
        {"batch_first": "yes"},
        {"dropout": 1.5},
    ],
    ids=str,
)
def test_wrong_construction_raises_what_torch_raises(options: dict[str, Any]) -> None:
    options = {"input_size": 3, "hidden_size": 4} | options
    with pytest.raises((ValueError, TypeError)) as want:
        torch.nn.RNN(**options)
    with pytest.raises(want.type) as got:
        elman.RNN(**options)
    assert str(got.value) == str(want.value)


def test_no_sequences() -> None:
    theirs, ours = pair(3, 4, 2, bidirectional=True)
    for rnn in (theirs, ours):
        output, h_n = rnn(torch.zeros(5, 0, 3))
        assert (output.shape, h_n.shape) == ((5, 0, 8), (4, 0, 4))
        output.sum().backward()
        assert all(not p.grad.any() for p in rnn.parameters())


def test_copies_and_pickles() -> None:
    _, ours = pair(3, 4, 2, bidirectional=True)
    ours.num_batches_seen = 3  # what the user hangs on a module goes along
    x = torch.randn(5, 2, 3)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), copy.copy(ours)):
        assert torch.equal(twin(x)[0], ours(x)[0])
        assert twin.num_batches_seen == 3
    twin = copy.deepcopy(ours)
    with torch.no_grad():
        twin.weight_hh_l0.zero_()
    assert not torch.equal(twin(x)[0], ours(x)[0])


def test_moves_between_dtypes() -> None:
    _, ours = pair(3, 4)
    assert ours.double()(torch.randn(5, 2, 3).double())[0].dtype == torch.float64
    assert ours.bfloat16()(torch.randn(5, 2, 3).bfloat16())[0].dtype == torch.bfloat16


def test_replaced_weights_are_used() -> None:
    """By functional_call, by assignment, by pruning and by a parametrisation."""
    theirs, ours = pair(3, 4)
    x = torch.randn(5, 2, 3)
    new = {name: torch.randn_like(value).double() for name, value in ours.named_parameters()}
    got = torch.func.functional_call(ours, new, (x.double(),))
    assert_close(got, torch.func.functional_call(theirs, new, (x.double(),)))
    weight = torch.nn.Parameter(torch.randn(4, 4))
    for rnn in (theirs, ours):
        rnn.weight_hh_l0 = weight
        prune.l1_unstructured(rnn, "weight_ih_l0", amount=0.5)
    assert_close(ours(x), theirs(x))
    prune.remove(ours, "weight_ih_l0")
    parametrizations.orthogonal(ours, "weight_hh_l0")
    output, _ = ours(x)
    output.sum().backward()
    assert ours.parametrizations.weight_hh_l0.original.grad.any()  # type: ignore[union-attr, operator]


def test_autocast_gives_torchs_dtypes() -> None:
    theirs, ours = pair(3, 4, 2, bidirectional=True)
    with torch.autocast("cpu", torch.bfloat16):
        for x in (torch.randn(5, 2, 3), torch.randn(5, 2, 3).bfloat16()):
            for hx in (None, torch.randn(4, 2, 4)):
                got, want = ours(x, hx), theirs(x, hx)
                assert [t.dtype for t in got] == [t.dtype for t in want]
                assert_close(got, want, terms=7, dtype=torch.bfloat16)


def test_compiles_whole() -> None:
    torch.compiler.reset()
    _, ours = pair(3, 4, 2, bidirectional=True)
    compiled = torch.compile(ours, fullgraph=True, dynamic=True, backend="aot_eager")
    for shape in ((5, 2, 3), (7, 3, 3)):
        x, lengths = torch.randn(shape), torch.randint(0, 5, shape[1:2])
        results = []
        for rnn in (ours, compiled):
            output, h_n = rnn(x, lengths=lengths)
            results.append([output, h_n, *torch.autograd.grad(output.sum(), list(ours.parameters()))])
        assert_close(results[1], results[0])


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, when it first loads its compiler
def test_compiles_with_the_default_backend() -> None:
    torch.compiler.reset()
    _, ours = pair(3, 4, batch_first=True)
    x = torch.randn(2, 5, 3)
    assert_close(torch.compile(ours, fullgraph=True)(x), ours(x))


@pytest.mark.parametrize("strict", [True, False])
def test_exports_with_sizes_that_vary(strict: bool) -> None:
    _, ours = pair(3, 4, 2, bidirectional=True)
    sizes = ({0: torch.export.Dim("T", min=1), 1: torch.export.Dim("B", min=1)},)
    program = torch.export.export(ours, (torch.randn(5, 2, 3),), dynamic_shapes=sizes, strict=strict)
    assert sum(node.target is torch.ops.elman.recurrence.default for node in program.graph.nodes) == 4
    for shape in ((5, 2, 3), (8, 1, 3)):
        x = torch.randn(shape)
        assert_close(program.module()(x), ours(x))


def test_gradients_of_each_sample() -> None:
    _, ours = pair(3, 4, 2, bidirectional=True)
    parameters, xs = dict(ours.named_parameters()), torch.randn(6, 5, 3)

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(ours, parameters, (x,))[0].square().sum()  # type: ignore[no-any-return]

    got = torch.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, xs)
    for i, x in enumerate(xs):
        want = torch.autograd.grad(loss(parameters, x), list(parameters.values()))
        assert_close([grad[i] for grad in got.values()], list(want))
