"""Compile every kernel of the Triton backend for GPUs that need not be there, and print what each takes of one.

Shared memory must stay below a block's limit (163 KiB on sm_80, 227 on sm_90); a stack is what the
registers had no room for. Run: python benchmarks/gpu_compile.py [--widths 16 64 128]
"""

from __future__ import annotations

import argparse
import inspect
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
import triton
from rich.console import Console
from rich.table import Table
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from elman.kernels.triton import backward as triton_backward
from elman.kernels.triton import forward as triton_forward
from elman.kernels.triton import launch
from elman.kernels.triton.general import backward as general_backward
from elman.kernels.triton.general import forward as general_forward
from elman.kernels.triton.general import noise, noise_launch
from elman.kernels.triton.general.runs import general_blocks

LIMIT = {80: 163 * 1024, 90: 227 * 1024}
NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
POINTERS = {"lengths": "*i64", "seeds": "*i64", "reset": "*u8"} | dict.fromkeys(
    ("g_in", "g_out", "c", "leak_sums", "restart_sums", "partial"), "*fp32"
)
SIZES = ("t", "after", "T", "B", "H", "K", "N", "P", "r", "stride_k", "stride_h")
OPTIONAL = (
    *("w_in", "leak", "restart", "lengths", "mask", "reset", "extra"),
    *("grad_h_last", "moved", "leak_sums", "restart_sums"),
)
RANK = 16


@dataclass(frozen=True)
class Variant:
    """A kernel, and which of the things that it can be asked for: all of them but those `without`."""

    kernel: Any
    terms: str
    constants: dict[str, Any]
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        module = self.kernel.fn.__module__
        return ("general." if ".general." in module else "") + self.kernel.__name__

    @property
    def walks(self) -> bool:
        return self.kernel.__name__.startswith("walk")

    def blocks(self, H: int, dtype: torch.dtype) -> dict[str, int]:
        """Its tile and its warps."""
        if self.kernel in (noise.add_noise, noise.noise_gradient):
            return noise_launch.BLOCKS | ({"TILES": noise_launch.TILES} if self.kernel is noise.noise_gradient else {})
        if not self.walks:
            return launch.STEP_BLOCKS
        if self.name.startswith("general"):
            return general_blocks(H, H if "w_in" in self.without else RANK)
        return launch.walk_blocks(H, dtype)


def variants() -> Iterator[Variant]:
    """Every kernel; of the general ones, the current form of softplus and the rate form of tanh, dense and low rank."""
    plain = {"RELU": False, "REVERSE": True, "RESIDUAL": True}
    for kernel in (triton_forward.walk, triton_backward.walk_back, triton_forward.step, triton_backward.step_back):
        yield Variant(kernel, "identity connection", plain)
    for f, form in (("tanh", "rate"), ("softplus", "current")):
        given = {"F": f, "REVERSE": True, "RESIDUAL": False, "CURRENT": form == "current"}
        for kernel, low in product((general_forward.walk, general_backward.walk_back), (False, True)):
            terms = f"{form}, {f}" + (f", rank {RANK}" if low else "")
            yield Variant(kernel, terms, given, () if low else ("w_in",))
        yield Variant(general_forward.step, f"{form}, {f}", given)
        yield Variant(general_backward.step_back, f"{form}, {f}", given)
    given = {"F": "identity", "REVERSE": False, "RESIDUAL": True, "CURRENT": False}
    for module, name in product((general_forward, general_backward), ("walk", "step")):
        kernel = getattr(module, name + ("_back" if module is general_backward else ""))
        yield Variant(kernel, "bare, identity", given, OPTIONAL)
    yield Variant(noise.add_noise, "", {})
    yield Variant(noise.noise_gradient, "", {})


def compiled(variant: Variant, dtype: torch.dtype, arch: int, H: int, precision: str) -> Any:
    """The kernel with lengths, mask, reverse, and of the general ones a leak, resets and every gradient."""
    options = dict(variant.blocks(H, dtype))
    warps = options.pop("num_warps", 4)
    names = inspect.signature(variant.kernel.fn).parameters
    given = options | variant.constants | dict.fromkeys(variant.without) | {"PRECISION": precision}
    constants = {name: value for name, value in given.items() if name in names}
    signature = {}
    for name in names:
        pointer = POINTERS.get(name, f"*{NAMES[dtype]}")
        number = "i64" if name == "stride" else "i32" if name in SIZES else pointer
        signature[name] = "constexpr" if name in constants else number
    source = ASTSource(variant.kernel, signature, constants)
    return triton.compile(
        source, target=GPUTarget("cuda", arch, 32), options={"num_warps": warps, "enable_fp_fusion": True}
    )


def resources(cubin: bytes) -> dict[str, str]:
    """REG, STACK and so on of a compiled kernel, as cuobjdump tells them."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(cubin)
        text = subprocess.run([tool, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True)
    line = next(line for line in text.stdout.splitlines() if "REG:" in line)
    return dict(word.split(":", 1) for word in line.split() if ":" in word)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="*", default=[16, 64, 128], help="H of the kernels that walk")
    parser.add_argument("--arch", type=int, nargs="*", default=[80, 90])
    options = parser.parse_args()
    table = Table("kernel", "terms", "dtype", "sm", "H", "products", "shared, KiB", "registers", "stack, bytes")
    for arch, dtype, variant in product(options.arch, NAMES, variants()):
        widths = [H for H in options.widths if launch.walks(H, dtype)] if variant.walks else [0]
        multiplies = "PRECISION" in inspect.signature(variant.kernel.fn).parameters
        both = ("ieee", "tf32") if dtype == torch.float32 and multiplies else ("tf32",)
        for H, precision in product(widths, both):
            made = compiled(variant, dtype, arch, H, precision)
            assert made.metadata.shared <= LIMIT[arch], (variant.name, dtype, H, made.metadata.shared)
            used = resources(made.asm["cubin"])
            shown = "none" if not multiplies else precision if dtype == torch.float32 else "exact"
            row = (variant.name, variant.terms, NAMES[dtype], arch, H or "any", shown)
            table.add_row(*map(str, (*row, round(made.metadata.shared / 1024), used["REG"], used["STACK"])))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
