"""`elman info`: what this installation is and which machine runs the recurrence."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def info(
    *, json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON, for machines.")] = False
) -> None:
    """Show versions, threads, and which machine runs the recurrence.

    Example: elman info
    """
    import json as json_format
    import platform

    import torch

    import elman
    from elman.kernels import describe
    from elman.kernels.cpu import backend as cpu

    fused = cpu.available()
    slow = "reference (plain torch), because elman was installed without its native library"
    backend = f"fused C++, {cpu.isa()}" if fused else f"{slow}: {cpu.why_missing()}"
    facts = {
        "elman": elman.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "machine for the CPU": backend,
    }
    on_gpu = {name: value for name, value in describe().items() if "cuda" in name}
    facts |= on_gpu or {"machine for cuda": "no CUDA GPU"}
    if json:
        print(json_format.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
