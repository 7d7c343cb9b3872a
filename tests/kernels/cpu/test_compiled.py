"""The fast CPU machine beneath `torch.compile`, which must be told how its outputs lie in memory."""

from __future__ import annotations

import pytest
import torch

from elman.kernels.cpu import backend as cpu
from elman.ops.custom_ops import adjoint_operator, recurrence_operator

pytestmark = pytest.mark.skipif(not cpu.available(), reason="the native library is not built here")


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_operator_lies_in_memory_as_its_fake_says(batch_first: bool) -> None:
    x = torch.randn(3, 4, 5).transpose(0, 1) if batch_first else torch.randn(4, 3, 5)
    args = (x, torch.randn(3, 7), torch.randn(7, 5), torch.randn(7, 7), None, None, "tanh", False, False, None)
    torch.library.opcheck(recurrence_operator, args, test_utils=("test_schema", "test_faketensor"))
    h, _ = cpu.forward(*args)
    rest = (torch.randn(4, 3, 7), torch.randn(3, 7), *args[:5], h, *args[5:], [True, True, True, True, False])
    torch.library.opcheck(adjoint_operator, rest, test_utils=("test_schema", "test_faketensor"))
