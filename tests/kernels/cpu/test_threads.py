"""How many threads do the work follows from the machine; what they compute does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

import elman
from elman.kernels.cpu.library import available, limit_threads, processors
from elman.nn.parametrizations import Mask, constrain

pytestmark = pytest.mark.skipif(not available(), reason="the native library is not built")


@pytest.fixture
def four_threads() -> Iterator[None]:
    """The work cut for four threads, and no limit left behind."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)
    limit_threads(0)


@pytest.mark.parametrize(
    ("B", "H", "options"),
    [(1, 700, {}), (3, 300, {"bidirectional": True}), (9, 40, {"num_layers": 2}), (64, 130, {}), (2, 512, {})],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_the_same_bits_by_however_few_threads(
    four_threads: None, B: int, H: int, options: dict[str, object], ragged: bool
) -> None:
    torch.manual_seed(1)
    rnn = elman.RNN(20, H, **options)  # type: ignore[arg-type]
    x = torch.randn(13, B, 20, requires_grad=True)
    lengths = torch.randint(0, 14, (B,)) if ragged else None
    results = []
    for most in (4, 3, 2, 1):
        limit_threads(most)
        output, last = rnn(x, lengths=lengths)
        grads = torch.autograd.grad(output.square().sum() + last.sum(), [x, *rnn.parameters()])
        results.append([output, last, *grads])
    for fewer in results[1:]:
        for one, other in zip(results[0], fewer, strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("T", [258, 276])
@pytest.mark.parametrize("leak", [None, 0.5])
def test_the_same_gradient_of_x_where_the_first_steps_are_few(four_threads: None, T: int, leak: float | None) -> None:
    """Chunks of 256 steps leave 2 and 20 rows, of which four members would have less than a tile each."""
    torch.manual_seed(1)
    rnn = elman.RNN(64, 520, leak=leak)
    x = torch.randn(T, 1, 64, requires_grad=True)
    results = []
    for most in (4, 2, 1):
        limit_threads(most)
        results.append(torch.autograd.grad(rnn(x)[0].square().sum(), x)[0])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("B", [40, 140])
def test_the_same_bits_of_few_connections(four_threads: None, B: int) -> None:
    torch.manual_seed(1)
    mask = (torch.rand(320, 320) < 0.1) | torch.eye(320, dtype=torch.bool)
    rnn = constrain(elman.RNN(5, 320, leak=0.5), Mask(mask))
    x = torch.randn(7, B, 5, requires_grad=True)
    results = []
    for most in (4, 1):
        limit_threads(most)
        output, _ = rnn(x)
        results.append([output, *torch.autograd.grad(output.square().sum(), [x, *rnn.parameters()])])
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_a_limit_is_a_number_of_threads() -> None:
    with pytest.raises(ValueError, match="must be 0"):
        limit_threads(-1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_is_a_limit_and_info_says_so() -> None:
    assert 1 <= processors() <= len(os.sched_getaffinity(0))
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "import torch; torch.set_num_threads(3)\n"
        "from elman.kernels.cpu.library import processors; assert processors() == 1\n"
        "from elman.cli.info import info; info()\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert "3 threads, of which the layer uses 1" in said.stdout


def test_a_crowded_machine_gets_one_thread_and_the_same_bits() -> None:
    """Two threads on one processor wait for each other, whatever a call asks for."""
    program = (
        "import os, torch, elman\n"
        "torch.manual_seed(1); torch.set_num_threads(2)\n"
        "rnn, x = elman.RNN(16, 256), torch.randn(64, 1, 16)\n"
        "with torch.no_grad(): first = rnn(x)[0]\n"
        "for _ in range(200):\n"
        "    with torch.no_grad(): assert torch.equal(rnn(x)[0], first)\n"
    )
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    finally:
        hog.kill()
        hog.wait()
