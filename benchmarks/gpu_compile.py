"""Compile every kernel of the Triton backend for GPUs that need not be there, and print what each takes of one.

Shared memory must stay below a block's limit (163 KiB on sm_80, 227 on sm_90); a stack is what the
registers had no room for. Run: python benchmarks/gpu_compile.py [--widths 16 64 128]
"""

from __future__ import annotations

import argparse
import inspect
import subprocess
import tempfile
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

LIMIT = {80: 163 * 1024, 90: 227 * 1024}
NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
KERNELS = (triton_forward.walk, triton_backward.walk_back, triton_forward.step, triton_backward.step_back)


def compiled(kernel: Any, dtype: torch.dtype, arch: int, blocks: dict[str, int], precision: str) -> Any:
    """The kernel with everything that it can be asked for: lengths, mask, identity connection, reverse."""
    options = dict(blocks)
    warps = options.pop("num_warps", 4)
    constants = options | {"RELU": False, "REVERSE": True, "RESIDUAL": True, "PRECISION": precision}
    signature = {}
    for name in inspect.signature(kernel.fn).parameters:
        pointer = {"lengths": "*i64", "g_in": "*fp32", "g_out": "*fp32"}.get(name, f"*{NAMES[dtype]}")
        signature[name] = "constexpr" if name in constants else "i32" if name in ("t", "T", "B", "H") else pointer
    source = ASTSource(kernel, signature, constants)
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
    table = Table("kernel", "dtype", "sm", "H", "products", "shared, KiB", "registers", "stack, bytes")
    for arch in options.arch:
        for dtype in NAMES:
            for kernel in KERNELS:
                walking = kernel.__name__.startswith("walk")
                widths = [H for H in options.widths if launch.walks(H, dtype)] if walking else [0]
                for H in widths:
                    for precision in ("ieee", "tf32") if dtype == torch.float32 else ("tf32",):
                        blocks = launch.walk_blocks(H, dtype) if walking else launch.STEP_BLOCKS
                        made = compiled(kernel, dtype, arch, blocks, precision)
                        assert made.metadata.shared <= LIMIT[arch], (kernel.__name__, dtype, H, made.metadata.shared)
                        used = resources(made.asm["cubin"])
                        shown = precision if dtype == torch.float32 else "exact"
                        row = (kernel.__name__, NAMES[dtype], arch, H or "any", shown)
                        row += (round(made.metadata.shared / 1024), used["REG"], used["STACK"])
                        table.add_row(*map(str, row))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
