"""`elman lecture`: the living lecture in a browser, or as a static site in a folder"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from elman.cli.messages import say, show_line
from elman.errors import UserError

APP = "lecture"


def lecture(
    *,
    out: Annotated[
        Path | None,
        Parameter(help="Write the site into this folder, for any web server or file share, and serve nothing."),
    ] = None,
    port: Annotated[
        int | None, Parameter(help="Listen at this port; without it 8017, or another where that is taken.")
    ] = None,
    browser: Annotated[bool, Parameter(help="Open the browser.")] = True,
) -> None:
    """Show the lecture on recurrent networks, whose networks run, learn and go wrong in the page; Ctrl-C ends it.

    Example: elman lecture
    """
    if out is not None:
        from elman.web.site import write_site

        if port is not None:
            raise UserError("`port` is of a server, and `out` writes files: give one of them")
        show_line(str(write_site(APP, out)))
        return
    _serve(port, browser=browser)


def _serve(port: int | None, *, browser: bool) -> None:
    import webbrowser

    from elman.web.server import SiteServer

    if port is not None and not 0 <= port <= 65535:
        raise UserError(f"`port` is {port}; it must be from 0 (any) to 65535")
    with SiteServer(APP, port) as server:
        show_line(server.url)
        say("the lecture is served on this machine alone; Ctrl-C ends it")
        if browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("stopped")
