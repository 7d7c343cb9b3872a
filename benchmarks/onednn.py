"""oneDNN's vanilla RNN for peers.py: onednn.cpp compiled against an installed oneDNN, and called in this process.

It is looked for where a wheel puts it, PREFIX/include and PREFIX/lib, PREFIX being a virtual environment, or any
place that oneDNN's own `cmake --install` wrote to. One process can hold one oneDNN only.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from elman.errors import UserError

SOURCE = Path(__file__).with_name("onednn.cpp")
RUNTIMES = {1: "one thread", 2: "OpenMP", 4: "TBB", 8: "a thread pool", 512: "TBB by way of SYCL"}
WRITTEN = ("h", "grad_x", "grad_w_ih", "grad_w_hh", "grad_bias")
_STEP = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class OneDNN:
    """An installed oneDNN.

    Raises:
        UserError: it, its headers or a compiler are missing, or it has no processor to run on.
    """

    def __init__(self, prefix: Path) -> None:
        missing = [
            name for name in ("include/oneapi/dnnl/dnnl.hpp", "lib/libdnnl.so.3") if not (prefix / name).exists()
        ]
        if missing:
            raise UserError(f"no {missing[0]} in {prefix}: `pip install onednn onednn-devel`, or `--onednn PREFIX`")
        icd = prefix / "lib" / "libintelocl.so"
        if icd.exists():  # the build for SYCL finds the processor by OpenCL alone
            os.environ.setdefault("OCL_ICD_FILENAMES", str(icd))
        self._library = ctypes.CDLL(str(_compiled(prefix)))
        self._library.peer_new.restype = ctypes.c_void_p
        numbers = (ctypes.c_int * 4)()
        self._library.peer_version(numbers)
        self.version = "oneDNN {}.{}.{} on {}".format(*numbers[:3], RUNTIMES.get(numbers[3], f"runtime {numbers[3]}"))

    def layer(self, x: Tensor, weights: list[Tensor], grad_h: Tensor) -> Layer:
        """A layer of the weights w_ih, w_hh and two biases, for this input and this gradient of the output."""
        return Layer(self._library, x, weights, grad_h)


class Layer:
    """One layer on x (T, B, I); what it computes lies in `results`, by name."""

    def __init__(self, library: ctypes.CDLL, x: Tensor, weights: list[Tensor], grad_h: Tensor) -> None:
        w_ih, w_hh, b_ih, b_hh = (weight.detach() for weight in weights)
        bias = b_ih + b_hh
        self._kept = [x, w_ih, w_hh, bias, grad_h]
        shapes = zip(WRITTEN, (grad_h, x, w_ih, w_hh, bias), strict=True)
        self.results = {name: torch.full_like(like, torch.nan) for name, like in shapes}
        tensors = (*self._kept, *self.results.values())
        if not all(tensor.is_contiguous() and tensor.dtype is torch.float32 for tensor in tensors):
            raise ValueError("expected contiguous float32 tensors")
        self._pointers = (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
        (T, B, I), H = x.shape, w_hh.shape[0]
        says = ctypes.create_string_buffer(500)
        sizes = (ctypes.c_int64(size) for size in (T, B, I, H))
        layer = library.peer_new(*sizes, self._pointers, says, ctypes.c_size_t(len(says)))
        self.kernels = says.value.decode()
        if not layer:
            raise UserError(f"oneDNN refuses B={B} H={H} T={T}: {self.kernels}")
        self._library, self._layer = library, ctypes.c_void_p(layer)

    def forward(self) -> Callable[[], None]:
        """A call of the forward pass; the weights are in oneDNN's layouts already."""
        function, layer = self._library.peer_infer, self._layer
        function.restype = None
        return lambda: function(layer)

    def train(self, *, reorder: bool) -> Callable[[], None]:
        """A call of both passes, with or without the way from the caller's weights and to the caller's gradients."""
        function, layer, flag = self._library.peer_train, self._layer, ctypes.c_int(reorder)
        function.restype = None
        return lambda: function(layer, flag)

    def close(self) -> None:
        """Free it; its calls may not be used any more."""
        self._library.peer_delete(self._layer)


def _compiled(prefix: Path) -> Path:
    """The library made of onednn.cpp for this oneDNN; made once for each."""
    library = prefix / "lib" / "libdnnl.so.3"
    key = hashlib.sha256(f"{library.resolve()} {library.stat().st_mtime}".encode() + SOURCE.read_bytes()).hexdigest()
    made = Path(tempfile.gettempdir()) / f"elman-benchmark-{os.getuid()}" / f"onednn-{key[:16]}.so"
    if made.exists():
        return made
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        raise UserError("no g++ to compile benchmarks/onednn.cpp with: install it, or name another compiler in CXX")
    made.parent.mkdir(mode=0o700, exist_ok=True)
    # an rpath of the old kind holds for the libraries that libdnnl itself needs (TBB, SYCL), too
    linking = f"-Wl,--disable-new-dtags,-rpath,{library.parent},--allow-shlib-undefined"
    command = [compiler, "-std=c++17", "-O2", "-shared", "-fPIC", str(SOURCE), f"-I{prefix / 'include'}", linking]
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        new = Path(folder) / "new.so"
        done = subprocess.run([*command, str(library), "-o", str(new)], capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{compiler} cannot compile benchmarks/onednn.cpp: {done.stderr.strip().splitlines()[-1]}")
        new.replace(made)
    return made
