"""What Python packs of a general recurrence is what the native library reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from elman.kernels.cpu import backend as cpu
from elman.kernels.cpu import general
from elman.kernels.cpu import library as native
from elman.kernels.general.noise import normal
from elman.kernels.general.options import GeneralInputs, GeneralNeeds, GeneralOptions
from tests.general_cases import GeneralCase
from tests.numerics import assert_close

pytestmark = pytest.mark.skipif(not cpu.available(), reason="the native library is not built here")
FULL = GeneralCase(4, 3, 2, 5, "sigmoid", "current", leak=True, noise=True, reset=True, restart=True, masked=True)


def words(packed: bytes, offset: int, width: int) -> tuple[int, ...]:
    return tuple(memoryview(packed)[offset : offset + width].cast("q"))


def test_a_call_is_packed_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    layout, plain = native.layout()["elman_general_call"], native.layout()["elman_call"]
    calls: list[bytes] = []
    for name in ("elman_general_forward", "elman_general_backward"):
        function: Callable[[bytes, int], int] = getattr(cpu.library(), name)

        def recorded(packed: bytes, count: int, function: Callable[[bytes, int], int] = function) -> int:
            calls.append(packed)
            return function(packed, count)

        monkeypatch.setattr(cpu.library(), name, recorded)
    one = FULL.inputs()
    inputs = GeneralInputs(*(None if t is None else t.unsqueeze(0) for t in one))  # type: ignore[arg-type]
    h, last, extra = general.forward_many(inputs, FULL.options)
    assert extra is not None
    grads = general.backward_many(torch.ones_like(h), None, inputs, h, extra, FULL.options, GeneralNeeds())
    forward, backward = calls
    assert len(forward) == len(backward) == layout[""][1]
    assert layout["call"] == (0, plain[""][1])
    at = {"x": one.x, "h0": one.h0, "w_ih": one.w_ih, "w_hh": one.w_hh, "bias": one.bias, "mask": one.mask, "h": h}
    own = {"leak": one.leak, "noise": one.noise, "restart": one.restart, "reset": one.reset, "extra": extra}
    for packed in calls:
        for fields, tensors in ((plain, at), (layout, own)):
            got = {name: words(packed, *fields[name]) for name in tensors}
            assert got == {name: (tensor.data_ptr(),) for name, tensor in tensors.items()}  # type: ignore[union-attr]
        assert words(packed, *layout["current"]) == (1,)
        assert words(packed, *layout["rank"]) == words(packed, *layout["w_in"]) == (0,)
        assert [*words(packed, *layout["seed"]), *words(packed, *layout["stream"])] == inputs.seed[0].tolist()  # type: ignore[index]
        assert words(packed, *layout["extra_stride"]) == extra.stride()[1:3]
        assert words(packed, *layout["reset_stride"]) == one.reset.stride()  # type: ignore[union-attr]
    assert words(forward, *plain["h_last"]) == (last.data_ptr(),)
    for name in ("leak", "noise", "restart"):
        assert words(backward, *layout[f"grad_{name}"]) == (getattr(grads, name).data_ptr(),)
    assert words(backward, *plain["grad_w_hh"]) == (grads.w_hh.data_ptr(),)  # type: ignore[union-attr]


def test_the_librarys_noise_is_the_references(isa: str) -> None:
    want = normal(2**62 + 99, 7, 5, 3, 150)
    got = general.normal(2**62 + 99, 7, 5, 3, 150)
    assert_close(got, want.float(), terms=20)


def test_gradients_of_a_sequence_without_steps_are_zero() -> None:
    inputs = GeneralCase(3, 2, 2, 3, leak=True, noise=True, reset=True, restart=True, lengths=(0, 0)).inputs()
    h, _, extra = general.forward(inputs, GeneralOptions())
    found = general.backward(torch.ones_like(h), None, inputs, h, extra, GeneralOptions(), GeneralNeeds())
    assert not any(gradient.any() for gradient in found if gradient is not None)


def test_what_the_library_refuses_is_said() -> None:
    inputs = GeneralCase(3, 2, 2, 3, leak=True, lengths=(4, 1)).inputs()
    with pytest.raises(ValueError, match="lengths holds 4, x has 3 steps"):
        general.forward(inputs, GeneralOptions())
    with pytest.raises(TypeError, match=r"expected torch.float64 as x has, got torch.float32"):
        general.forward(inputs._replace(lengths=None, w_hh=inputs.w_hh.float()), GeneralOptions())
