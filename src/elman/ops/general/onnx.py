"""The general recurrence in ONNX: one RNN node where ONNX has the activation, else a Scan over an open number of steps.

`elman.ops.onnx.translations` hands this on. T steps, B sequences, I inputs, H hidden units.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from elman.kernels.general.options import LEAKY_SLOPE, GeneralInputs, GeneralOptions
from elman.ops.general.custom_ops import unflatten

ACTIVATIONS: dict[str, dict[str, Any]] = {
    "tanh": {"activations": ["Tanh"]},
    "relu": {"activations": ["Relu"]},
    "sigmoid": {"activations": ["Sigmoid"]},
    "softplus": {"activations": ["Softplus"]},
    "leaky_relu": {"activations": ["LeakyRelu"], "activation_alpha": [LEAKY_SLOPE]},
    "identity": {"activations": ["Affine"], "activation_alpha": [1.0], "activation_beta": [0.0]},
}
"""The attributes of ONNX's RNN for the functions that it has."""


def translate(*args: Any) -> tuple[Any, Any, Any]:
    """What the exporter calls for `elman::general_recurrences` of one network; every tensor begins with V = 1.

    Raises:
        NotImplementedError: there are several networks, noise, or variational dropout.
    """
    onnx: Any = import_module("onnxscript").opset18
    inputs, options = unflatten(args)
    if inputs.noise is not None:
        raise NotImplementedError("ONNX has no noise that a seed fixes; export in evaluation mode")
    if inputs.mask is not None:
        raise NotImplementedError("ONNX's export has no variational dropout; export in evaluation mode")
    if inputs.x.shape[0] != 1:
        raise NotImplementedError("many networks at once have no form in ONNX; export each of them (`unstack`)")
    first = onnx.Constant(value_ints=[0])
    squeezed: Any = (None if tensor is None else onnx.Squeeze(tensor, first) for tensor in inputs)
    alone = GeneralInputs(*squeezed)
    if alone.connected is not None:
        there = onnx.CastLike(alone.connected, alone.w_hh)
        alone = alone._replace(w_hh=onnx.Mul(alone.w_hh, there), connected=None)
    rank_or_terms = (inputs.leak, inputs.reset, inputs.w_in)
    plain = all(term is None for term in rank_or_terms) and not options.current and not options.residual
    if plain and options.nonlinearity in ACTIVATIONS:
        h, last = _node(onnx, alone, options, inputs.w_ih.shape[1])
        saved = h
    else:
        h, last, saved = _scan(onnx, alone, options, inputs.x.dtype)
    return onnx.Unsqueeze(h, first), onnx.Unsqueeze(last, first), onnx.Unsqueeze(saved, first)


def _node(onnx: Any, inputs: GeneralInputs, options: GeneralOptions, H: int) -> tuple[Any, Any]:
    first, second = onnx.Constant(value_ints=[0]), onnx.Constant(value_ints=[1])
    both = None
    if inputs.bias is not None:  # ONNX keeps two, as torch does
        zero = onnx.CastLike(onnx.Constant(value_floats=[0.0] * H), inputs.bias)
        both = onnx.Unsqueeze(onnx.Concat(inputs.bias, zero, axis=0), first)
    h, last = onnx.RNN(
        inputs.x,
        onnx.Unsqueeze(inputs.w_ih, first),
        onnx.Unsqueeze(inputs.w_hh, first),
        both,
        None if inputs.lengths is None else onnx.Cast(inputs.lengths, to=6),  # int32
        onnx.Unsqueeze(inputs.h0, first),
        direction="reverse" if options.reverse else "forward",
        hidden_size=H,
        **ACTIVATIONS[options.nonlinearity],
    )
    return onnx.Squeeze(h, second), onnx.Squeeze(last, first)


def _scan(onnx: Any, inputs: GeneralInputs, options: GeneralOptions, dtype: Any) -> tuple[Any, Any, Any]:
    """The recurrence step by step: the body sees the weights from outside."""
    last_axis = onnx.Constant(value_ints=[2])
    drive = onnx.MatMul(inputs.x, onnx.Transpose(inputs.w_ih, perm=[1, 0]))
    if inputs.bias is not None:
        drive = onnx.Add(drive, inputs.bias)
    scanned = [drive]
    zero = onnx.CastLike(onnx.Constant(value_float=0.0), inputs.x)
    if inputs.reset is not None:
        scanned.append(onnx.Unsqueeze(inputs.reset, last_axis))  # (T, B, 1)
    if inputs.lengths is not None:
        T = onnx.Squeeze(onnx.Shape(inputs.x, start=0, end=1))
        steps = onnx.Range(onnx.Constant(value_int=0), T, onnx.Constant(value_int=1))
        alive = onnx.Less(onnx.Unsqueeze(steps, onnx.Constant(value_ints=[1])), inputs.lengths)
        scanned.append(onnx.Unsqueeze(alive, last_axis))
    leaks = None
    if inputs.leak is not None:
        leaks = onnx.Sub(onnx.CastLike(onnx.Constant(value_float=1.0), inputs.x), inputs.leak), inputs.leak
    w_hh = onnx.Transpose(inputs.w_hh, perm=[1, 0])
    restart = zero if inputs.restart is None else inputs.restart
    body = _body(inputs, options, w_hh, restart, zero, leaks)
    backwards = int(options.reverse)
    attributes = {
        "body": body,
        "num_scan_inputs": len(scanned),
        "scan_input_directions": [backwards] * len(scanned),
        "scan_output_directions": [backwards] * 2,
    }
    # the opset's own `Scan` has one output: a variadic list of them
    ir: Any = import_module("onnxscript").ir
    node = ir.node("Scan", [inputs.h0, *scanned], attributes, num_outputs=3)
    import_module("onnxscript.evaluator").default().nodes.append(node)
    last, h, saved = node.outputs
    for output in (last, h, saved):
        output.dtype = dtype
    return h, last, saved


def _body(
    inputs: GeneralInputs, options: GeneralOptions, w_hh: Any, restart: Any, zero: Any, leaks: tuple[Any, Any] | None
) -> Any:
    """The graph of one step: state, drive [, reset] [, alive] to the new state, h and what else is saved."""
    ir: Any = import_module("onnxscript").ir
    nodes: list[Any] = []

    def op(kind: str, *args: Any, **attributes: Any) -> Any:
        nodes.append(ir.node(kind, list(args), attributes))
        return nodes[-1].outputs[0]

    def f(a: Any) -> Any:
        match options.nonlinearity:
            case "hardtanh":
                one = op("CastLike", op("Constant", value_float=1.0), a)
                return op("Clip", a, op("Neg", one), one)
            case "rectified_tanh":
                return op("Relu", op("Tanh", a))
            case "leaky_relu":
                return op("LeakyRelu", a, alpha=LEAKY_SLOPE)
            case "identity":
                return op("Identity", a)
            case name:
                return op(name.capitalize(), a)

    state, drive = ir.Value(name="state"), ir.Value(name="drive")
    given = [state, drive]
    p = state
    if inputs.reset is not None:
        given.append(ir.Value(name="reset"))
        p = op("Where", given[-1], restart, state)
    q = f(p) if options.current else p
    entering = q if inputs.w_in is None else op("MatMul", q, inputs.w_in)
    z = op("Add", drive, op("MatMul", entering, w_hh))
    taken = z if options.current else f(z)
    new = taken
    if options.residual:
        new = op("Add", p, taken)
    elif leaks is not None:
        new = op("Add", op("Mul", leaks[0], p), op("Mul", leaks[1], taken))
    h, saved = (f(new), new) if options.current else (new, taken)
    if inputs.lengths is not None:
        given.append(ir.Value(name="alive"))
        new = op("Where", given[-1], new, state)
        h, saved = op("Where", given[-1], h, zero), op("Where", given[-1], saved, zero)
    outputs = [op("Identity", part) for part in (new, h, saved)]  # a graph's outputs are values of their own
    return ir.Graph(given, outputs, nodes=nodes, name="step")
