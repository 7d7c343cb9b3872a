"""One step from Python: `elman.RNN.step`, elman's and torch's layers called with one step, torch's cell, onnxruntime.

All of them take turns of 20 calls in one process, on one thread, the state going from each call to the next; the figure
is the least of the turns' means, in microseconds, which other work on the machine changes least. "kernel" is the step
itself by the C interface, without Python. torch runs under `torch.inference_mode`, where it is fastest. onnxruntime is
timed where it is installed, its `RNN` node by `session.run` of numpy arrays.

Run: python benchmarks/streaming.py [--seconds S]
"""

from __future__ import annotations

import argparse
import importlib.util
import struct
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import elman
from elman.kernels.cpu import backend as cpu

CALLS = 20
SHAPES = [(1, 32), (1, 128), (1, 256), (1, 512), (8, 32), (8, 128), (8, 256)]

Step = Callable[[], Any]


def steps_of_elman(layer: elman.RNN, x: Tensor, state: Tensor) -> Step:
    """`RNN.step`."""

    def step() -> None:
        nonlocal state
        _, state = layer.step(x, state)

    return step


def kernel_alone(layer: elman.RNN, x: Tensor, state: Tensor) -> Step:
    """The native step, its call packed once, which only this benchmark may do."""
    library, (S, I), H = cpu.library(), x.shape, layer.hidden_size
    new, output = torch.empty_like(state), torch.empty(S, H)
    tensors = x, state, new, output, *layer.parameters()
    packed = struct.pack("=16q", 1, S, I, H, 0, 0, 0, 1, *(tensor.data_ptr() for tensor in tensors))

    def step(kept: tuple[Tensor, ...] = tensors) -> None:  # their memory must last
        library.elman_step(packed)

    return step


def calls_of(layer: torch.nn.Module, x: Tensor, state: Tensor) -> Step:
    """A layer, called with a sequence of one step."""
    sequence = x.unsqueeze(0)

    def step() -> None:
        nonlocal state
        _, state = layer(sequence, state)

    return step


def calls_of_torch(layer: elman.RNN, x: Tensor, state: Tensor) -> Step:
    """torch's layer, called with a sequence of one step."""
    theirs = torch.nn.RNN(x.shape[1], layer.hidden_size)
    theirs.load_state_dict(layer.state_dict())
    return calls_of(theirs, x, state)


def steps_of_a_cell(layer: elman.RNN, x: Tensor, state: Tensor) -> Step:
    """torch's cell."""
    cell = torch.nn.RNNCell(x.shape[1], layer.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in layer.state_dict().items()})
    h = state[0]

    def step() -> None:
        nonlocal h
        h = cell(x, h)

    return step


def steps_of_onnxruntime(layer: elman.RNN, x: Tensor, state: Tensor) -> Step:
    """onnxruntime's `RNN` node."""
    import onnx
    import onnxruntime

    w_ih, w_hh, b_ih, b_hh = (weight.detach() for weight in layer.parameters())
    constants = {"W": w_ih[None], "R": w_hh[None], "B": torch.cat([b_ih, b_hh])[None]}
    make, floats = onnx.helper, onnx.TensorProto.FLOAT
    sizes = {"x": [1, *x.shape], "h": list(state.shape), "last": list(state.shape)}
    given, last = (
        [make.make_tensor_value_info(name, floats, sizes[name]) for name in names] for names in ("xh", ["last"])
    )
    node = make.make_node("RNN", ["x", "W", "R", "B", "", "h"], ["", "last"], hidden_size=layer.hidden_size)
    kept = [onnx.numpy_helper.from_array(tensor.numpy(), name) for name, tensor in constants.items()]
    graph = make.make_graph([node], "step", given, last, kept)
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sequence, h = x[None].numpy(), state.numpy()

    def step() -> None:
        nonlocal h
        (h,) = session.run(None, {"x": sequence, "h": h})

    return step


COMPETITORS: dict[str, Callable[[elman.RNN, Tensor, Tensor], Step]] = {
    "kernel": kernel_alone,
    "elman, step": steps_of_elman,
    "elman, call": calls_of,
    "torch, call": calls_of_torch,
    "torch, cell": steps_of_a_cell,
}
if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
    COMPETITORS["onnxruntime"] = steps_of_onnxruntime


def microseconds(steps: dict[str, Step], seconds: float) -> dict[str, float]:
    """The least of each one's turns, for about so many seconds together."""
    least = dict.fromkeys(steps, float("inf"))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, step in steps.items():
            step()  # the one before has left the caches full of its own
            start = time.perf_counter()
            for _ in range(CALLS):
                step()
            least[name] = min(least[name], (time.perf_counter() - start) / CALLS * 1e6)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="for each shape")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("shape", *COMPETITORS, title=f"µs of a step, float32; torch {torch.__version__}, {cpu.detail()}")
    for B, H in SHAPES:
        torch.manual_seed(0)
        layer, x, state = elman.RNN(H, H), torch.randn(B, H), torch.zeros(1, B, H)
        with torch.inference_mode():
            steps = {name: make(layer, x, state) for name, make in COMPETITORS.items()}
            found = microseconds(steps, arguments.seconds)
        table.add_row(f"B={B} H={H}", *(f"{found[name]:.1f}" for name in COMPETITORS))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
