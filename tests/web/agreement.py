"""What the engine of the pages is asked to compute, and what the references say: one list of cases as JSON."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman.kernels import reference
from elman.kernels.decoder import LayerWeights, SamplingParams, Stack, StackWeights
from elman.kernels.options import Needs, RecurrenceInputs, RecurrenceOptions
from tests.cases import CASES, Case

WIDTHS = {torch.float32: "f32", torch.float64: "f64"}
LONGER = (Case(200, 4, 2, 16), Case(40, 8, 10, 64), Case(30, 3, 6, 128, lengths=(30, 7, 19)))


def agreement_cases() -> list[dict[str, Any]]:
    """Every case: its kind, what is given, and what is wanted of it, numbers of the reference in float64."""
    cases = [recurrence_case(case, dtype) for case in (*CASES, *LONGER) for dtype in WIDTHS]
    cases += [identity_case(residual) for residual in (False, True)]
    for dtype in WIDTHS:
        cases += [cross_entropy_case(dtype, smoothing) for smoothing in (0.0, 0.1)]
        cases += [linear_case(dtype, *sizes) for sizes in ((1, 1, 1), (7, 5, 3), (64, 33, 17))]
    cases += [decoder_case("step", 1), decoder_case("step", 3), decoder_case("write", 1), decoder_case("write", 2)]
    cases += [sample_case(SamplingParams(temperature=t, top_k=k, top_p=p, seed=7)) for t, k, p in SAMPLINGS]
    return cases + [gated_case(reset, update) for reset in (False, True) for update in (False, True)]


SAMPLINGS = ((0.0, 0, 1.0), (1.0, 0, 1.0), (0.7, 3, 1.0), (1.3, 0, 0.8), (1.0, 5, 0.5))


def numbers(given: dict[str, Tensor | None]) -> dict[str, list[float]]:
    """Tensors as plain lists, without those that are none."""
    return {name: tensor.flatten().tolist() for name, tensor in given.items() if tensor is not None}


def rounded(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """In float64, the numbers that `dtype` can hold."""
    return None if tensor is None else tensor.to(dtype).double()


def recurrence_case(case: Case, dtype: torch.dtype) -> dict[str, Any]:
    """The recurrence and its adjoint, by `kernels/reference.py`."""
    inputs = case.inputs()
    inputs = type(inputs)(*(t if t is None or not t.is_floating_point() else rounded(t, dtype) for t in inputs))
    draw = torch.Generator().manual_seed(1)
    grad_h = rounded(torch.randn(case.T, case.B, case.H, generator=draw, dtype=torch.float64), dtype)
    grad_last = rounded(torch.randn(case.B, case.H, generator=draw, dtype=torch.float64), dtype)
    want = outcome(inputs, grad_h, grad_last, case)
    like = [None if t is None or not t.is_floating_point() else t.to(dtype) for t in (*inputs, grad_h, grad_last)]
    like[5] = inputs.lengths
    own = outcome(type(inputs)(*like[:-2]), like[-2], like[-1], case)
    return {
        "kind": "recurrence",
        "name": str(case),
        "dtype": WIDTHS[dtype],
        "shape": {"T": case.T, "B": case.B, "I": case.I, "H": case.H},
        "options": {"nonlinearity": case.nonlinearity, "reverse": case.reverse, "residual": case.residual},
        "given": numbers({**inputs._asdict(), "grad_h": grad_h, "grad_h_last": grad_last}),
        "want": numbers(want),
        "own": {name: distance(own[name], one) for name, one in want.items() if one is not None},
    }


def identity_case(residual: bool, T: int = 6, B: int = 2, I: int = 3, H: int = 5) -> dict[str, Any]:
    """The recurrence without a nonlinearity, by torch."""
    draw = torch.Generator().manual_seed(9)
    shapes = {"x": (T, B, I), "h0": (B, H), "w_ih": (H, I), "w_hh": (H, H), "bias": (H,)}
    given = {n: torch.randn(s, generator=draw, dtype=torch.float64).requires_grad_() for n, s in shapes.items()}
    grad_h = torch.randn(T, B, H, generator=draw, dtype=torch.float64)
    grad_last = torch.randn(B, H, generator=draw, dtype=torch.float64)
    state, states = given["h0"], []
    for x_t in given["x"]:
        a = x_t @ given["w_ih"].t() + given["bias"] + state @ given["w_hh"].t()
        state = state + a if residual else a
        states.append(state)
    h = torch.stack(states)
    gradients = torch.autograd.grad((h, state), list(given.values()), (grad_h, grad_last))
    named = {f"grad_{name}": gradient for name, gradient in zip(given, gradients, strict=True)}
    plain = {name: tensor.detach() for name, tensor in given.items()}
    return {
        "kind": "recurrence",
        "name": f"identity residual {residual}",
        "dtype": "f64",
        "shape": {"T": T, "B": B, "I": I, "H": H},
        "options": {"nonlinearity": "identity", "residual": residual},
        "given": numbers({**plain, "grad_h": grad_h, "grad_h_last": grad_last}),
        "want": numbers({"h": h.detach(), "h_last": state.detach(), **named}),
    }


def outcome(
    inputs: RecurrenceInputs, grad_h: Tensor | None, grad_last: Tensor | None, case: Case
) -> dict[str, Tensor | None]:
    """What the reference computes, in the inputs' dtype."""
    h, h_last = reference.forward(inputs, case.recurrence_options)
    needs = Needs(bias=case.bias)
    found = reference.backward(grad_h, grad_last, inputs, h, case.recurrence_options, needs)
    return {"h": h, "h_last": h_last} | {f"grad_{name}": gradient for name, gradient in found._asdict().items()}


def distance(got: Tensor | None, want: Tensor) -> float:
    """How far off, relative to the largest number of the tensor."""
    assert got is not None
    return float((got.double() - want).abs().max() / want.abs().max().clamp(min=1e-30)) if want.numel() else 0.0


def cross_entropy_case(dtype: torch.dtype, smoothing: float) -> dict[str, Any]:
    """Losses and their gradient, by torch, with rows that do not count."""
    draw = torch.Generator().manual_seed(2)
    logits = rounded(4 * torch.randn(37, 11, generator=draw, dtype=torch.float64), dtype)
    scale = rounded(torch.rand(37, generator=draw, dtype=torch.float64), dtype)
    assert logits is not None
    assert scale is not None
    logits.requires_grad_()
    targets = torch.randint(11, (37,), generator=draw)
    targets[::5] = -100
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
    (gradient,) = torch.autograd.grad((losses * scale).sum(), logits)
    return {
        "kind": "cross_entropy",
        "name": f"smoothing {smoothing}",
        "dtype": WIDTHS[dtype],
        "shape": {},
        "options": {"smoothing": smoothing},
        "given": numbers({"logits": logits.detach(), "targets": targets, "scale": scale}),
        "want": numbers({"losses": losses.detach(), "grad_logits": gradient}),
    }


def linear_case(dtype: torch.dtype, N: int, I: int, O: int) -> dict[str, Any]:
    """A linear layer, by torch."""
    draw = torch.Generator().manual_seed(3)
    shapes = {"x": (N, I), "weight": (O, I), "bias": (O,), "grad_y": (N, O)}
    given = {n: rounded(torch.randn(s, generator=draw, dtype=torch.float64), dtype) for n, s in shapes.items()}
    tensors = [tensor.requires_grad_() for name, tensor in given.items() if tensor is not None and name != "grad_y"]
    y = torch.nn.functional.linear(*tensors)
    gradients = torch.autograd.grad(y, tensors, given["grad_y"])
    named = dict(zip(("grad_x", "grad_weight", "grad_bias"), gradients, strict=True))
    return {
        "kind": "linear",
        "name": f"N{N}I{I}O{O}",
        "dtype": WIDTHS[dtype],
        "shape": {"N": N},
        "options": {},
        "given": numbers({name: None if t is None else t.detach() for name, t in given.items()}),
        "want": numbers({"y": y.detach(), **named}),
    }


def decoder_case(what: str, S: int, layers: int = 2, I: int = 5, H: int = 24, V: int = 13) -> dict[str, Any]:
    """A stack's single step, or tokens that it writes and the state behind them, by `kernels/decoder.py`."""
    draw = torch.Generator().manual_seed(4)

    def random(*shape: int) -> Tensor:
        return (torch.randn(shape, generator=draw, dtype=torch.float64) / shape[-1] ** 0.5).float().double()

    weights = [LayerWeights(random(H, H if l else I), random(H, H), random(H)) for l in range(layers)]
    given = {f"{name}{l}": value for l, one in enumerate(weights) for name, value in vars(one).items()}
    state, x = random(layers, S, H), random(S, I)
    params = SamplingParams(temperature=0.9, top_k=8, seed=5)
    options = {"nonlinearity": "tanh", "temperature": 0.9, "top_k": 8, "top_p": 1, "seed": 5, "first_draw": 0}
    shape = {"layers": layers, "S": S, "H": H, "I": I, "V": V}
    if what == "step":
        new = Stack(StackWeights(weights), RecurrenceOptions()).step(x, state)
        head = {"kind": "decoder", "name": f"step S{S}", "shape": shape | {"V": 0}}
        given |= {"x": x, "state": state}
        want = {"state": new}
    else:
        embedding, output = random(V, I), (3 * random(V, H), random(V))
        stack = Stack(StackWeights(weights, embedding, output), RecurrenceOptions())
        first = torch.arange(S)
        tokens, new = stack.generate(first, torch.zeros(layers, S, H, dtype=torch.float64), 20, params)
        assert stack.table is not None
        del given["w_ih0"]
        given |= {"table": stack.table, "w_out": output[0], "b_out": output[1], "first": first}
        want = {"tokens": tokens, "state": new}
        head = {"kind": "generate", "name": f"write S{S}", "shape": shape}
    return head | {"dtype": "f32", "options": options, "given": numbers(given), "want": numbers(want)}


def sample_case(params: SamplingParams) -> dict[str, Any]:
    """One token for each row of logits, by `kernels/decoder.py`."""
    draw = torch.Generator().manual_seed(6)
    logits = (2 * torch.randn(9, 17, generator=draw)).double()
    none = torch.zeros(1, 1, dtype=torch.float64)
    weights = [LayerWeights(none, none, none[0])]
    tokens = []
    for s in range(9):  # row s of one call is draw s
        output = none.expand(17, 1), logits[s]
        stack = Stack(StackWeights(weights, none.expand(17, 1), output), RecurrenceOptions())
        first = torch.zeros(1, dtype=torch.int64)
        tokens.append(stack.generate(first, none[None], 1, params, start=s)[0].flatten())
    return {
        "kind": "sample",
        "name": f"temperature {params.temperature} top_k {params.top_k} top_p {params.top_p}",
        "dtype": "f32",
        "shape": {"S": 9},
        "options": vars(params) | {"first_draw": 0},
        "given": numbers({"logits": logits}),
        "want": numbers({"tokens": torch.cat(tokens)}),
    }


def gated_case(reset: bool, update: bool, T: int = 9, I: int = 3, H: int = 6) -> dict[str, Any]:
    """The recurrence with gates and its adjoint: torch's GRU, and its equations where a gate is left out."""
    draw = torch.Generator().manual_seed(8)
    gru = torch.nn.GRU(I, H).double()
    x = torch.randn(T, 1, I, generator=draw, dtype=torch.float64)
    h0 = torch.randn(1, 1, H, generator=draw, dtype=torch.float64).requires_grad_()
    grad_last = torch.randn(1, 1, H, generator=draw, dtype=torch.float64)
    with torch.no_grad():
        for parameter in gru.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64) / 2)
    weights = dict(gru.named_parameters())
    names = {"w_ih": "weight_ih_l0", "w_hh": "weight_hh_l0", "b_ih": "bias_ih_l0", "b_hh": "bias_hh_l0"}
    if reset and update:
        states, last = gru(x, h0)
    else:
        state, steps = h0[0], []
        for x_t in x:
            i_r, i_z, i_n = (x_t @ weights[names["w_ih"]].t() + weights[names["b_ih"]]).chunk(3, -1)
            h_r, h_z, h_n = (state @ weights[names["w_hh"]].t() + weights[names["b_hh"]]).chunk(3, -1)
            r = torch.sigmoid(i_r + h_r) if reset else torch.ones_like(i_r)
            z = torch.sigmoid(i_z + h_z) if update else torch.zeros_like(i_z)
            state = (1 - z) * torch.tanh(i_n + r * h_n) + z * state
            steps.append(state)
        states, last = torch.stack(steps), state[None]
    wanted = [h0, *(weights[name] for name in names.values())]
    gradients = torch.autograd.grad(last, wanted, grad_last)
    named = dict(zip(("grad_h0", *(f"grad_{name}" for name in names)), gradients, strict=True))
    return {
        "kind": "gated",
        "name": f"reset {reset} update {update}",
        "dtype": "f64",
        "shape": {"I": I, "H": H},
        "options": {"reset": reset, "update": update},
        "given": numbers(
            {"x": x, "h0": h0.detach(), "grad_h_last": grad_last}
            | {name: weights[long].detach() for name, long in names.items()}
        ),
        "want": numbers({"h": states.detach(), **named}),
    }
