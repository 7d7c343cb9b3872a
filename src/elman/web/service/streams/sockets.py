"""A stream over a WebSocket: pieces come, events go back, and the network's state is carried from piece to piece.

The client's first message is {"options": {...}}; then {"piece": ...} for each piece, or bytes of 16-bit sound, and
{"finish": true}. The server answers a piece with its events and {"event": "read"}, and the last with {"event": "end"}.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from elman.training.predicting.input_stream import Event, InputStream
from elman.web.service.requests.bodies import PieceBody, read_json
from elman.web.service.requests.encoding import encode_json
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import Problem, Unavailable
from elman.web.service.served_run import ServedRun
from elman.web.service.streams.pump import Pump

BAD, TOO_LONG, AGAIN, AWAY = 1008, 1009, 1013, 1001
DEFAULT_RATE = 16_000


async def converse(socket: WebSocket, served: ServedRun, pump: Pump, limits: Limits) -> None:
    """Answer pieces until the client has finished, has gone, says nothing for long, or sends what cannot be read."""
    try:
        first = await _message(socket, limits)
        if not isinstance(first, PieceBody) or first.options is None:
            raise Problem(422, 'the first message is {"options": {...}}; send that')
        options = served.options(first.options)
        stream: list[InputStream] = []
        takes, rate = served.streams or "nothing", first.rate or DEFAULT_RATE

        def begun() -> Iterator[Event]:
            stream.append(served.run.open_stream(options))
            yield {"event": "ready", "takes": takes}

        await _tell(socket, pump, begun)
        while True:
            message = await _message(socket, limits)
            piece = _piece(message, takes, rate)
            if isinstance(message, PieceBody) and message.finish:
                if piece is not None:
                    await _tell(socket, pump, lambda piece=piece: stream[0].push(piece))  # type: ignore[misc]
                await _tell(socket, pump, stream[0].finish)
                await _send(socket, {"event": "end"})
                await socket.close()
                return
            if piece is None:
                raise Problem(422, 'a message has neither "piece" nor "finish"; send one of the two')
            await _tell(socket, pump, lambda piece=piece: stream[0].push(piece))  # type: ignore[misc]
            await _send(socket, {"event": "read"})
    except WebSocketDisconnect:
        return
    except Unavailable as error:
        await refuse(socket, error, AWAY)
    except Problem as error:
        await refuse(socket, error, BAD)


async def refuse(socket: WebSocket, problem: Problem, code: int) -> None:
    """Say what is wrong as an event, and close."""
    if socket.client_state is WebSocketState.CONNECTED and socket.application_state is WebSocketState.CONNECTED:
        await _send(socket, {"event": "error", **problem.to_json()})
        await socket.close(code, problem.detail.encode()[:120].decode(errors="ignore"))


async def _tell(socket: WebSocket, pump: Pump, make: Callable[[], Iterator[Event]]) -> None:
    async for event in pump.events(make):
        await _send(socket, event)


async def _send(socket: WebSocket, event: Event) -> None:
    await socket.send_text(encode_json(event).decode())


async def _message(socket: WebSocket, limits: Limits) -> PieceBody | bytes:
    try:
        async with asyncio.timeout(limits.stream_seconds):
            message = await socket.receive()
    except TimeoutError as error:
        raise Problem(408, f"nothing came for {limits.stream_seconds:g} s; connect again") from error
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    raw: bytes | None = message.get("bytes")
    if raw is not None:
        return raw
    body: PieceBody = read_json(message["text"].encode("utf-8", "surrogatepass"), PieceBody)
    return body


def _piece(message: PieceBody | bytes, takes: str, rate: int) -> Any:
    """What a stream's `push` takes; None where the message has no piece.

    Raises:
        Problem: a piece of another kind than the run takes.
    """
    if isinstance(message, bytes):
        if takes != "sound":
            raise Problem(422, f'this run takes {takes}; send it as {{"piece": ...}}')
        if len(message) % 2:
            raise Problem(422, f"{len(message)} bytes are no 16-bit samples; send two for each")
        return np.frombuffer(message, "<i2").astype(np.float32) / 32768, rate
    piece = message.piece
    if piece is None:
        return None
    if takes == "sound":
        raise Problem(422, "this run takes sound; send bytes: 16-bit samples of one channel, the low byte first")
    if takes == "text" and not isinstance(piece, str):
        raise Problem(422, "this run takes text; send a piece that is one")
    return piece
