"""The fast CPU backend beneath `torch.compile`, which must be told how its outputs lie in memory."""

from __future__ import annotations

import pytest
import torch

from elman.kernels import RecurrenceInputs
from elman.kernels.cpu import backend as cpu
from elman.kernels.options import PLAIN
from elman.ops.custom_ops import adjoint_operator, flatten, recurrence_operator

pytestmark = pytest.mark.skipif(not cpu.available(), reason="the native library is not built here")


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_operator_lies_in_memory_as_its_fake_says(batch_first: bool) -> None:
    x = torch.randn(3, 4, 5).transpose(0, 1) if batch_first else torch.randn(4, 3, 5)
    inputs = RecurrenceInputs(x, torch.randn(3, 7), torch.randn(7, 5), torch.randn(7, 7))
    args = flatten(inputs, PLAIN)
    torch.library.opcheck(recurrence_operator, args, test_utils=("test_schema", "test_faketensor"))
    h, _ = cpu.forward(inputs, PLAIN)
    rest = (torch.randn(4, 3, 7), torch.randn(3, 7), h, [True, True, True, True, False], *args)
    torch.library.opcheck(adjoint_operator, rest, test_utils=("test_schema", "test_faketensor"))
