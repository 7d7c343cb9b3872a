"""What Python packs is what the native library reads: the structs' sizes, offsets and order."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest
import torch

import elman
from elman.kernels.cpu import backend as cpu
from elman.kernels.cpu import decoder, step
from elman.kernels.cpu import library as native
from elman.kernels.cpu.builtin import PythonApi
from elman.kernels.cpu.cross_entropy import LossCall
from elman.kernels.options import PLAIN
from elman.nn import streaming

pytestmark = pytest.mark.skipif(not cpu.available(), reason="the native library is not built here")

Fields = dict[str, tuple[int, ...]]


def record(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Fields]:
    """The calls that a function of the library gets from now on, taken apart by the layout that the library reports."""
    layout = native.layout()["elman_call"]
    size = layout.pop("")[1]
    function: Callable[[bytes, int], int] = getattr(cpu.library(), name)
    calls: list[Fields] = []

    def recorded(packed: bytes, count: int) -> int:
        assert len(packed) == count * size
        for start in range(0, len(packed), size):
            words = {
                field: tuple(memoryview(packed)[start + offset : start + offset + width].cast("q"))
                for field, (offset, width) in layout.items()
            }
            calls.append(words)
        return function(packed, count)

    monkeypatch.setattr(cpu.library(), name, recorded)
    return calls


def test_a_forward_call_is_packed_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    T, B, I, H = 5, 3, 2, 4
    layer = elman.RNN(I, H)
    x, h0 = torch.randn(T, B, I), torch.randn(1, B, H)
    calls = record(monkeypatch, "elman_forward")
    weights = cpu.addresses(x, h0, None, H, 1, list(layer.parameters()))
    assert weights is not None
    h, h_n = cpu.forward_layer(x, h0, None, PLAIN, H, 1, weights)
    (call,) = calls
    sizes = {"T": T, "B": B, "I": I, "H": H, "dtype": 0, "nonlinearity": 0, "reverse": 0, "residual": 0}
    assert {name: call[name] for name in sizes} == {name: (value,) for name, value in sizes.items()}
    assert call["threads"] == (torch.get_num_threads(),)
    given = {"x": x, "h0": h0, "w_ih": layer.weight_ih_l0, "w_hh": layer.weight_hh_l0, "h": h, "h_last": h_n}
    assert {name: call[name] for name in given} == {name: (value.data_ptr(),) for name, value in given.items()}
    assert call["x_stride"] == x.stride()
    assert call["h_stride"] == h.stride()[:2]
    assert call["lengths"] == call["mask"] == (0,)


def test_a_backward_call_is_packed_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    T, B, I, H = 5, 3, 2, 4
    layer = elman.RNN(I, H, nonlinearity="relu")
    x, h0 = torch.randn(T, B, I, requires_grad=True), torch.randn(1, B, H, requires_grad=True)
    h, h_n = layer(x, h0)
    grad_h, grad_h_n = torch.randn(T, B, H), torch.randn(1, B, H)
    calls = record(monkeypatch, "elman_backward")
    of: dict[str, Any] = {"grad_x": x, "grad_w_ih": layer.weight_ih_l0, "grad_w_hh": layer.weight_hh_l0}
    of["grad_bias"] = layer.bias_ih_l0
    *gradients, _ = torch.autograd.grad((h, h_n), [*of.values(), h0], (grad_h, grad_h_n))
    (call,) = calls
    sizes = {"T": T, "B": B, "I": I, "H": H, "nonlinearity": 1}
    assert {name: call[name] for name in sizes} == {name: (value,) for name, value in sizes.items()}
    given = {"x": x, "w_hh": layer.weight_hh_l0, "h": h, "grad_h": grad_h, "grad_h_last": grad_h_n}
    assert {name: call[name] for name in given} == {name: (value.data_ptr(),) for name, value in given.items()}
    assert call["grad_h_stride"] == grad_h.stride()
    for name, gradient in zip(of, gradients, strict=True):
        assert call[name] == (gradient.data_ptr(),), name
    assert call["grad_h0"] != (0,)  # torch stacks the directions' own
    assert call["grad_x_stride"] == x.stride()[:2]


@pytest.mark.parametrize("bias", [True, False])
def test_a_step_is_packed_field_by_field(monkeypatch: pytest.MonkeyPatch, bias: bool) -> None:
    layout = native.layout()["elman_step_call"]
    size = layout.pop("")[1]
    packed: list[bytes] = []
    function = step._function()
    monkeypatch.setattr(step, "_function", lambda: lambda call: packed.append(call) or function(call))
    monkeypatch.setattr(streaming, "select_step", lambda *_: None)
    layer, x, state = elman.RNN(2, 4, 2, "relu", bias), torch.randn(3, 2), torch.randn(2, 3, 4)
    output, new = layer.step(x, state)
    call = {name: int.from_bytes(packed[0][start : start + width], "little") for name, (start, width) in layout.items()}
    want = {"layers": 2, "S": 3, "I": 2, "H": 4, "dtype": 0, "nonlinearity": 1, "residual": 0}
    tensors = {"x": x, "state": state, "new_state": new, "output": output}
    want |= {"threads": torch.get_num_threads()} | {name: tensor.data_ptr() for name, tensor in tensors.items()}
    assert call == want
    behind = [int.from_bytes(packed[0][at : at + 8], "little") for at in range(size, len(packed[0]), 8)]
    pointers = [weight.data_ptr() for weight in layer.parameters()]
    assert behind == (pointers if bias else [*pointers[:2], 0, 0, *pointers[2:], 0, 0])


@pytest.mark.parametrize(
    ("struct", "name"),
    [
        (decoder._Spec, "elman_decoder_spec"),
        (decoder._SamplingParams, "elman_sampling_params"),
        (LossCall, "elman_loss_call"),
        (PythonApi, "elman_python_api"),
    ],
)
def test_a_ctypes_struct_is_laid_out_as_the_librarys(struct: type[ctypes.Structure], name: str) -> None:
    def place(field: str) -> tuple[int, int]:
        found: Any = getattr(struct, field)
        return found.offset, found.size

    ours = {field: place(field) for field, *_ in struct._fields_}
    assert ours | {"": (0, ctypes.sizeof(struct))} == native.layout()[name]
    assert list(ours) == [field for field in native.layout()[name] if field]
