"""Attention against its formula, and what padding may not do."""

import pytest
import torch
from torch import Tensor

from elman.models import attention
from elman.models.attention import Attention, AttentionKind

KINDS: tuple[AttentionKind, ...] = ("dot", "additive")
T, S, B, Q, C, A = 3, 5, 4, 6, 7, 8


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    inside = torch.arange(S).unsqueeze(1) < torch.tensor([5, 1, 3, 4])
    queries, steps = (torch.randn(n, B, size, generator=generator).double() for n, size in ((T, Q), (S, C)))
    return queries.requires_grad_(), steps.requires_grad_(), inside


def layer(kind: AttentionKind) -> Attention:
    torch.manual_seed(1)
    return Attention(Q, C, A, kind).double()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_weighted_mean_of_the_steps_inside(kind: AttentionKind) -> None:
    look, (queries, steps, inside) = layer(kind), inputs()
    context, weights = look(queries, look.project_keys(steps), steps, inside)
    assert context.shape == (T, B, C)
    for b in range(B):
        own = steps[inside[:, b], b]  # what is padding does not exist
        for t in range(T):
            asked, keys = look.query.weight @ queries[t, b], own @ look.keys.weight.T + look.keys.bias
            additive = look.score is not None and (asked + keys).tanh() @ look.score.weight[0]
            scores = keys @ asked / A**0.5 if look.score is None else additive
            expected = scores.exp() / scores.exp().sum()
            torch.testing.assert_close(weights[b, t, : len(own)], expected)
            assert not weights[b, t, len(own) :].any()
            torch.testing.assert_close(context[t, b], expected @ own)


@pytest.mark.parametrize("kind", KINDS)
def test_no_gradient_reaches_padding(kind: AttentionKind) -> None:
    look, (queries, steps, inside) = layer(kind), inputs()
    context, _ = look(queries, look.project_keys(steps), steps, inside)
    (grad,) = torch.autograd.grad(context.square().sum(), steps)
    assert grad.isfinite().all()
    assert not grad[~inside].any()
    assert grad[inside].any(-1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_right(kind: AttentionKind) -> None:
    look, (queries, steps, inside) = layer(kind), inputs()
    assert torch.autograd.gradcheck(lambda q, s: look(q, look.project_keys(s), s, inside), (queries, steps))


def test_additive_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    look, (queries, steps, inside) = layer("additive"), inputs()
    whole = look(queries, look.project_keys(steps), steps, inside)
    monkeypatch.setattr(attention, "_TANH_AT_ONCE", 1)
    torch.testing.assert_close(look(queries, look.project_keys(steps), steps, inside), whole)


def test_no_such_kind() -> None:
    with pytest.raises(ValueError, match="it must be 'dot' or 'additive'"):
        Attention(Q, C, A, "none")
