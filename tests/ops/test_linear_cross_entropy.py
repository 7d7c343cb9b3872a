"""The output layer with its loss, against torch's linear layer and cross-entropy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from elman.kernels import cross_entropy
from elman.ops.output_loss import Reduction, linear_cross_entropy
from tests.numerics import assert_close, assert_equally_accurate

REDUCTIONS: tuple[Reduction, ...] = ("none", "mean", "sum")
SIZES = (1, 5, 17, 67)  # V: less than a vector, odd, and more than four vectors


@pytest.fixture(autouse=True)
def _few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 18 or fewer of the 70 rows, so that every test crosses their bounds."""
    monkeypatch.setattr(cross_entropy, "NUMBERS_AT_ONCE", {"cpu": 1})
    monkeypatch.setattr(cross_entropy, "LEAST_ROWS", 20)


def tensors(V: int, dtype: torch.dtype, bias: bool = True, H: int = 9) -> tuple[list[Tensor], Tensor]:
    """hidden (7, 10, H), weight (V, H), bias (V,), and targets of which some are ignored."""
    generator = torch.Generator().manual_seed(V)
    shapes = [(7, 10, H), (V, H), (V,)][: 3 if bias else 2]
    learned = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
    targets = torch.randint(V, (7, 10), generator=generator)
    targets[0, 3] = targets[6, 9] = -100
    return [tensor.requires_grad_() for tensor in learned], targets


def by_torch(
    hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None = None, *, reduction: str = "mean", **how: Any
) -> Tensor:
    logits = F.linear(hidden, weight, bias)
    losses = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction=reduction, **how)
    return losses.view(targets.shape) if reduction == "none" else losses


def with_gradients(function: Any, learned: list[Tensor], targets: Tensor, **how: Any) -> list[Tensor]:
    hidden, weight, *bias = learned
    loss = function(hidden, weight, targets, *bias, **how)
    upstream = torch.linspace(-1, 2, loss.numel(), dtype=loss.dtype).view(loss.shape)
    return [loss, *torch.autograd.grad(loss, learned, upstream)]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("V", SIZES)
def test_it_is_torchs_loss(backend: str, V: int, reduction: Reduction) -> None:
    for bias in (True, False):
        for smoothing in (0.0, 0.1):
            how: Any = {"reduction": reduction, "label_smoothing": smoothing}
            learned, targets = tensors(V, torch.float64, bias)
            exact = with_gradients(by_torch, learned, targets, **how)
            assert_close(with_gradients(linear_cross_entropy, learned, targets, **how), exact)
            single = [part.detach().float().requires_grad_() for part in learned]
            got = with_gradients(linear_cross_entropy, single, targets, **how)
            other = with_gradients(by_torch, single, targets, **how)
            assert_equally_accurate(got, other, exact, terms=70)


def test_without_gradients_it_gives_the_same_loss(backend: str) -> None:
    (hidden, weight, bias), targets = tensors(67, torch.float64)
    with torch.no_grad():
        got = linear_cross_entropy(hidden, weight, targets, bias)
    assert_close(got, by_torch(hidden, weight, targets, bias))
    assert not got.requires_grad


def test_threads_do_not_change_a_bit(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "NUMBERS_AT_ONCE", {"cpu": 1 << 20})
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(100, 1500, generator=generator)
    bias, targets = torch.randn(1500, generator=generator), torch.randint(1500, (100,), generator=generator)
    found = []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            own, losses, grad_bias = logits.clone(), torch.full((100,), torch.nan), torch.zeros(1500)
            cross_entropy.row_losses(
                own,
                bias,
                targets,
                losses,
                cross_entropy.LossOptions(smoothing=0.1),
                gradient=True,
                grad_bias=grad_bias,
            )
            found.append([own, losses, grad_bias])
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("odd", "loss"),
    [
        ([1e4, -1e4, 0.0], 0.0),  # exp would overflow
        ([-torch.inf, 0.0, 0.0], torch.inf),
        ([0.0, -torch.inf, -torch.inf], 0.0),
        ([torch.inf, 0.0, 0.0], torch.nan),
        ([0.0, torch.nan, 0.0], torch.nan),
    ],
)
def test_extreme_logits(backend: str, odd: list[float], loss: float) -> None:
    hidden, weight = torch.ones(1, 1, requires_grad=True), torch.tensor(odd).unsqueeze(1).requires_grad_()
    targets = torch.zeros(1, dtype=torch.int64)
    got, *gradients = with_gradients(linear_cross_entropy, [hidden, weight], targets)
    want, *expected = with_gradients(by_torch, [hidden, weight], targets)
    assert_close(got, torch.tensor(loss))
    assert_close(got, want)
    for gradient, other in zip(gradients, expected, strict=True):
        if got.isnan():
            assert gradient.isnan().any()  # the loop sees it, whatever else torch makes NaN
        else:
            assert_close(gradient, other)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradients_and_second_derivatives(reduction: Reduction) -> None:
    (hidden, weight, bias), targets = tensors(5, torch.float64, H=3)
    hidden, targets = hidden.detach()[:2, :3].requires_grad_(), targets[:2, :3]
    targets[1, 2] = -100

    def loss(*learned: Tensor) -> Tensor:
        hidden, weight, *bias = learned
        return linear_cross_entropy(hidden, weight, targets, *bias, reduction=reduction, label_smoothing=0.2)

    for learned in ((hidden, weight, bias), (hidden, weight)):
        assert torch.autograd.gradcheck(loss, learned)
        assert torch.autograd.gradgradcheck(loss, learned)


def test_a_second_backward_pass_over_one_graph() -> None:
    learned, targets = tensors(17, torch.float64)
    loss = linear_cross_entropy(learned[0], learned[1], targets, learned[2])
    first = torch.autograd.grad(loss, learned, retain_graph=True)
    first = tuple(part.clone() for part in first)
    assert_close(torch.autograd.grad(3 * loss, learned), [3 * part for part in first])


def test_tied_weights_and_weights_that_do_not_learn() -> None:
    (hidden, weight, bias), targets = tensors(17, torch.float64)
    tokens = targets.clamp(min=0)
    found = [
        torch.autograd.grad(function(F.embedding(tokens, weight), weight, targets, bias), weight)
        for function in (linear_cross_entropy, by_torch)
    ]
    assert_close(*found)
    for one in (hidden, weight, bias):
        learned = [part if part is one else part.detach() for part in (hidden, weight, bias)]
        found = [
            torch.autograd.grad(function(learned[0], learned[1], targets, learned[2]), one)
            for function in (linear_cross_entropy, by_torch)
        ]
        assert_close(*found)


def test_awkward_tensors() -> None:
    (hidden, weight, bias), targets = tensors(17, torch.float64)
    want = with_gradients(by_torch, [hidden, weight, bias], targets)
    laid_out = [
        hidden.detach().transpose(0, 1).contiguous().transpose(0, 1).requires_grad_(),
        weight.detach().t().contiguous().t().requires_grad_(),
        torch.stack([bias.detach()] * 2, 1)[:, 0].requires_grad_(),
    ]
    strided = torch.stack([targets] * 2, 2)[..., 0]
    assert_close(with_gradients(linear_cross_entropy, laid_out, strided), want)
    negated = [torch._neg_view(-part.detach()).requires_grad_() for part in (hidden, weight, bias)]
    assert_close(with_gradients(linear_cross_entropy, negated, targets), want)
    none = linear_cross_entropy(hidden[:0], weight, targets[:0], bias, reduction="sum")
    assert none.item() == 0
    assert torch.autograd.grad(none, weight)[0].abs().max() == 0
    ignored = torch.full_like(targets, -100)
    assert linear_cross_entropy(hidden, weight, ignored, bias).isnan()  # as torch: 0 / 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, in forward mode
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_transforms_of_torch_func(dtype: torch.dtype) -> None:
    (hidden, weight, bias), targets = tensors(5, dtype)
    plain = [part.detach() for part in (hidden, weight, bias)]

    def of(function: Any) -> Any:
        return lambda h, w, b, t: function(h, w, t, b, reduction="sum")

    for transform in (
        lambda f: torch.vmap(f, (0, None, None, 0)),
        lambda f: torch.vmap(torch.func.grad(f, argnums=(0, 1, 2)), (0, None, None, 0)),
        lambda f: torch.func.jacrev(f, argnums=1),
        lambda f: torch.func.hessian(f, argnums=2),
    ):
        assert_close(*(transform(of(function))(*plain, targets) for function in (linear_cross_entropy, by_torch)))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(plain[0], torch.ones_like(plain[0]))
        tangents = [
            torch.autograd.forward_ad.unpack_dual(function(dual, plain[1], targets, plain[2])).tangent
            for function in (linear_cross_entropy, by_torch)
        ]
    assert_close(*tangents)


def test_compiles_whole_with_sizes_that_vary() -> None:
    torch.compiler.reset()

    def of(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        return linear_cross_entropy(hidden * 2, weight, targets, bias, label_smoothing=0.1)

    compiled = torch.compile(of, fullgraph=True, dynamic=True, backend="aot_eager")
    for rows in (7, 4):
        learned, targets = tensors(17, torch.float64)
        learned[0] = learned[0].detach()[:rows].requires_grad_()
        got = torch.autograd.grad(compiled(*learned, targets[:rows]), learned)
        assert_close(got, torch.autograd.grad(of(*learned, targets[:rows]), learned))


def test_registered_operators_keep_torchs_rules() -> None:
    (hidden, weight, bias), targets = tensors(5, torch.float64)
    flat = hidden.detach().flatten(0, 1).requires_grad_(), weight, bias, targets.flatten(), -100, 0.1
    torch.library.opcheck(torch.ops.elman.linear_cross_entropy.default, flat)
    plain = [part.detach() if isinstance(part, Tensor) else part for part in flat]
    gradients = torch.ops.elman.linear_cross_entropy_gradients.default
    torch.library.opcheck(gradients, (torch.ones(70, dtype=torch.float64), [True, False, True], *plain))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_multiplies_in_few_bits_and_sums_in_many(dtype: torch.dtype) -> None:
    learned, targets = tensors(17, torch.float32)
    exact = with_gradients(by_torch, [part.detach().double().requires_grad_() for part in learned], targets)
    with torch.autocast("cpu", dtype):
        loss, *gradients = with_gradients(linear_cross_entropy, learned, targets)
        other, *theirs = with_gradients(by_torch, learned, targets)
    assert loss.dtype == other.dtype == torch.float32
    # each logit and each gradient is rounded a few times; torch's road through the same is as far off
    eps = torch.finfo(dtype).eps
    for got, by, true in zip([loss, *gradients], [other, *theirs], exact, strict=True):
        size = true.abs().max().item()
        error, limit = (got.double() - true).abs().max().item(), (by.double() - true).abs().max().item()
        assert error <= 4 * limit + 4 * eps * size
        assert got.dtype == torch.float32


def test_what_is_wrong_is_named() -> None:
    (hidden, weight, bias), targets = tensors(5, torch.float64)
    for wrong in (5, -1, 10**12):
        bad = targets.clone()
        bad[2, 3] = wrong
        with pytest.raises(IndexError, match=rf"target {wrong} at place 23 is outside 0\.\.4"):
            linear_cross_entropy(hidden, weight, bad, bias)
    with pytest.raises(ValueError, match="both must end in H"):
        linear_cross_entropy(hidden[..., :4], weight, targets, bias)
    with pytest.raises(ValueError, match="without its last dimension"):
        linear_cross_entropy(hidden, weight, targets[0], bias)
    with pytest.raises(ValueError, match=r"must be torch\.int64"):
        linear_cross_entropy(hidden, weight, targets.int(), bias)
    with pytest.raises(ValueError, match="both must begin with V"):
        linear_cross_entropy(hidden, weight, targets, bias[:4])
    with pytest.raises(ValueError, match=r"label_smoothing is 1\.5"):
        linear_cross_entropy(hidden, weight, targets, bias, label_smoothing=1.5)
    with pytest.raises(ValueError, match="reduction is 'avg'"):
        linear_cross_entropy(hidden, weight, targets, bias, reduction="avg")  # type: ignore[arg-type]


def test_the_logits_of_all_rows_are_never_stored() -> None:
    N, H, V = 700, 8, 500
    hidden, weight = torch.randn(N, H, requires_grad=True), torch.randn(V, H, requires_grad=True)
    with torch.profiler.profile(profile_memory=True) as profile:
        linear_cross_entropy(hidden, weight, torch.zeros(N, dtype=torch.int64)).backward()
    allocated = [event.cpu_memory_usage for event in profile.events()]
    assert max(allocated) < N * V * 4 // 4
