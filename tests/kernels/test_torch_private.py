"""The private names of torch: each is in the installed torch, and none is used elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from elman.kernels import torch_private

SOURCE = Path(__file__).parents[2] / "src" / "elman"
PRIVATE = re.compile(r"torch\._\w+|torch\.\w+\._\w+|forward_ad\._\w+|super\(torch\.autograd\.Function")


@pytest.mark.parametrize("place", torch_private.NAMES.values())
def test_the_installed_torch_has(place: str) -> None:
    assert torch_private.missing({"": place}) == []


@pytest.mark.parametrize("name", torch_private.RNN_BASE)
def test_torchs_layers_have(name: str) -> None:
    assert hasattr(torch.nn.RNN(2, 2), name)


def test_a_missing_name_is_said() -> None:
    with pytest.raises(ImportError, match=r"torch 2\S* lacks torch\._C\._gone, torch\._nowhere\.f, which this version"):
        torch_private.check({"a": "torch._C:_gone", "b": "torch._VF:rnn_tanh", "c": "torch._nowhere:f"})


@pytest.mark.parametrize("folder", ["kernels", "ops", "nn"])
def test_no_other_module_uses_private_names(folder: str) -> None:
    for path in (SOURCE / folder).rglob("*.py"):
        if path.name != "torch_private.py":
            found = PRIVATE.findall(path.read_text(encoding="utf-8"))
            assert not found, f"{path.name} uses {found}"
