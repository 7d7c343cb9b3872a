"""PyTorch's own module checks: every input that it tests nn.RNN and nn.RNNCell with must hold for ours."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

import elman
from tests.numerics import assert_close

OURS = {torch.nn.RNN: elman.RNN, torch.nn.RNNCell: elman.RNNCell}
INFOS = {info.module_cls: info for info in module_db if info.module_cls in OURS}
DTYPES = (torch.float32, torch.float64)


def inputs(theirs: type[torch.nn.Module], function: str, dtype: torch.dtype, training: bool = True) -> list[Any]:
    torch.manual_seed(0)
    info = INFOS[theirs]
    options = {"device": "cpu", "dtype": dtype, "requires_grad": True, "training": training}
    if function == "module_inputs_func" and theirs is torch.nn.RNN:
        options["with_packed_sequence"] = True
    return getattr(info, function)(info, **options)  # type: ignore[no-any-return]


def tensors(result: Any) -> list[torch.Tensor]:
    """Every tensor of an output or an input, in order."""
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, PackedSequence):
        return [result.data]
    return [tensor for part in result for tensor in tensors(part)] if isinstance(result, (tuple, list)) else []


def test_both_modules_are_in_the_database() -> None:
    assert INFOS.keys() == OURS.keys()
    assert len(inputs(torch.nn.RNN, "module_inputs_func", torch.float32)) >= 64
    assert len(inputs(torch.nn.RNNCell, "module_inputs_func", torch.float32)) >= 3


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("theirs", OURS, ids=lambda cls: cls.__name__)
def test_every_input_gives_what_torch_gives(theirs: Any, dtype: torch.dtype, training: bool) -> None:
    for case in inputs(theirs, "module_inputs_func", dtype, training):
        args, kwargs = case.constructor_input.args, case.constructor_input.kwargs
        reference = theirs(*args, **kwargs, dtype=dtype).train(training)
        module = OURS[theirs](*args, **kwargs, dtype=dtype).train(training)
        module.load_state_dict(reference.state_dict())
        fed = case.forward_input.args
        got, want = module(*fed, **case.forward_input.kwargs), reference(*fed, **case.forward_input.kwargs)
        assert type(got) is type(want)
        assert_close(tensors(got), tensors(want))
        if case.reference_fn is not None and not isinstance(fed[0], PackedSequence):
            assert_close(tensors(case.reference_fn(module, *fed)), tensors(got))
        wanted = [tensor for tensor in tensors(fed) if tensor.requires_grad]
        assert wanted
        for ours, torchs in zip(
            torch.autograd.grad([t.sin().sum() for t in tensors(got)], [*module.parameters(), *wanted]),
            torch.autograd.grad([t.sin().sum() for t in tensors(want)], [*reference.parameters(), *wanted]),
            strict=True,
        ):
            assert_close(ours, torchs)


@pytest.mark.skipif(torch.__version__ < (2, 11), reason="errors are those of torch 2.11 and later")  # type: ignore[operator]
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("theirs", OURS, ids=lambda cls: cls.__name__)
def test_every_wrong_input_raises_what_torch_raises(theirs: Any, dtype: torch.dtype) -> None:
    cases = inputs(theirs, "module_error_inputs_func", dtype)
    assert len(cases) >= 6
    for case in cases:
        made = case.module_error_input.constructor_input
        if case.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(case.error_type, match=case.error_regex):
                OURS[theirs](*made.args, **made.kwargs)
        else:
            module, fed = OURS[theirs](*made.args, **made.kwargs), case.module_error_input.forward_input
            with pytest.raises(case.error_type, match=case.error_regex):
                module(*fed.args, **fed.kwargs)
