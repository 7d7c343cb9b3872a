"""The peers of peers.py: each as calls to time, once its values and gradients are those of elman."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

import elman
from elman.errors import UserError
from layer import Run, jax_runs, onnx_runs, torch_runs
from onednn import WRITTEN, OneDNN

NAMES = {
    "onednn": "oneDNN",
    "onednn-kept": "layouts kept",
    "torch": "torch",
    "jax": "JAX",
    "onnxruntime": "onnxruntime",
}
PACKAGES = {"jax": ("jax",), "onnxruntime": ("onnxruntime", "onnx")}
TOLERANCE = 1e-4  # of the largest entry; sums of 2**15 products of float32 differ by some 1e-6 of it


class Peers:
    """The peers by name; without names all that are installed, and oneDNN in any case.

    Raises:
        UserError: one that is asked for is not installed.
    """

    def __init__(self, names: Sequence[str] | None, prefix: Path, threads: int) -> None:
        absent = {name: package for name in PACKAGES for package in PACKAGES[name] if not _installed(package)}
        for name in names or ():
            if name in absent:
                raise UserError(f"{name} is not installed: `pip install {absent[name]}`")
        self.names = [name for name in NAMES if (name in names if names else name not in absent)]
        self._threads = threads
        self._onednn = OneDNN(prefix) if {"onednn", "onednn-kept"} & set(self.names) else None
        self.versions = [self._onednn.version] if self._onednn else []
        self.versions += [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES if name in self.names]

    @contextmanager
    def made(
        self, name: str, torch_layer: torch.nn.RNN, layer: elman.RNN, x: Tensor, grad: Tensor
    ) -> Iterator[dict[str, Run]]:
        """A peer's passes by name, for as long as the context lasts; the weights are those of both layers.

        Raises:
            UserError: its values or gradients are not those of `layer`.
        """
        expected = _results(layer, x, grad)
        if name == "torch":
            _compare(name, _results(torch_layer, x, grad), expected)
            yield torch_runs(torch_layer, x, grad, None)
        elif name == "jax":
            runs = jax_runs(torch_layer, x, grad)
            written = (runs["forward"](), *runs["train"]()[:4])
            _compare(name, dict(zip(WRITTEN, (_tensor(array) for array in written), strict=True)), expected)
            yield runs
        elif name == "onnxruntime":
            runs = onnx_runs(torch_layer, x, self._threads)
            _compare(name, {"h": _tensor(runs["forward"]()[0]).squeeze(1)}, expected)
            yield runs
        else:
            yield from self._onednn_runs(name, layer, x, grad, expected)

    def _onednn_runs(
        self, name: str, layer: elman.RNN, x: Tensor, grad: Tensor, expected: dict[str, Tensor]
    ) -> Iterator[dict[str, Run]]:
        assert self._onednn is not None
        own = self._onednn.layer(x, layer.all_weights[0], grad)
        try:
            forward, train = own.forward(), own.train(reorder=True)
            forward()
            _compare(name, {"h": own.results["h"].clone()}, expected)
            train()
            _compare(name, own.results, expected)
            kept = name == "onednn-kept"
            yield {"train": own.train(reorder=False)} if kept else {"forward": forward, "train": train}
        finally:
            own.close()


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _tensor(array: object) -> Tensor:
    return torch.from_dlpack(array)


def _results(layer: torch.nn.RNN | elman.RNN, x: Tensor, grad: Tensor) -> dict[str, Tensor]:
    """What a layer writes, by the names of `WRITTEN`; both biases have one gradient."""
    leaf = x.clone().requires_grad_()
    h = layer(leaf)[0]
    gradients = torch.autograd.grad(h, [leaf, *layer.all_weights[0][:3]], grad)
    return dict(zip(WRITTEN, (h.detach(), *gradients), strict=True))


def _compare(name: str, results: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for what, theirs in results.items():
        ours = expected[what]
        distance = (theirs - ours).abs().max() / ours.abs().max().clamp(min=1e-3)
        if not distance <= TOLERANCE:
            raise UserError(
                f"{name} disagrees with elman in {what} at {tuple(expected['h'].shape)} (T, B, H): "
                f"{float(distance):.1e} of the largest entry apart; no time is printed"
            )
