"""`elman info`: what this installation is and which backend runs the recurrence."""

from __future__ import annotations

from elman.cli.messages import show_json, show_line
from elman.cli.running import Json


def info(*, json: Json = False) -> None:
    """Show versions, threads, and which backend runs the recurrence.

    Example: elman info
    """
    import platform

    import torch

    import elman
    from elman.kernels import describe_backends, describe_choices
    from elman.kernels.cpu.library import available, processors

    threads = f"{torch.get_num_threads()} threads"
    if available() and processors() < torch.get_num_threads():
        threads += f", of which the layer uses {processors()}: this process may use no more processors"
    facts = {
        "elman": elman.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": f"{platform.machine()}, {threads}",
        **{f"backend {name}": what for name, what in describe_backends().items()},
        **{f"runs {what}": choice for what, choice in describe_choices().items()},
    }
    if json:
        show_json(facts)
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        show_line(f"{name:<{width}}  {value}")
