"""`elman serve RUN...`: trained runs over HTTP, as an interface for programs and as pages."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from elman.cli.messages import say
from elman.errors import UserError

TOKEN = "ELMAN_TOKEN"
SHORTEST_TOKEN = 16


def serve(
    *runs: Annotated[str, Parameter(name="RUN", help="Folders of runs; NAME=FOLDER serves one under that name.")],
    host: Annotated[
        str, Parameter(help="What to listen on. Any other than this computer's own 127.0.0.1 needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(help="0 takes any that is free.")] = 8451,
    token_file: Annotated[
        Path | None,
        Parameter(help="A file with the token that requests must show; made if it is not there. Or set ELMAN_TOKEN."),
    ] = None,
    allowed_host: Annotated[
        tuple[str, ...],
        Parameter(negative="", consume_multiple=True, help="Other names by which the server may be called."),
    ] = (),
    max_upload: Annotated[int, Parameter(help="Megabytes of files in a request, at most.")] = 32,
    queue: Annotated[int, Parameter(help="Requests that may wait; more are told to come back.")] = 256,
    predict_seconds: Annotated[float, Parameter(help="Until a prediction must be there.")] = 60.0,
    device: Annotated[str, Parameter(help="cpu or cuda.")] = "cpu",
) -> None:
    """Serve trained runs over HTTP: predictions, streams, metrics, and an OpenAPI document; Ctrl-C ends it.

    Example: elman serve runs/parity runs/shakespeare
    """
    if not runs:
        raise UserError("there is no run to serve; name at least one: elman serve RUN")
    if not 0 <= port <= 65535:
        raise UserError(f"--port is {port}; it must be from 0 to 65535")
    if not 1 <= max_upload < 2048:
        raise UserError(f"--max-upload is {max_upload}; it must be from 1 to 2,047")
    from elman.web.service.application import Application
    from elman.web.service.guard import LOOPBACK, Rules
    from elman.web.service.requests.limits import Limits
    from elman.web.service.served_run import load_runs
    from elman.web.service.serving import listen
    from elman.web.service.serving import serve as serve_on

    token = find_token(token_file)
    fresh = "" if token or host.lower() in LOOPBACK else secrets.token_urlsafe(24)
    limits = Limits(upload_bytes=max_upload << 20, queue=queue, predict_seconds=predict_seconds)
    rules = Rules.of(host, allowed_host, token or fresh)
    listener = listen(host, port)
    with listener:
        application = Application(load_runs(runs, device), rules, limits)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"

        def started() -> None:
            if fresh:
                say(f"others need the token {fresh} (in a browser: /?token={fresh}); set {TOKEN} to choose one")
            served = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
            say(f"serving {served} at {address}/ (interface: {address}/openapi.json); Ctrl-C ends it")

        serve_on(application, listener, limits, started)


def find_token(file: Path | None) -> str:
    """The token of the file, which is made where there is none, or of ELMAN_TOKEN; "" for none.

    Raises:
        UserError: it is too short, or the file cannot be used.
    """
    from elman.atomic_io import write_text
    from elman.data.io.files import exists
    from elman.data.io.text import read_text

    if file is not None and not exists(file):
        write_text(file, secrets.token_urlsafe(24) + "\n")
        file.chmod(0o600)
        say(f"the token is in {file}")
    token = (read_text([file]) if file is not None else os.environ.get(TOKEN, "")).strip()
    if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token):
        where = TOKEN if file is None else str(file)
        raise UserError(f"the token of {where} is not {SHORTEST_TOKEN} plain characters or more; choose another")
    return token
