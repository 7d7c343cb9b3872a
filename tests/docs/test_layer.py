"""The code in docs/layer.md runs, in the order it stands in, and says what is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

import elman

PAGE = Path(__file__).parents[2] / "docs" / "layer.md"


def test_every_example_runs() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(examples) >= 10
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)


def test_what_it_says_differs_from_torch_differs() -> None:
    rnn = elman.RNN(3, 4)
    assert not isinstance(rnn, torch.nn.RNN)
    assert isinstance(rnn, torch.nn.RNNBase)
    assert isinstance(elman.RNNCell(3, 4), torch.nn.RNNCell)
