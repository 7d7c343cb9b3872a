"""The built pages: where they lie in this installation, and a copy of them in a folder of the user's."""

from __future__ import annotations

from pathlib import Path

from elman.atomic_io import naming_the_file, write_bytes
from elman.errors import UserError

SITE = Path(__file__).parent / "site"
FIRST_PAGE = "index.html"
_MARK = b'name="generator" content="elman '  # in the first page of every app
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


def read_site(app: str) -> dict[str, bytes]:
    """The files of an app by name, the first page last.

    Raises:
        UserError: the pages were not built with this installation.
    """
    folder = SITE / app
    if not (folder / FIRST_PAGE).is_file():
        raise UserError(
            f"this installation came without the pages of {app!r}: in the source run `make web`, which needs node and "
            f"emscripten (looked for {folder / FIRST_PAGE})"
        )
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
    return files | {FIRST_PAGE: files.pop(FIRST_PAGE)}


def write_site(app: str, folder: Path) -> Path:
    """Write an app's files into a folder that any web server, or a browser by itself, can show; returns the first page.

    Every file is written whole, the first page last, so that a copy that was cut short has none.

    Raises:
        UserError: the pages were not built, the folder is a file, or has a first page of somebody else's.
    """
    files = read_site(app)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; choose a folder for `out`")
    page = folder / FIRST_PAGE
    with naming_the_file(page):
        if page.exists() and _MARK not in page.read_bytes():
            raise UserError(f"{page} belongs to something else; choose another folder for `out`")
    for name, data in files.items():
        write_bytes(folder / name, data)
    return page


def media_type(name: str) -> str:
    """What a browser is told that a file is."""
    return _TYPES[Path(name).suffix]
