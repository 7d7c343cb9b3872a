"""A step by the builtin function is the step by `step_layers`, and what the function does not take takes that way."""

from __future__ import annotations

import copy
import io
import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import prune
from torch.utils._python_dispatch import TorchDispatchMode

import elman
from elman.kernels.cpu import backend as cpu
from elman.kernels.cpu import builtin
from elman.kernels.cpu.builtin import step_function
from elman.kernels.selection import select_step
from elman.nn import streaming
from tests.nn.test_lazy_tensors import negated

pytestmark = pytest.mark.skipif(
    not cpu.available() or step_function("tanh", False) is None,
    reason="this interpreter, torch or build has no such function",
)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each call of the function, from now on, took its step."""
    answers: list[bool] = []

    def select(nonlinearity: str, residual: bool) -> Callable[..., Any] | None:
        function = select_step(nonlinearity, residual)
        if function is None:
            return None

        def call(*given: Any) -> Any:
            done = function(*given)
            answers.append(done is not None)
            return done

        return call

    monkeypatch.setattr(streaming, "select_step", select)
    return answers


def other_way(rnn: elman.RNN, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    return streaming.take_step(rnn, x, state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 3}, {"bias": False, "nonlinearity": "relu"}, {"residual": True}], ids=str
)
def test_bit_for_bit(taken: list[bool], options: dict[str, Any], dtype: torch.dtype) -> None:
    for I, H, S in ((3, 5, 4), (16, 33, 1), (300, 600, 2), (7, 1, 1)):
        rnn = elman.RNN(I, H, dtype=dtype, **options)
        x, state = torch.randn(S, I, dtype=dtype), torch.randn(rnn.num_layers, S, H, dtype=dtype)
        for given in (state, None):
            for got, want in zip(rnn.step(x, given), other_way(rnn, x, given), strict=True):
                assert torch.equal(got, want)
                assert (got.shape, got.stride(), got.dtype) == (want.shape, want.stride(), want.dtype)
    assert all(taken)
    assert len(taken) == 8


def subclass(tensor: Tensor) -> Tensor:
    class Own(Tensor):
        pass

    return tensor.as_subclass(Own)


def contiguous_negated(tensor: Tensor) -> Tensor:
    made = torch._neg_view(-tensor)
    assert made.is_contiguous()
    return made


REFUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "negated": contiguous_negated,
    "negated, with gaps": lambda tensor: negated(*tensor.shape),
    "zeros": lambda tensor: torch._efficientzerotensor(tensor.shape),
    "a view of zeros": lambda tensor: torch._efficientzerotensor((2, *tensor.shape))[1],
    "a subclass": subclass,
    "not contiguous": lambda tensor: torch.stack((tensor, tensor), -1)[..., 0],
    "expanded": lambda tensor: tensor[..., :1].expand(tensor.shape),
}


@pytest.mark.parametrize("place", ["x", "state", "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_other_rules_takes_the_other_way(taken: list[bool], kind: str, place: str) -> None:
    torch.manual_seed(0)
    rnn, given = elman.RNN(3, 5), {"x": torch.randn(4, 3), "state": torch.randn(1, 4, 5)}
    if place in given:
        given[place] = REFUSED[kind](given[place])
    else:
        rnn._parameters[place] = REFUSED[kind](rnn._parameters[place].detach())  # type: ignore
    got = rnn.step(**given)
    assert taken == [False]
    weights = [weight + 0 for weight in rnn._parameters.values() if weight is not None]
    h = torch.tanh(given["x"] @ weights[0].t() + given["state"][0] @ weights[1].t() + weights[2] + weights[3])
    assert torch.allclose(got[0], h, atol=1e-6)
    assert torch.equal(got[0], got[1][0])


def test_a_negated_parameter_is_seen(taken: list[bool]) -> None:
    rnn, x = elman.RNN(3, 5), torch.randn(4, 3)
    want = rnn.step(x)[0]
    rnn.weight_ih_l0.data = contiguous_negated(rnn.weight_ih_l0.data)
    assert torch.allclose(rnn.step(x)[0], want, atol=1e-6)
    assert taken == [True, False]


UNFIT: dict[str, Callable[[], Any]] = {
    "sparse": lambda: torch.zeros(4, 3).to_sparse(),
    "mkldnn": lambda: torch.zeros(4, 3).to_mkldnn(),
    "nested": lambda: torch.nested.nested_tensor([torch.zeros(3)] * 4),
    "quantised": lambda: torch.quantize_per_tensor(torch.zeros(4, 3), 1.0, 0, torch.qint8),
    "complex": lambda: torch.zeros(4, 3, dtype=torch.complex64),
    "whole": lambda: torch.zeros(4, 3, dtype=torch.int32),
    "half": lambda: torch.zeros(4, 3, dtype=torch.float16),
    "meta": lambda: torch.zeros(4, 3, device="meta"),
    "one dimension": lambda: torch.zeros(3),
    "too narrow": lambda: torch.zeros(4, 2),
    "none": lambda: None,
    "a word": lambda: "x",
    "a list": lambda: [[0.0] * 3] * 4,
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", UNFIT)
def test_what_does_not_fit_raises_what_it_did(taken: list[bool], kind: str) -> None:
    rnn, x, errors = elman.RNN(3, 5), UNFIT[kind](), []
    for step in (rnn.step, lambda x, state: other_way(rnn, x, state)):
        with pytest.raises(Exception) as raised:  # noqa: PT011
            step(x, torch.zeros(1, 4, 5))
        errors.append((raised.type, str(raised.value)))
    assert errors[0] == errors[1]
    assert errors[0][0] is not SystemError
    assert taken == [False]


@pytest.mark.parametrize("given", [(), (1,), (None,) * 5, (torch.zeros(1, 3), None, {}, [["a"]], 5)])
def test_no_arguments_break_the_function(given: tuple[Any, ...]) -> None:
    function = step_function("tanh", False)
    assert function is not None
    assert function(*given) is None


def test_names_that_are_none() -> None:
    function, rnn = step_function("tanh", False), elman.RNN(3, 5)
    assert function is not None
    x, parameters, names = torch.zeros(1, 3), rnn._parameters, rnn._all_weights
    assert function(x, None, parameters, names, 5) is not None
    for wrong in ([], [[]], [["weight_ih_l0"]], [names[0][:3]], ["abcd"], None, [[1, 2]], names * 2, names * 100):
        assert function(x, None, parameters, wrong, 5) is None  # type: ignore[arg-type]
    for size in ("5", 5.0, -5, 2**80, 0, 6):
        assert function(x, None, parameters, names, size) is None  # type: ignore[arg-type]
    assert function(x, None, {**parameters, "weight_ih_l0": None}, names, 5) is None
    assert function(x, None, [], names, 5) is None  # type: ignore[arg-type]


class Counting(TorchDispatchMode):
    seen = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of what is slower
def test_modes_transforms_hooks_and_modules_are_not_passed_by(taken: list[bool]) -> None:
    rnn, x = elman.RNN(3, 5), torch.randn(4, 3)
    with Counting() as mode:
        rnn.step(x)
    assert mode.seen
    torch.vmap(lambda x: rnn.step(x)[0])(x.unsqueeze(0))
    with torch.autograd.forward_ad.dual_level():
        rnn.step(x)
    handle = rnn.register_forward_hook(lambda *_: None)
    rnn.step(x)
    handle.remove()
    handle = rnn.register_forward_pre_hook(lambda *_: None)
    rnn.step(x)
    handle.remove()
    pruned = prune.random_unstructured(elman.RNN(3, 5), "weight_hh_l0", 0.5)
    prune.remove(pruned, "weight_hh_l0")
    torch.nn.utils.parametrizations.weight_norm(elman.RNN(3, 5), "weight_hh_l0").step(x)
    elman.RNN(3, 5, leak=0.5).step(x)
    elman.RNN(3, 5, layer_norm=True).step(x)
    elman.RNN(3, 5, nonlinearity="sigmoid").step(x)
    elman.RNN(3, 5, nonlinearity=torch.sin).step(x)
    elman.RNN(3, 5, learned_h0=True).step(x)
    assert taken == []
    rnn.step(x)
    pruned.step(x)
    assert taken == [True, True]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_trace_has_operations(taken: list[bool]) -> None:
    rnn, x = elman.RNN(3, 5).requires_grad_(False), torch.randn(4, 3)
    traced = torch.jit.trace(lambda x: rnn.step(x)[0], x, check_trace=False)
    assert taken == []
    assert torch.allclose(traced(2 * x), rnn.step(2 * x)[0])


def test_another_backend_is_asked(taken: list[bool], backend: str) -> None:
    elman.RNN(3, 5).step(torch.randn(4, 3))
    assert taken == ([True] if backend.startswith("cpu") else [])


def test_outputs_are_tensors_as_any_other(taken: list[bool]) -> None:
    rnn, x = elman.RNN(3, 5, 2), torch.randn(4, 3, requires_grad=True)
    output, state = rnn.step(x)
    for made in (output, state):
        assert type(made) is Tensor
        assert made.is_leaf
        assert not made.requires_grad
        assert made.grad_fn is None
        assert made._base is None
        assert not made.is_inference()
        assert made.device == x.device
        assert made.untyped_storage().nbytes() == made.numel() * 4
        assert torch.equal(pickle.loads(pickle.dumps(made)), made)
        assert torch.equal(copy.deepcopy(made), made)
        file = io.BytesIO()
        torch.save(made, file)
    kept = state.clone()
    assert output.untyped_storage().data_ptr() != state.untyped_storage().data_ptr()
    output.zero_()
    output.resize_(100, 100).fill_(1)
    assert torch.equal(state, kept)
    state.untyped_storage().resize_(0)
    state.data = torch.zeros(2)
    with torch.inference_mode():
        assert rnn.step(x)[0].is_inference()
    made = rnn.step(x)[0].requires_grad_()
    made.sum().backward()
    assert made.grad is not None
    rnn.step(x)[1].share_memory_()
    assert taken == [True] * 4


def test_defaults_do_not_matter(taken: list[bool]) -> None:
    rnn, x = elman.RNN(3, 5), torch.randn(4, 3)
    want = rnn.step(x)[0]
    with torch.device("meta"):
        assert torch.equal(rnn.step(x)[0], want)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(rnn.step(x)[0], want)
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(taken)
    assert len(taken) == 3


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_nothing_leaks() -> None:
    rnn, x, state = elman.RNN(3, 50), torch.randn(4, 3), torch.zeros(1, 4, 50)
    wrong = torch.randn(4, 3).to_sparse()
    function = select_step("tanh", False)
    assert function is not None
    kept: list[Any] = [x, state, wrong, None, rnn._parameters, rnn._all_weights, *rnn.parameters(), function]

    def counts() -> list[int]:
        return [sys.getrefcount(one) for one in kept if one is not None]

    def steps(n: int) -> None:
        given = state
        for number in range(n):
            _, given = rnn.step(x, given)
            if number % 100 == 0:  # an exception of torch's on the way
                assert function(wrong, None, rnn._parameters, rnn._all_weights, 50) is None

    steps(1000)
    before, nones = counts(), sys.getrefcount(None)
    memory = resident() if os.path.exists("/proc/self/statm") else 0
    steps(100_000)
    assert counts() == before
    assert abs(sys.getrefcount(None) - nones) < 1000
    if memory:
        assert resident() - memory < 4 << 20


@pytest.mark.parametrize("H", [5, 600])
def test_threads_that_change_weights_meanwhile(taken: list[bool], H: int) -> None:
    """Each step is by the one weight or the other; 600 units make a step that lets the others run."""
    rnn, x = elman.RNN(3, H), torch.randn(4, 3)
    values = [torch.full((H, 3), 0.1), torch.full((H, 3), -0.1)]
    wanted = []
    for value in values:
        rnn.weight_ih_l0 = torch.nn.Parameter(value)
        wanted.append(rnn.step(x)[0])
    parameters = [rnn.weight_ih_l0, torch.nn.Parameter(values[0])]
    wrong: list[Tensor] = []
    done = threading.Event()

    def steps() -> None:
        for _ in range(300):
            got = rnn.step(x)[0]
            if not any(torch.equal(got, want) for want in wanted):
                wrong.append(got)

    def change() -> None:
        while not done.is_set():
            for parameter in parameters:
                rnn.weight_ih_l0 = parameter

    threads = [threading.Thread(target=steps) for _ in range(3)]
    changing = threading.Thread(target=change)
    for thread in (*threads, changing):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    changing.join()
    assert not wrong
    assert all(taken)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_steps() -> None:
    rnn, x = elman.RNN(3, 600), torch.randn(4, 3)
    want = rnn.step(x)[0]
    child = os.fork()
    if not child:
        os._exit(0 if torch.equal(rnn.step(x)[0], want) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_it_is_gone_where_something_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    builtin._api.cache_clear()
    try:
        monkeypatch.setattr(builtin, "native_interface", lambda: None)
        assert step_function("tanh", False) is None
    finally:
        builtin._api.cache_clear()
