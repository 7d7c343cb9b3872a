"""AdamW without torch's compiler: the same numbers, and nothing of the compiler is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from elman.training.optim import AdamW


def parameters(seed: int) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(size, generator=generator)) for size in ((5, 7), (7,), (3, 2, 2))]


def optimizer(kind: type[torch.optim.AdamW], given: list[torch.nn.Parameter], **more: Any) -> torch.optim.AdamW:
    groups = [{"params": given[:1], "weight_decay": 0.1}, {"params": given[1:], "weight_decay": 0.0}]
    return kind(groups, lr=0.01, betas=(0.9, 0.98), **more)


def steps(some: torch.optim.AdamW, given: list[torch.nn.Parameter], count: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for number in range(count):
        some.zero_grad()
        assert all(one.grad is None for one in given)
        for group in some.param_groups:
            group["lr"] = 0.01 / (1 + number)
        for one in given:
            one.grad = torch.randn(one.shape, generator=generator)
        some.step()
    return [one.detach().clone() for one in given]


@pytest.mark.parametrize("more", [{"fused": True}, {"foreach": True}, {"fused": True, "amsgrad": True}])
def test_it_is_torchs_to_the_bit_also_after_it_was_saved(more: dict[str, Any]) -> None:
    found = []
    for kind in (torch.optim.AdamW, AdamW):
        given = parameters(0)
        first = optimizer(kind, given, **more)
        steps(first, given, 5, 1)
        saved = first.state_dict()
        other = parameters(0)
        with torch.no_grad():
            for one, new in zip(given, other, strict=True):
                new.copy_(one)
        second = optimizer(kind, other, **more)
        second.load_state_dict(saved)
        found.append([*steps(first, given, 5, 2), *steps(second, other, 5, 2)])
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_hooks_closures_and_later_parameters() -> None:
    given = parameters(0)
    some, seen = AdamW(given[:2], lr=0.1), list[str]()
    some.add_param_group({"params": given[2:], "lr": 0.2})
    assert [group["lr"] for group in some.param_groups] == [0.1, 0.2]
    some.register_step_pre_hook(lambda *_: seen.append("before"))
    some.register_step_post_hook(lambda *_: seen.append("after"))

    def closure() -> float:
        assert torch.is_grad_enabled()
        loss = sum((one**2).sum() for one in given)
        assert isinstance(loss, Tensor)
        loss.backward()
        return loss.item()

    assert some.step(closure) == pytest.approx(sum((one**2).sum().item() for one in parameters(0)))
    assert seen == ["before", "after"]
    assert torch.is_grad_enabled()


def test_a_training_imports_no_compiler(tmp_path: Path) -> None:
    code = (
        "import sys; from elman.cli.main import main\n"
        f"main(['train', 'parity', '--steps', '2', '--threads', '1', '--out', {str(tmp_path / 'run')!r}])\n"
        "print([name for name in ('torch._dynamo', 'torch._inductor', 'sympy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
