"""uvicorn with what it lacks: a time within which a request's head must come, and streams that end when it stops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from elman.errors import UserError, optional_imports
from elman.web.service.application import Application
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import LINGER_SECONDS

with optional_imports():
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 1 << 16
"""Of a request's line and headers."""
HEAD_SECONDS = 10.0
"""Until they have come."""
GRACE_SECONDS = 10.0
"""Until requests in flight are given up, when the server stops."""
LAST_SECONDS = 1.0
"""In which those requests' clients take their answer, before their connections are cut."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose next head does not come in time, or is too large."""

    _timer: asyncio.TimerHandle | None = None
    _head = 0
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head."""
        if self._refused:
            return
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()
        if self._timer is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES and b"\r\n\r\n" not in data:
                self._refuse(b"431 Request Header Fields Too Large")
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._done()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._head = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _done(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.transport is not None and not self.transport.is_closing():
            self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        """Answer, read and drop what still comes for a moment, and close (as `problems` does, for the same reason)."""
        self._done()
        self._refused = True
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n\r\n")
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


class Server(uvicorn.Server):
    """Ends open streams first when it stops, and answers what it gives up.

    Arguments:
        application: what is served.
        started: called when requests are taken.
    """

    def __init__(self, config: uvicorn.Config, application: Application, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._application = application
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, end the streams, and let requests in flight end, or give them up after `GRACE_SECONDS`."""
        self._application.stop()
        loop = asyncio.get_running_loop()
        timers = [
            loop.call_later(GRACE_SECONDS, self._give_up),
            loop.call_later(GRACE_SECONDS + LAST_SECONDS, self._cut, False),
        ]
        await super().shutdown(sockets)
        for timer in timers:
            timer.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal, and end the process at the second."""
        if self.should_exit:
            end_process(sig)
        super().handle_exit(sig, frame)

    def _give_up(self) -> None:
        """Have what is not answered yet answered with 503, which the application does where a task is cancelled."""
        self._cut(True)
        for task in self.server_state.tasks:
            task.cancel()

    def _cut(self, begun: bool) -> None:
        """Cut connections: those alone whose answer has begun, which can have no other any more, or all."""
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if connection.transport is not None and (not begun or (cycle is not None and cycle.response_started)):
                connection.transport.abort()


def end_process(number: int) -> NoReturn:
    """End at once, as a signal would.

    A thread that predicts may be in native code, where the interpreter's own end aborts the process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # a stream is closed, or written to just now
        sys.stdout.flush()
        sys.stderr.flush()
    with contextlib.suppress(OSError):
        os.write(2, b"elman: stopped\n")
    os._exit(128 + number)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes any that is free.

    Raises:
        UserError: the address is taken, or is none of this computer.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with contextlib.ExitStack() as stack:
            found = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(512)
            stack.pop_all()
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"cannot listen on {host}, port {port}: {reason.lower()}; choose another `port`") from error
    return found


def serve(application: Application, listener: socket.socket, limits: Limits, started: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, which end the process.

    Requests in flight are answered first; after `GRACE_SECONDS`, with 503. A second signal waits for nothing.
    """
    settle()
    try:
        serving(application, limits, started).run([listener])
    except KeyboardInterrupt:
        end_process(signal.SIGINT)


def settle() -> None:
    """Leave what was loaded to itself: the garbage collector, which would walk it all in a tenth of a second, does not.

    Requests wait while it walks; what they leave behind is still collected.
    """
    gc.collect()
    gc.freeze()


def serving(application: Application, limits: Limits, started: Callable[[], None]) -> Server:
    """uvicorn's server of an application."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    options: dict[str, Any] = {
        "http": BoundedProtocol,
        "ws": "websockets-sansio",
        "ws_max_size": limits.body_bytes,
        "ws_ping_interval": 20.0,
        "ws_per_message_deflate": False,  # what is packed may hold a thousand times as much
        "limit_concurrency": limits.connections,
        "timeout_keep_alive": 30,
        "timeout_graceful_shutdown": GRACE_SECONDS + 2 * LAST_SECONDS,  # `Server` is done before
        "server_header": False,
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
    }
    return Server(uvicorn.Config(application.asgi, **options), application, started)
