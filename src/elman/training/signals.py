"""Ctrl-C and SIGTERM during training: finish the step, save, say where, and go."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType


class Interrupted(Exception):  # noqa: N818  (not an error: a wish obeyed)
    """Training was asked to stop and did: everything is saved. `code` is the exit status that shells expect."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Interrupt:
    """While inside, a first SIGINT or SIGTERM is remembered instead of obeyed; a second one is obeyed at once.

    Does nothing when `active` is False (several processes stop together, by their launcher) or outside the main thread.
    """

    def __init__(self, active: bool) -> None:
        self._active = active and threading.current_thread() is threading.main_thread()
        self._signal = 0
        self._before: dict[int, signal.Handlers | int | None] = {}

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._signal != 0

    def raise_if_asked(self, step: int, folder: Path) -> None:
        """Raise `Interrupted` if a signal came; call it after saving."""
        if self.asked:
            message = f"stopped at step {step}, saved in {folder}; go on with `resume` and `out={folder}`"
            raise Interrupted(message, 128 + self._signal)

    def __enter__(self) -> Interrupt:
        for number in (signal.SIGINT, signal.SIGTERM) if self._active else ():
            self._before[number] = signal.signal(number, self._remember)  # type: ignore[assignment]
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
