"""Ctrl-C and SIGTERM during training: finish the step, save, say where, and go."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType


class Interrupted(Exception):  # noqa: N818  (not an error: a wish obeyed)
    """Training was asked to stop and did: everything is saved.

    Attributes:
        code: the exit status that shells expect.
        step, folder: after which step, and where it is saved; None where another than the loop of training stopped.
    """

    def __init__(self, message: str, code: int, step: int = 0, folder: Path | None = None) -> None:
        super().__init__(message)
        self.code, self.step, self.folder = code, step, folder


class Interrupt:
    """While inside, a first SIGINT or SIGTERM is remembered instead of obeyed; a second one is obeyed at once.

    Several processes stop after the same step: each says with every step what it was sent, and obeys what they agree
    upon. Does nothing outside the main thread.

    Attributes:
        sent: the number of the signal that this process was sent, 0 for none.
    """

    def __init__(self, alone: bool) -> None:
        self._active = threading.current_thread() is threading.main_thread()
        self._alone = alone
        self._agreed = 0
        self.sent = 0
        self._before: dict[int, signal.Handlers | int | None] = {}

    @property
    def asked(self) -> bool:
        """Whether a signal came, to this process or, of several, to any."""
        return self._number != 0

    @property
    def _number(self) -> int:
        return self.sent if self._alone else self._agreed

    def agree(self, number: int) -> None:
        """Take in the signal, or 0, that the processes act upon after this step."""
        self._agreed = number

    def stopped(self, step: int, folder: Path) -> Interrupted:
        """What to raise after saving."""
        message = f"stopped at step {step}, saved in {folder}; go on with `resume` and `out={folder}`"
        return Interrupted(message, 128 + self._number, step, folder)

    def __enter__(self) -> Interrupt:
        for number in (signal.SIGINT, signal.SIGTERM) if self._active else ():
            self._before[number] = signal.signal(number, self._remember)  # type: ignore[assignment]
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.sent = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
