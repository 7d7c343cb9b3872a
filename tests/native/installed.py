"""Try an installation: its library computes a recurrence right, and with torch the layer runs on it.

    python tests/native/installed.py            the elman that this Python has
    python tests/native/installed.py WHEEL      the library in a wheel, without torch and without installing it

Prints what it found; an AssertionError says what is wrong. It stands alone: pytest is not there where wheels are tried.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import math
import random
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

LIBRARIES = (".so", ".dylib", ".dll")
Numbers = ctypes.Array[ctypes.c_double]


def in_wheel(wheel: Path, folder: Path) -> Path:
    """The native library of a wheel, taken out into `folder`."""
    with zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if Path(name).suffix in LIBRARIES]
        assert len(inside) == 1, f"{wheel.name} holds {inside or 'no native library'}"
        return Path(archive.extract(inside[0], folder))


def installed() -> Path:
    """The native library of the installed elman, without importing it."""
    files = importlib.metadata.files("elman") or []
    found = [file.locate() for file in files if file.suffix in LIBRARIES]
    assert len(found) == 1, f"the installed elman has {found or 'no native library'}"
    return Path(str(found[0]))


def layout_of(library: ctypes.CDLL, name: str) -> tuple[int, dict[str, int]]:
    """A struct of the C interface: its size and each field's offset, in bytes."""
    library.elman_layout.restype = ctypes.c_char_p
    line = next(line for line in library.elman_layout().decode().splitlines() if line.split()[0] == name)
    _, size, *fields = line.split()
    return int(size), {field.split(":")[0]: int(field.split(":")[1]) for field in fields}


T, B, I, H = 12, 8, 16, 67  # enough to do for two threads, and no multiple of a vector


def numbers(count: int, chance: random.Random) -> Numbers:
    """That many, from -1/2 to 1/2."""
    return (ctypes.c_double * count)(*(chance.uniform(-0.5, 0.5) for _ in range(count)))


@functools.cache
def example() -> tuple[dict[str, Numbers], list[float]]:
    """Inputs, weights and first states by their names in the C interface, and h_T as Python computes it."""
    chance = random.Random(1)
    sizes = {"x": T * B * I, "h0": B * H, "w_ih": H * I, "w_hh": H * H, "bias": H}
    given = {name: numbers(size, chance) for name, size in sizes.items()}
    x, h, w_ih, w_hh, bias = (list(array) for array in given.values())
    for t in range(T):
        before = h
        h = []
        for b in range(B):
            x_t, h_t = x[(t * B + b) * I : (t * B + b + 1) * I], before[b * H : (b + 1) * H]
            for j in range(H):
                products = zip((*x_t, *h_t), (*w_ih[j * I : (j + 1) * I], *w_hh[j * H : (j + 1) * H]), strict=True)
                h.append(math.tanh(math.fsum(one * other for one, other in products) + bias[j]))
    return given, h


def last_state(library: ctypes.CDLL, threads: int) -> list[float]:
    """h_T of the example as the library computes it."""
    size, at = layout_of(library, "elman_call")
    h, last, call = (ctypes.c_double * (T * B * H))(), (ctypes.c_double * (B * H))(), bytearray(size)
    arrays = {**example()[0], "h": h, "h_last": last}
    fields = {"T": T, "B": B, "I": I, "H": H, "dtype": 1, "threads": threads}
    fields |= {name: ctypes.addressof(array) for name, array in arrays.items()}
    for name, value in fields.items():
        struct.pack_into("q", call, at[name], value)
    struct.pack_into("qqq", call, at["x_stride"], B * I, I, 1)
    struct.pack_into("qq", call, at["h_stride"], B * H, H)
    assert library.elman_forward(ctypes.create_string_buffer(bytes(call), size), ctypes.c_int64(1)) == 0
    return list(last)


def check_library(path: Path) -> str:
    """h_t = tanh(W_ih x_t + W_hh h_(t-1) + b) against the same in Python, on every instruction set that runs here."""
    library = ctypes.CDLL(str(path))
    wanted, tried = example()[1], []
    for isa in ("avx512bf16", "avx512", "avx2", "portable"):
        if library.elman_set_isa(isa.encode()):
            continue
        for threads in (1, 2):
            found = last_state(library, threads)
            worst = max(abs(one - other) for one, other in zip(found, wanted, strict=True))
            assert worst < 1e-13, f"{isa}, {threads} threads: off by {worst}"
        tried.append(isa)
    assert tried, "no instruction set of the library runs here"
    return f"{path.name}: {', '.join(tried)} right; {library.elman_processors()} processors"


def check_layer() -> str:
    """The layer runs on the native library, forwards and backwards as torch.nn.RNN does."""
    import torch

    import elman
    from elman.kernels import select_backend
    from elman.kernels.options import PLAIN

    assert select_backend(PLAIN, torch.device("cpu"), torch.float32).name == "cpu"
    theirs = torch.nn.RNN(16, 48, num_layers=2)
    ours = elman.RNN(16, 48, num_layers=2)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(20, 4, 16)
    for rnn in (theirs, ours):
        rnn(x)[0].square().mean().backward()
    for (name, one), other in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-6, msg=name)
    return f"elman {elman.__version__} at {Path(elman.__file__).parent}, torch {torch.__version__}: as torch.nn.RNN"


def main(words: list[str]) -> None:
    """Try what was named and say so."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a loaded library stays on Windows
        print(check_library(in_wheel(Path(words[0]), Path(folder)) if words else installed()))
    if not words and importlib.util.find_spec("torch"):
        print(check_layer())


if __name__ == "__main__":
    main(sys.argv[1:])
