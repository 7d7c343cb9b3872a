"""The paths of the interface: what each answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

import elman
from elman.errors import UserError
from elman.web.service.batcher import Batcher
from elman.web.service.requests.bodies import Asked, StreamBody, asked
from elman.web.service.requests.encoding import encode_json
from elman.web.service.requests.inputs import checked_inputs
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import Problem, Unavailable
from elman.web.service.schemas import openapi
from elman.web.service.served_run import ServedRun
from elman.web.service.streams.pump import Pump, Pumps
from elman.web.service.streams.said import said_of
from elman.web.service.streams.sockets import AGAIN, BAD, converse, refuse
from elman.web.service.telemetry import CONTENT_TYPE, Telemetry

JSON = "application/json"
Endpoint = Callable[[Request], Awaitable[Response]]


class Interface:
    """What is served: runs, and what limits them.

    Attributes:
        pumps: the streams that are open.
        telemetry: what is counted.
    """

    def __init__(self, runs: dict[str, ServedRun], limits: Limits, *, token: bool) -> None:
        self.limits = limits
        self.telemetry = Telemetry()
        self.pumps = Pumps(limits, self.telemetry)
        self._runs = runs
        self._batchers = {name: Batcher(served, limits, self.telemetry) for name, served in runs.items()}
        self._listed = encode_json({"runs": [served.describe() for served in runs.values()]})
        self._document = encode_json(openapi(runs.values(), limits, token=token))

    def routes(self) -> list[Route | WebSocketRoute]:
        """For Starlette."""
        return [
            Route("/v1/runs/{name}/predict", self._measured("predict", self.predict), methods=["POST"]),
            Route("/healthz", self.health),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self.document),
            Route("/v1/runs", self.list_runs),
            Route("/v1/runs/{name}", self.describe),
            Route("/v1/runs/{name}/stream", self._measured("stream", self.stream), methods=["POST"]),
            WebSocketRoute("/v1/runs/{name}/stream", self.socket),
        ]

    def _measured(self, route: str, endpoint: Endpoint) -> Endpoint:
        seconds = self.telemetry.seconds.labels(route)

        async def measured(request: Request) -> Response:
            began, status = time.perf_counter(), 500
            try:
                response = await endpoint(request)
                status = response.status_code
                return response
            except Problem as problem:
                status = problem.status
                raise
            finally:
                seconds.observe(time.perf_counter() - began)
                self.telemetry.requests.labels(route, str(status)).inc()

        return measured

    async def health(self, request: Request) -> Response:
        """Whether the server is well."""
        return _json({"status": "ok", "version": elman.__version__, "runs": len(self._runs)})

    async def metrics(self, request: Request) -> Response:
        """Counts and times, for Prometheus."""
        return Response(self.telemetry.text(), media_type=CONTENT_TYPE)

    async def document(self, request: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._document, media_type=JSON)

    async def list_runs(self, request: Request) -> Response:
        """All runs."""
        return Response(self._listed, media_type=JSON)

    async def describe(self, request: Request) -> Response:
        """One run, with its settings."""
        served = self.run_of(request)
        return _json(served.describe() | {"settings": served.settings()})

    async def predict(self, request: Request) -> Response:
        """Predictions for all inputs of a request."""
        served = self.run_of(request)
        async with asked(request, self.limits) as given:
            options, inputs = _checked(given, served)
            named = str if given.folder is None else given.named
            return Response(await self._batchers[served.name].predict(inputs, options, named), media_type=JSON)

    async def stream(self, request: Request) -> Response:
        """What can be said of one input, bit by bit, as server-sent events."""
        served = self.run_of(request)
        body = asked(request, self.limits, StreamBody)
        given = await body.__aenter__()
        pump: Pump | None = None
        try:
            if len(given.inputs) != 1:
                raise Problem(422, f"there are {len(given.inputs)} inputs, and a stream takes one")
            try:
                make = said_of(given, served)
            except UserError as error:
                raise Problem(422, given.named(str(error))) from error
            pump = self.pumps.open()
        except BaseException:
            await body.__aexit__(None, None, None)
            raise
        opened = pump

        async def done() -> None:
            self.pumps.close(opened)
            await body.__aexit__(None, None, None)

        return EventResponse(_as_events(pump.events(make), self.limits), done)

    async def socket(self, socket: WebSocket) -> None:
        """A stream over a WebSocket."""
        served = self._runs.get(socket.path_params["name"])
        await socket.accept()
        if served is None or served.streams is None:
            name = socket.path_params["name"][:60]
            why = f"there is no run {name!r}" if served is None else f"{name} takes inputs whole; use predict"
            await refuse(socket, Problem(404 if served is None else 422, why), BAD)
            return
        try:
            pump = self.pumps.open()
        except Unavailable as error:
            await refuse(socket, error, AGAIN)
            return
        try:
            await converse(socket, served, pump, self.limits)
        finally:
            self.pumps.close(pump)

    def run_of(self, request: Request) -> ServedRun:
        """The run that an address names; raises a Problem where there is none."""
        name = request.path_params["name"]
        served = self._runs.get(name)
        if served is None:
            raise Problem(404, f"there is no run {name[:60]!r}; GET /v1/runs lists them")
        return served


def _checked(given: Asked, served: ServedRun) -> tuple[Any, list[Any]]:
    try:
        return served.options(given.options), checked_inputs(given, served)
    except UserError as error:
        raise Problem(422, given.named(str(error))) from error


def _json(value: Any) -> Response:
    return Response(encode_json(value), media_type=JSON)


class EventResponse(StreamingResponse):
    """Server-sent events; `done` is called when they are over, or the client has gone."""

    def __init__(self, events: AsyncIterator[bytes], done: Callable[[], Awaitable[None]]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._done = done

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send them all."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._done()


async def _as_events(events: AsyncIterator[dict[str, Any]], limits: Limits) -> AsyncIterator[bytes]:
    """Events in the form of the standard, and what ends them: "end" or "error"."""
    try:
        async with asyncio.timeout(limits.stream_seconds):
            async for event in events:
                yield _event(event)
        yield _event({"event": "end"})
    except TimeoutError:
        yield _event({"event": "error", **Problem(503, f"a stream ends after {limits.stream_seconds:g} s").to_json()})
    except Problem as problem:
        yield _event({"event": "error", **problem.to_json()})


def _event(event: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(event["event"]).encode(), encode_json(event))
