"""Events from a thread to the event loop: what is said bit by bit has a thread of its own, at its reader's pace."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator

from elman.errors import UserError
from elman.training.predicting.input_stream import Event
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import Problem, Unavailable
from elman.web.service.telemetry import Telemetry

log = logging.getLogger("elman")
_AHEAD = 32
"""Events that are said before the reader has taken them."""
_LOOK = 0.5
"""Seconds between two looks at whether anyone still reads."""
Make = Callable[[], Iterator[Event]]
_Item = Event | Exception | None


class Pump:
    """One stream's thread. What a network carries from piece to piece stays in it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._work: queue.SimpleQueue[tuple[Make, asyncio.Queue[_Item]] | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_AHEAD)
        self._over = threading.Event()
        self._open: asyncio.Queue[_Item] | None = None
        threading.Thread(target=self._run, name="stream", daemon=True).start()

    async def events(self, make: Make) -> AsyncIterator[Event]:
        """What `make` says, which is called in the stream's thread.

        Raises:
            Problem: the task cannot read the input (422), or fails (500).
            Unavailable: the server stops.
        """
        found: asyncio.Queue[_Item] = asyncio.Queue()
        self._open = found
        self._work.put((make, found))
        while (item := await found.get()) is not None:
            self._room.release()
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        """Stop as soon as the thread has something to say."""
        self._over.set()
        self._work.put(None)

    def stop(self) -> None:
        """End a stream that is being read, since the server stops."""
        self.close()
        if self._open is not None:
            self._open.put_nowait(Unavailable("the server stops", 5))

    def _run(self) -> None:
        import torch

        torch.set_grad_enabled(False)
        while (work := self._work.get()) is not None:
            make, found = work
            try:
                for event in make():
                    if not self._said(event, found):
                        return
            except Problem as error:
                self._said(error, found)
            except UserError as error:
                self._said(Problem(422, str(error)), found)
            except Exception as error:
                log.exception("a stream failed")
                self._said(Problem(500, f"{type(error).__name__} while predicting; the server's log has more"), found)
            try:
                self._loop.call_soon_threadsafe(found.put_nowait, None)
            except RuntimeError:  # the loop is closed
                return

    def _said(self, item: _Item, found: asyncio.Queue[_Item]) -> bool:
        while not self._room.acquire(timeout=_LOOK):
            if self._over.is_set():
                return False
        if self._over.is_set():
            return False
        try:
            self._loop.call_soon_threadsafe(found.put_nowait, item)
        except RuntimeError:
            return False
        return True


class Pumps:
    """All streams that are open, of which there are not too many."""

    def __init__(self, limits: Limits, telemetry: Telemetry) -> None:
        self._limits = limits
        self._telemetry = telemetry
        self._open: set[Pump] = set()
        self._stopped = False

    def open(self) -> Pump:
        """A pump, to be closed by `close`.

        Raises:
            Unavailable: there are as many as may be, or the server stops.
        """
        if self._stopped:
            raise Unavailable("the server stops", 5)
        if len(self._open) >= self._limits.streams:
            self._telemetry.refused.labels("streams").inc()
            raise Unavailable(f"{len(self._open)} streams are open, and no more are taken; try again later", 5)
        pump = Pump()
        self._open.add(pump)
        self._telemetry.streams.set(len(self._open))
        return pump

    def close(self, pump: Pump) -> None:
        """Let go of a stream."""
        pump.close()
        self._open.discard(pump)
        self._telemetry.streams.set(len(self._open))

    def stop(self) -> None:
        """End all streams, since the server stops."""
        self._stopped = True
        for pump in self._open:
            pump.stop()
