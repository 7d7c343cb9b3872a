"""A forked child, which has none of its parent's threads, computes all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORKED = """
import os, torch
torch.set_num_threads(2)
x = torch.randn(512, 512)
(x @ x).sum()  # starts torch's threads
import elman
layer = elman.RNN(8, 64)
inputs = torch.randn(20, 8, 8)
if {first}:
    layer(inputs)  # loads the native library
child = os.fork()
if not child:
    output = layer(inputs)[0]
    output.sum().backward()
    (x @ x).sum()
    os._exit(0 if torch.get_num_threads() == 1 and bool(output.isfinite().all()) else 1)
assert os.waitpid(child, 0)[1] == 0
assert torch.get_num_threads() == 2
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("first", [True, False])
def test_a_forked_child_does_not_hang(first: bool) -> None:
    done = subprocess.run([sys.executable, "-c", FORKED.format(first=first)], timeout=120, check=False)
    assert done.returncode == 0
