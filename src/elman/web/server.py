"""A server of the built pages on this machine alone: files from memory, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from elman.errors import UserError
from elman.web.site import FIRST_PAGE, media_type, read_site

HOST = "127.0.0.1"
USUAL_PORT = 8017
HEADERS = {
    # Scripts of the site's own alone; the engine is WebAssembly. Components set styles.
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_PATIENCE = 30  # seconds that a client may take for its request


class SiteServer(ThreadingHTTPServer):
    """Serves the files of one app; `url` is where it listens.

    Arguments:
        app: its name.
        port: to listen at; None for the usual one, or any other where that is taken.

    Raises:
        UserError: the pages were not built, or the port is taken.
    """

    daemon_threads = True

    def __init__(self, app: str, port: int | None = None) -> None:
        self.files: Mapping[str, bytes] = read_site(app)
        try:
            super().__init__((HOST, USUAL_PORT if port is None else port), _Handler)
        except OSError as error:
            if port is not None:
                reason = (error.strerror or str(error)).lower()
                raise UserError(f"`port` {port} cannot be listened at: {reason}; choose another") from error
            super().__init__((HOST, 0), _Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's fault."""


class _Handler(BaseHTTPRequestHandler):
    server: SiteServer
    timeout = _PATIENCE
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "elman", ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        # a name that resolves to this machine but is not its own is another site's trick
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        name = self.path.partition("?")[0].removeprefix("/") or FIRST_PAGE
        if host not in (HOST, "localhost"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif name not in self.server.files:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            data = self.server.files[name]
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", media_type(name))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if with_body:
                self.wfile.write(data)

    def end_headers(self) -> None:
        for header, value in HEADERS.items():
            self.send_header(header, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who looks at a page knows it."""
