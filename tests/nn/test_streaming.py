"""One step at a time gives what the whole sequence gives."""

import pytest
import torch

import elman
from tests.numerics import assert_close


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "options",
    [{}, {"residual": True}, {"layer_norm": True}, {"learned_h0": True}, {"nonlinearity": "relu", "bias": False}],
)
def test_steps_are_the_sequence(options: dict[str, object], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    rnn = elman.RNN(3, 5, 2, dtype=dtype, **options).eval()  # type: ignore[arg-type]
    if options.get("learned_h0"):
        torch.nn.init.normal_(rnn.initial_state)
    x = torch.randn(6, 4, 3, dtype=dtype)
    whole, last = rnn(x)
    state, outputs = None, []
    for x_t in x:
        output, state = rnn.step(x_t, state)
        assert not output.requires_grad
        outputs.append(output)
    assert_close(torch.stack(outputs), whole)
    assert_close(state, last)


def test_changed_weights_are_packed_anew() -> None:
    rnn = elman.RNN(3, 5)
    x = torch.randn(2, 3)
    before, _ = rnn.step(x)
    with torch.no_grad():
        rnn.weight_ih_l0.add_(1)
    after, _ = rnn.step(x)
    assert not torch.equal(before, after)
    assert_close(after, rnn(x.unsqueeze(0))[0][0])


def test_two_directions_cannot_be_stepped() -> None:
    with pytest.raises(ValueError, match="backwards"):
        elman.RNN(3, 5, bidirectional=True).step(torch.randn(2, 3))
