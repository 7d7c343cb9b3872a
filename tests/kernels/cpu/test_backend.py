"""The fast CPU backend against the reference: every instruction set of this processor, one thread and several."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.numerics import assert_close, assert_equally_accurate, slack
from torch import Tensor

from elman.kernels import Needs, RecurrenceInputs, RecurrenceOptions, reference
from elman.kernels.cpu import backend as cpu
from elman.kernels.options import PLAIN

pytestmark = pytest.mark.skipif(not cpu.available(), reason="the native library is not built here")
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Case:
    """T steps, B sequences, I inputs, H hidden units, and what is asked of the recurrence."""

    T: int
    B: int
    I: int
    H: int
    nonlinearity: str = "tanh"
    reverse: bool = False
    residual: bool = False
    masked: bool = False
    ragged: bool = False
    biased: bool = True
    layout: str = "time"  # what x and grad_h are like in memory: "time" or "batch" first, or "features" outermost

    @property
    def terms(self) -> int:
        """The longest sum: over inputs and hidden units, or over steps and sequences."""
        return max(self.I + self.H, self.T * self.B)


CASES = (
    Case(1, 1, 1, 1),
    Case(7, 3, 5, 17, biased=False),
    Case(3, 1, 1, 8, reverse=True),
    Case(4, 9, 33, 40, "relu", ragged=True, layout="batch"),
    Case(9, 21, 3, 64, residual=True, ragged=True, reverse=True),
    Case(6, 2, 70, 260, masked=True, layout="features"),
    Case(5, 13, 16, 33, "relu", residual=True, masked=True, ragged=True),
    Case(40, 30, 20, 31, masked=True, reverse=True, ragged=True, layout="batch"),
    Case(3, 0, 2, 4),
    Case(6, 9, 12, 24, layout="features"),  # small enough for one product a step
    Case(5, 8, 3, 7, ragged=True, biased=False),
    Case(3, 80, 9, 420),  # too large for a cache, few steps, several chunks
    Case(5, 60, 600, 24),  # sums long enough to be cut, over few panels
    Case(4, 14, 9, 514),  # and over many, or between two threads as few as that
    Case(1, 17, 8, 33),  # one step, whose weights are read where they lie
    Case(1, 3, 70, 40, "relu", reverse=True, biased=False),
    Case(1, 40, 5, 64, residual=True, layout="batch"),
    Case(1, 5, 4, 16, layout="features"),
    Case(1, 24_000, 20, 24),  # with few threads so, with more not
)


@pytest.fixture(params=(1, 2, 5))
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def laid_out(tensor: Tensor, layout: str) -> Tensor:
    order = {"time": (0, 1, 2), "batch": (1, 0, 2), "features": (2, 0, 1)}[layout]
    return tensor.permute(order).contiguous().permute([order.index(i) for i in range(3)])


def arguments(
    case: Case, dtype: torch.dtype, seed: int = 0
) -> tuple[RecurrenceInputs, RecurrenceOptions, Tensor, Tensor]:
    """The inputs and options, grad_h and grad_h_last: the same numbers in float64 as in float32."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(*shape, generator=draw)).to(dtype)

    T, B, I, H = case.T, case.B, case.I, case.H
    inputs = RecurrenceInputs(
        x=laid_out(normal(T, B, I), case.layout),
        h0=normal(B, H),
        w_ih=normal(H, I, scale=0.6 / I**0.5),
        w_hh=normal(H, H, scale=0.6 / H**0.5),
        bias=normal(H) if case.biased else None,
        lengths=torch.randint(0, T + 1, (B,), generator=draw) if case.ragged else None,
        mask=(normal(B, H) > 0).to(dtype) * 2 if case.masked else None,
    )
    options = RecurrenceOptions(case.nonlinearity, case.reverse, case.residual)
    return inputs, options, laid_out(normal(T, B, H), case.layout), normal(B, H)


def both_passes(backend: Any, case: Case, dtype: torch.dtype) -> list[Tensor]:
    inputs, options, grad_h, grad_h_last = arguments(case, dtype)
    h, h_last = backend.forward(inputs, options)
    grads = backend.backward(grad_h, grad_h_last, inputs, h, options, Needs(bias=case.biased))
    return [h, h_last, *(grad for grad in grads if grad is not None)]


@functools.cache
def of_the_reference(case: Case, dtype: torch.dtype) -> list[Tensor]:
    """The same for every instruction set and number of threads."""
    return both_passes(reference, case, dtype)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["f64", "f32"])
def test_agrees_with_the_reference(case: Case, dtype: torch.dtype, isa: str, threads: int) -> None:
    exact, want = (of_the_reference(case, each) for each in (torch.float64, dtype))
    assert_equally_accurate(both_passes(cpu, case, dtype), want, exact, case.terms)


@pytest.mark.parametrize("missing", [0, 1])
def test_an_undefined_gradient_counts_as_zero(missing: int) -> None:
    inputs, options, *grads = arguments(Case(5, 3, 4, 9), torch.float64)
    h, _ = cpu.forward(inputs, options)
    absent = [None if i == missing else grad for i, grad in enumerate(grads)]
    zero = [torch.zeros_like(grad) if i == missing else grad for i, grad in enumerate(grads)]
    for g, w in zip(
        cpu.backward(*absent, inputs, h, options, Needs()),
        cpu.backward(*zero, inputs, h, options, Needs()),
        strict=True,
    ):
        assert g is not None
        assert torch.equal(g, w)


def test_only_the_gradients_asked_for_come_back() -> None:
    inputs, options, grad_h, grad_h_last = arguments(Case(5, 3, 4, 9), torch.float32)
    h, _ = cpu.forward(inputs, options)
    whole = cpu.backward(grad_h, grad_h_last, inputs, h, options, Needs())  # type: ignore[arg-type]
    for i in range(5):
        needs = Needs(*(j == i for j in range(5)))
        got = cpu.backward(grad_h, grad_h_last, inputs, h, options, needs)  # type: ignore[arg-type]
        assert [g is not None for g in got] == list(needs)
        assert torch.equal(got[i], whole[i])  # type: ignore[arg-type]


def test_a_gradient_with_zero_strides_is_read_in_place() -> None:
    inputs, options, grad_h, _ = arguments(Case(6, 5, 4, 20), torch.float64)
    h, _ = cpu.forward(inputs, options)
    one = grad_h[:1, :1, :1]
    spread = cpu.backward(one.expand_as(grad_h), None, inputs, h, options, Needs())  # type: ignore[arg-type]
    whole = cpu.backward(one.expand_as(grad_h).contiguous(), None, inputs, h, options, Needs())  # type: ignore[arg-type]
    assert all(torch.equal(s, w) for s, w in zip(spread, whole, strict=True))  # type: ignore[arg-type]


def test_a_wrong_length_or_dtype_raises() -> None:
    inputs, options, *_ = arguments(Case(4, 2, 3, 5), torch.float32)
    with pytest.raises(ValueError, match="lengths holds 5, x has 4 steps"):
        cpu.forward(inputs._replace(lengths=torch.tensor([5, 1])), options)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="as x has, got"):
        cpu.forward(inputs._replace(h0=inputs.h0.double()), options)  # type: ignore[arg-type, attr-defined]


def test_tanh_is_exact_to_two_ten_millionths(isa: str) -> None:
    x = torch.cat([torch.linspace(-12, 12, 1_000_003), torch.logspace(-37, 0, 10_001)])
    got = cpu.tanh(x)
    true = x.double().tanh()
    assert (got.double() - true).abs().max() <= 2e-7
    assert ((got.double() - true).abs() <= 4e-7 * true.abs()).all()  # and small inputs keep their digits
    wide = cpu.tanh(x.double())
    assert ((wide - true).abs() <= 1e-15 * true.abs()).all()
    special = torch.tensor([float("inf"), -float("inf"), float("nan"), -0.0])
    assert cpu.tanh(special).tolist()[:2] == [1, -1]
    assert cpu.tanh(special)[2].isnan()
    assert str(cpu.tanh(special)[3].item()) == "-0.0"


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_nan_and_infinity_come_through_as_in_torch(nonlinearity: str, isa: str) -> None:
    case = Case(6, 4, 3, 19, nonlinearity)
    inputs, options, grad_h, grad_h_last = arguments(case, torch.float32)
    inputs.x[2, 1, 0], inputs.x[3, 2, 1] = float("nan"), float("inf")
    got, want = cpu.forward(inputs, options), reference.forward(inputs, options)
    assert_close(got, want, terms=6 * case.terms)
    backward = grad_h, grad_h_last, inputs, want[0], options, Needs()
    assert_close(cpu.backward(*backward), reference.backward(*backward), terms=6 * case.terms)


@pytest.mark.parametrize("case", [Case(64, 32, 64, 64), Case(16, 2, 512, 512), Case(300, 1, 32, 32)], ids=str)
def test_is_as_accurate_as_torch(case: Case, threads: int) -> None:
    """Within four times the distance that torch.nn.RNN's own float32 has from float64."""
    torch.manual_seed(3)
    layer = torch.nn.RNN(case.I, case.H)
    x, grad = torch.randn(case.T, case.B, case.I), torch.randn(case.T, case.B, case.H)
    weights = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0]
    exact = both_ways(layer.double(), x.double(), grad.double())
    theirs = both_ways(layer.float(), x, grad)
    w_ih, w_hh, bias = (w.detach() for w in (*weights[:2], layer.bias_ih_l0 + layer.bias_hh_l0))
    inputs = RecurrenceInputs(x, torch.zeros(case.B, case.H), w_ih, w_hh, bias)
    h, _ = cpu.forward(inputs, PLAIN)
    grads = cpu.backward(grad, None, inputs, h, PLAIN, Needs(h0=False))
    ours = [h, *(g for g in grads if g is not None)]
    for mine, their, true in zip(ours, theirs, exact, strict=True):
        distance = (their - true).abs()
        error = (mine - true).abs()
        assert error.max() <= 4 * distance.max() + slack(true, 1, torch.float32)
        assert error.square().mean() <= 16 * distance.square().mean()


def both_ways(layer: torch.nn.RNN, x: Tensor, grad: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    h, _ = layer(x)
    wanted = [x, layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0]
    return [h.detach().double(), *(g.double() for g in torch.autograd.grad(h, wanted, grad))]


@pytest.mark.parametrize("case", [Case(20, 33, 48, 64, ragged=True), Case(9, 2, 200, 256)], ids=str)
def test_the_same_bits_every_time(case: Case, threads: int) -> None:
    first = both_passes(cpu, case, torch.float32)
    for _ in range(5):
        assert all(torch.equal(a, b) for a, b in zip(first, both_passes(cpu, case, torch.float32), strict=True))


def test_two_python_threads_and_a_changing_thread_count() -> None:
    """Calls at once from several threads, with more threads than processors, while the count is changed."""
    case = Case(30, 2, 256, 256)  # small batch, large H: its threads meet at every step
    want = both_passes(reference, case, torch.float64)
    wrong: list[float] = []
    before = torch.get_num_threads()

    def call_often() -> None:
        for i in range(6):
            torch.set_num_threads(1 + i % 4)
            for w, g in zip(want, both_passes(cpu, case, torch.float32), strict=True):
                if (w - g).abs().max() > slack(w, case.T * case.terms, torch.float32):
                    wrong.append((w - g).abs().max().item())

    callers = [threading.Thread(target=call_often) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=120)
    torch.set_num_threads(before)
    assert not any(caller.is_alive() for caller in callers)
    assert not wrong


FORKING = """
import os, sys, torch
from elman.kernels import RecurrenceInputs, RecurrenceOptions
from elman.kernels.cpu import backend as cpu
torch.set_num_threads(2)
x, h0, w = torch.randn(20, 2, 256), torch.zeros(2, 256), torch.randn(256, 256) / 16
args = RecurrenceInputs(x, h0, w, w), RecurrenceOptions()
want, _ = cpu.forward(*args)
child = os.fork()
if child == 0:
    h, _ = cpu.forward(*args)
    os._exit(0 if torch.equal(h, want) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run_python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_works_after_a_fork() -> None:
    done = run_python(FORKING)
    assert done.returncode == 0, done.stderr


FORCED = """
import os, torch
for name in ("avx2", "portable", "sse9"):
    said, child = os.pipe(), os.fork()
    if not child:
        os.environ["ELMAN_ISA"] = name
        try:
            from elman.kernels.cpu import backend as cpu
            os.write(said[1], cpu.isa().encode())
        except Exception as error:
            os.write(said[1], f"refused: {error}".encode())
        os._exit(0)
    os.close(said[1])
    print(os.read(said[0], 4096).decode().splitlines()[0])
"""


@functools.cache
def forced() -> dict[str, str]:
    """What each value of ELMAN_ISA makes of a process, which is forked before the library is loaded."""
    done = run_python(FORCED)
    assert done.returncode == 0, done.stderr
    return dict(zip(("avx2", "portable", "sse9"), done.stdout.splitlines(), strict=True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("name", ["avx2", "portable"])
def test_the_environment_forces_an_instruction_set(name: str) -> None:
    try:
        cpu.set_isa(name)
    except ValueError as error:
        pytest.skip(str(error))
    finally:
        cpu.set_isa("")
    assert forced()[name] == name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot run the instruction set 'sse9'"):
        cpu.set_isa("sse9")
    assert forced()["sse9"].startswith("refused: ")
    assert "ELMAN_ISA is 'sse9', which this processor or this build does not have; choose " in forced()["sse9"]
    assert forced()["sse9"].endswith("portable")


def test_one_openmp_runtime_is_in_the_process() -> None:
    done = run_python(
        "from elman.kernels.cpu import backend as cpu; cpu.available(); print(open('/proc/self/maps').read())"
        if Path("/proc/self/maps").exists()
        else "print('')"
    )
    runtimes = {line.split()[-1] for line in done.stdout.splitlines() if "omp" in line.rsplit("/", 1)[-1]}
    assert len(runtimes) <= 1, runtimes
