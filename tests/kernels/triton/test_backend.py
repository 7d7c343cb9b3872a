"""The Triton backend, interpreted on the CPU, against the reference: arithmetic and masks, not speed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton is not installed: pip install triton")
ROOT = Path(__file__).parents[3]
CANNOT_LOOP = tuple(int(part) for part in version("triton").split(".")[:2]) <= (3, 6)
"""Its interpreter makes a number of an array of one element, which numpy has deprecated and then forbidden."""


@pytest.mark.skipif(CANNOT_LOOP, reason="the interpreter of triton 3.6 and before loops over no loaded length")
@pytest.mark.parametrize("checks", ["gpu_checks", "element_checks", "general_checks"])
def test_agrees_with_the_reference_when_interpreted(checks: str) -> None:
    """In a process of its own: Triton reads the variable when it is imported."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"tests.kernels.triton.{checks}"],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("checked "), done.stdout
