"""The page: the built site's files from memory, and what it asks beside predictions."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from elman.errors import UserError
from elman.web.service.inspection import InspectBody, Inspector, metrics
from elman.web.service.requests.bodies import json_body
from elman.web.service.requests.encoding import encode_json
from elman.web.service.requests.limits import Limits
from elman.web.service.requests.problems import Problem
from elman.web.service.served_run import ServedRun
from elman.web.site import FIRST_PAGE, media_type, read_site

APP = "serve"
_NO_PAGE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>elman serve</title>"
    b"<h1>elman serve</h1><p>The interface is here: <a href=/openapi.json>openapi.json</a>,"
    b" <a href=/v1/runs>runs</a>. This installation came without the page: in the source run <code>make web</code>.</p>"
)


class Pages:
    """Routes of the page.

    Arguments:
        runs: by name.
    """

    def __init__(self, runs: dict[str, ServedRun], limits: Limits) -> None:
        self._runs = runs
        self._limits = limits
        self._inspectors = {name: Inspector(served) for name, served in runs.items()}
        try:
            self._files = dict(read_site(APP))
        except UserError:
            self._files = {FIRST_PAGE: _NO_PAGE}

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [
            Route("/v1/runs/{name}/metrics", self.metrics),
            Route("/v1/runs/{name}/inspect/{what}", self.inspect, methods=["POST"]),
            Route("/", self.file),
            Route("/{file}", self.file),
        ]

    async def file(self, request: Request) -> Response:
        """A file of the built site."""
        name = request.path_params.get("file", FIRST_PAGE)
        data = self._files.get(name)
        if data is None:
            raise Problem(404, f"GET {request.url.path[:100]}: not found")
        return Response(data, media_type=media_type(name), headers={"Cache-Control": "no-cache"})

    async def inspect(self, request: Request) -> Response:
        """Numbers for one picture of the inside of a run."""
        served = self._served(request)
        body = await json_body(request, self._limits, InspectBody)
        found = await self._inspectors[served.name].answer(request.path_params["what"], body)
        return Response(encode_json(found), media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """What a run's training has written down so far."""
        served = self._served(request)
        try:
            found = await asyncio.to_thread(metrics, served.run.folder.path)
        except UserError as error:
            raise Problem(422, str(error)) from error
        return Response(encode_json(found), media_type="application/json")

    def _served(self, request: Request) -> ServedRun:
        name = request.path_params["name"]
        if name not in self._runs:
            raise Problem(404, f"there is no run {name[:60]!r}; GET /v1/runs lists them")
        return self._runs[name]
