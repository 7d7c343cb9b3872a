"""TensorBoard event files, where they were asked for."""

from __future__ import annotations

from typing import Any

from elman.errors import optional_imports
from elman.training.run_folder import RunFolder


class Scalars:
    """Writes metrics as TensorBoard scalars into the run folder; does nothing when not `wanted`."""

    def __init__(self, folder: RunFolder, wanted: bool) -> None:
        self._writer: Any = _writer(folder) if wanted else None

    def add(self, metrics: dict[str, float], step: int) -> None:
        """Write metrics at a step."""
        if self._writer:
            for name, value in metrics.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer:
            self._writer.close()


def _writer(folder: RunFolder) -> Any:
    with optional_imports():
        from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder.inner("tensorboard")))
