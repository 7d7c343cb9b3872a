"""The general recurrence: leak, noise, resets, networks of neuroscience, many networks at once, low rank.

Against today's plain recurrence, the same written as a loop in plain PyTorch, that loop with its step under
`torch.compile`, and the step of nn4n (`pip install --no-deps nn4n`) and of trainRNNbrain (`--trainrnnbrain` with the
folder of its source), where they are there. All that meet in a table take turns in one process; figures are medians
over the turns. float32; "train" is forward, then backward to the input and all weights. Run:
python benchmarks/recurrences.py [--quick] [--turns N] [--threads N] [--no-compile] [--trainrnnbrain FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import elman
from elman.kernels.cpu import backend as cpu
from elman.nn.parametrizations import LowRank, constrain

Call = Callable[[], tuple[Tensor, list[Tensor]]]  # the output, and what has gradients


def loop(
    x: Tensor, h0: Tensor, step: Callable[..., tuple[Tensor, Tensor]], resets: Tensor | None, noise: bool
) -> Tensor:
    """A recurrence as one writes it: the state and what it puts out, step by step."""
    state, outputs = h0, []
    draw = torch.randn(x.shape[0], *h0.shape) if noise else None
    for t in range(x.shape[0]):
        if resets is not None:
            state = state.masked_fill(resets[t].unsqueeze(1), 0)
        state, out = step(x[t], state, None if draw is None else draw[t])
        outputs.append(out)
    return torch.stack(outputs)


def looped(layer: elman.RNN, x: Tensor, resets: Tensor | None, compiled: bool) -> Call:
    """The plain loop of what a layer of one direction computes, with its weights."""
    own = layer.dynamics
    form = "rate" if own is None else own.form
    f: Any = torch.relu if layer.nonlinearity == "relu" else torch.tanh

    def step(
        x: Tensor, state: Tensor, n: Tensor | None, w_ih: Tensor, w_hh: Tensor, bias: Tensor, a: Any, s: Any
    ) -> tuple[Tensor, Tensor]:
        z = x @ w_ih.t() + (f(state) if form == "current" else state) @ w_hh.t() + bias
        if n is not None:
            z = z + s * n
        new = (1 - a) * state + a * (z if form == "current" else f(z))
        return new, f(new) if form == "current" else new

    run = torch.compile(step) if compiled else step

    def call() -> tuple[Tensor, list[Tensor]]:
        given: Any = (
            *(layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0),
            *(1.0 if own is None or own.leak is None else own.leak, None if own is None else own.noise),
        )
        noisy = own is not None and own.noise is not None
        h0 = x.new_zeros(x.shape[1], layer.hidden_size)
        return loop(x, h0, lambda x, h, n: run(x, h, n, *given), resets, noisy), [x, *layer.parameters()]

    return call


def direct(layer: nn.Module, x: Tensor, **given: Any) -> Call:
    """A layer called as it is."""
    return lambda: (layer(x, **given)[0], [x, *layer.parameters()])


def time_all(calls: dict[str, Call], turns: int) -> dict[str, tuple[float, float]]:
    """Seconds of a forward pass without gradients and of a training step, by turns."""
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in calls}

    def forward(call: Call) -> None:
        with torch.no_grad():
            call()

    def train(call: Call) -> None:
        output, leaves = call()
        torch.autograd.grad(output.sum(), [leaf for leaf in leaves if leaf.requires_grad], allow_unused=True)

    for turn in range(turns + 1):
        for name, call in calls.items():
            for kind, run in enumerate((forward, train)):
                run(call)
                start = time.perf_counter()
                run(call)
                if turn:
                    seconds[name][kind].append(time.perf_counter() - start)
    return {name: (statistics.median(f), statistics.median(t)) for name, (f, t) in seconds.items()}


def table(title: str, calls: dict[str, Call], first: str, turns: int, console: Console) -> None:
    """Print the times of calls, and how many times as fast as each of them `first` is."""
    found = time_all(calls, turns)
    shown = Table(title=title)
    for column in ("what", "forward ms", "train ms", f"time / {first}: forward", "train"):
        shown.add_column(column, justify="left" if column == "what" else "right")
    for name, (f, t) in found.items():
        ratios = (f"{mine / base:.2f}" for mine, base in zip((f, t), found[first], strict=True))
        shown.add_row(name, f"{f * 1e3:.2f}", f"{t * 1e3:.2f}", *ratios)
    console.print(shown)


def terms(args: argparse.Namespace, console: Console) -> None:
    """What each term costs beside the plain recurrence."""
    T, B, H = 128, 64, 128
    x = torch.randn(T, B, H, requires_grad=True)
    few = torch.rand(T, B) < 0.01
    every = elman.RNN(H, H, leak=0.2, noise=0.1)
    calls = {
        "plain": direct(elman.RNN(H, H), x),
        "leak": direct(elman.RNN(H, H, leak=0.2), x),
        "learned leak": direct(elman.RNN(H, H, leak=0.2, learn_leak="sigmoid"), x),
        "noise": direct(elman.RNN(H, H, noise=0.1), x),
        "1 % of resets": direct(elman.RNN(H, H), x, reset=few),
        "leak, noise, resets": direct(every, x, reset=few),
        "the same, current form": direct(elman.RNN(H, H, leak=0.2, noise=0.1, form="current"), x, reset=few),
        "sigmoid": direct(elman.RNN(H, H, nonlinearity="sigmoid"), x),
        "softplus": direct(elman.RNN(H, H, nonlinearity="softplus"), x),
        "leak, noise, resets: plain loop": looped(every, x, few, False),
    }
    if not args.no_compile:
        calls["leak, noise, resets: compiled loop"] = looped(every, x, few, True)
    table(f"one layer, B={B} H={H} T={T}", calls, "plain", args.turns, console)


def neuroscience(args: argparse.Namespace, console: Console, N: int) -> None:
    """A leaky, noisy network under Dale's law, with a mask."""
    T, B, I = 200, 32, 6
    x = torch.randn(T, B, I, requires_grad=True)
    mask = (torch.rand(N, N) < 0.2).float()
    mask[torch.arange(N), torch.arange(N).roll(1)] = 1
    layer = elman.nn.CTRNN(I, N, dt=20, tau=100, noise=0.05, dale=0.8, mask=mask)
    elman.nn.init.balanced_dale_(layer, 0.8)
    calls = {"elman.nn.CTRNN": direct(layer, x), "plain loop": looped(layer, x, None, False)}
    if not args.no_compile:
        calls["compiled loop"] = looped(layer, x, None, True)
    with contextlib.suppress(ImportError):
        calls["nn4n"] = nn4n(x, N, mask)
    if args.trainrnnbrain:
        calls["trainRNNbrain"] = train_rnn_brain(x, N, args.trainrnnbrain)
    turns = max(1, args.turns // 3) if N > 500 else args.turns
    table(f"leak, noise, Dale, mask: N={N} B={B} T={T}", calls, "elman.nn.CTRNN", turns, console)


def nn4n(x: Tensor, N: int, mask: Tensor) -> Call:
    """The recurrent layer of nn4n with its constraints, enforced after each step of training as it does."""
    model: Any = importlib.import_module("nn4n.model").CTRNN(
        dims=[x.shape[2], N, 1], tau=100, dt=20, preact_noise=0.05, sparsity_masks=[None, mask, None]
    )
    layer = model.recurrent_layer
    layer.to("cpu")
    return lambda: (layer(x), [x, *(p for p in layer.parameters() if p.requires_grad)])


def train_rnn_brain(x: Tensor, N: int, folder: Path) -> Call:
    """The network of trainRNNbrain: its own loop, without its noise of inputs and outputs."""
    sys.path.insert(0, str(folder))
    with contextlib.redirect_stdout(io.StringIO()):
        network = importlib.import_module("trainRNNbrain.rnns.RNN_torch").RNN_torch
        model = network(
            N,
            dt=20,
            tau=100,
            sigma_rec=0.05,
            sigma_inp=0.0,
            sigma_out=0.0,
            equation_type="h",
            n_inputs=x.shape[2],
            n_outputs=1,
        )
    return lambda: (model(x.permute(2, 0, 1))[0], [x, *(p for p in model.parameters() if p.requires_grad)])


def many(args: argparse.Namespace, console: Console) -> None:
    """V small networks."""
    V, T, B, H = 64, 128, 16, 32
    x = torch.randn(T, B, H, requires_grad=True)
    networks = [elman.RNN(H, H) for _ in range(V)]
    stacked = elman.nn.stack(networks)
    leaves = [p for network in networks for p in network.parameters()]
    w_ih, w_hh = stacked.get_parameter("weight_ih_l0"), stacked.get_parameter("weight_hh_l0")
    bias = stacked.get_parameter("bias_ih_l0")

    def one(w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
        state, outputs = x.new_zeros(B, H), []
        for t in range(T):
            state = torch.tanh(x[t] @ w_ih.t() + state @ w_hh.t() + bias)
            outputs.append(state)
        return torch.stack(outputs)

    parameters, buffers = torch.func.stack_module_state(networks)  # type: ignore[arg-type]

    def functional(parameters: Any, buffers: Any) -> Tensor:
        output: Tensor = torch.func.functional_call(networks[0], (parameters, buffers), (x,))[0]
        return output

    calls: dict[str, Call] = {
        "elman.nn.stack": direct(stacked, x),
        "vmap of functional_call": lambda: (
            torch.func.vmap(functional)(parameters, buffers),
            [x, *parameters.values()],
        ),
        "loop over elman.RNN": lambda: (torch.stack([net(x)[0] for net in networks]), [x, *leaves]),
        "vmap of a torch loop": lambda: (torch.func.vmap(one)(w_ih, w_hh, bias), [x, w_ih, w_hh, bias]),
    }
    table(f"{V} networks, B={B} H={H} T={T}", calls, "elman.nn.stack", args.turns, console)


def low_rank(args: argparse.Namespace, console: Console) -> None:
    """Recurrent weights of rank 8."""
    T, B, I, H = 128, 16, 8, 1024
    x = torch.randn(T, B, I, requires_grad=True)
    factored = constrain(elman.RNN(I, H), LowRank(8))
    factors: Any = factored.parametrizations["weight_hh_l0"]  # type: ignore[index]

    def by_hand() -> tuple[Tensor, list[Tensor]]:
        m, n = factors.original0, factors.original1
        drive = x @ factored.weight_ih_l0.t() + (factored.bias_ih_l0 + factored.bias_hh_l0)
        state, outputs = x.new_zeros(B, H), []
        for t in range(T):
            state = torch.tanh(drive[t] + (state @ n) @ m.t())
            outputs.append(state)
        return torch.stack(outputs), [x, *factored.parameters()]

    calls: dict[str, Call] = {
        "rank 8": direct(factored, x),
        "dense elman.RNN": direct(elman.RNN(I, H), x),
        "rank 8: plain loop": by_hand,
    }
    table(f"low rank, B={B} H={H} T={T} I={I}", calls, "rank 8", args.turns, console)


def processor() -> str:
    """The processor's name, where the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few turns, without the largest networks")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--trainrnnbrain", type=Path, help="the folder of its source")
    args = parser.parse_args()
    if args.quick:
        args.turns = min(args.turns, 3)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    console = Console(width=120)
    isa = cpu.isa() if cpu.available() else "no native library"
    console.print(f"{processor()}, {isa}, {args.threads} threads, torch {torch.__version__}")
    terms(args, console)
    for N in (256,) if args.quick else (256, 1000):
        neuroscience(args, console, N)
    many(args, console)
    low_rank(args, console)


if __name__ == "__main__":
    main()
