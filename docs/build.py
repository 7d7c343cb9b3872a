"""Build the docs: run every command and every Python example of the pages in a fresh folder, and refresh the pictures.

In a page, a block

    ```sh        is run, line by line, where the pages before and above it have run
    ```text      straight after it is replaced by what it printed
    ```python    is run with the names that the page's earlier ones have left; one that is indented throughout
                 quotes the source, and is not

and any other block is only shown. What lies in pictures/ of that folder afterwards, and is shown by a page, takes its
place in docs/pictures. An error ends the build and changes nothing.

Run from anywhere: python docs/build.py [PAGE...]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import runpy
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from elman.cli.main import main as main_of_elman

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
PAGES = (
    "walkthrough.md",
    "export.md",
    "runtime.md",
    "backward.md",
    "layer.md",
    "dynamics.md",
    "scenarios.md",
    "training.md",
    "processes.md",
)
COLUMNS = "100"  # of the terminal that the pages show
# examples stand in a context that the page describes in words
BEFORE = {
    "training.md": "from pathlib import Path; Path('my.txt').write_text('Once upon a time there was a net.\\n' * 2000)"
}

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PICTURE = re.compile(r"\(pictures/([\w./-]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its kind, its text, and where the text stands in the page."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def is_quotation(self) -> bool:
        return all(line.startswith(" ") for line in self.text.splitlines() if line)


class BuildError(Exception):
    """A command or an example that failed, with the place where it stands."""


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [Block(m[1], m[2], m.start(2), m.end(2)) for m in _BLOCK.finditer(page)]


def build_page(name: str, page: str) -> str:
    """Run a page in the current folder and give it back with what its commands printed.

    Raises:
        BuildError: something in it failed.
    """
    printed: list[tuple[Block, str]] = []
    names: dict[str, Any] = {}
    exec(BEFORE.get(name, ""), names)
    last, before = "", ""
    for block in blocks(page):
        if block.kind == "sh":
            last = "".join(run(f"{name}: {line}", partial(elman, line)) for line in lines(block.text))
        elif block.kind == "text" and before == "sh":
            printed.append((block, last))
        elif block.kind == "python" and not block.is_quotation:
            code = compile(block.text, name, "exec")
            run(f"{name}: {block.text.splitlines()[-1]}", partial(exec, code, names))
        before = block.kind
    for block, text in reversed(printed):
        page = page[: block.start] + text + page[block.end :]
    return page


def lines(text: str) -> list[str]:
    """The commands of a block; a backslash joins a line with the next."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def elman(line: str) -> None:
    """Run one `elman ...` command in this process, as the program of that name does."""
    program, *words = shlex.split(line)
    if program != "elman":
        raise BuildError("only elman is run")
    main_of_elman([*words, "--debug"])


def run(place: str, what: Callable[[], None]) -> str:
    """Do something that a page says, and give what it printed, without spaces at line ends."""
    begin, printed = time.perf_counter(), io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            what()
    except (Exception, SystemExit) as error:
        raise BuildError(f"{place}\n{printed.getvalue()}{type(error).__name__}: {error}") from error
    print(f"{time.perf_counter() - begin:6.1f} s  {place}", flush=True)
    return "".join(f"{part.rstrip()}\n" for part in printed.getvalue().splitlines())


def refresh(folder: Path) -> None:
    """Put the new pictures that pages show in the place of the old ones."""
    shown = {name for page in DOCS.glob("*.md") for name in _PICTURE.findall(page.read_text(encoding="utf-8"))}
    for name in sorted(shown):
        if (folder / name).is_file():
            (PICTURES / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, PICTURES / name)
        elif not (PICTURES / name).is_file():
            raise BuildError(f"nothing has drawn pictures/{name}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the docs.")
    parser.add_argument("pages", nargs="*", default=PAGES, help="names of pages; all if none is given")
    asked = parser.parse_args().pages
    os.environ["COLUMNS"] = COLUMNS
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        try:
            built = {page: build_page(page, (DOCS / page).read_text(encoding="utf-8")) for page in asked}
            for page, text in built.items():
                (DOCS / page).write_text(text, encoding="utf-8")
            refresh(Path(name, "pictures"))
        except BuildError as error:
            sys.exit(f"docs: {error}")
    runpy.run_path(str(DOCS / "draw_scenarios.py"))["draw_all"](png=False)


if __name__ == "__main__":
    main()
