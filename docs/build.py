"""Build the docs: run every command and every Python example of the pages in a fresh folder, and refresh the pictures.

In a page, a block

    ```sh        is run, line by line, where the pages before and above it have run
    ```text      straight after it is replaced by what it printed
    ```python    is run with the names that the page's earlier examples have left; one that is indented throughout
                 quotes the source, and is not

and any other block is only shown. What lies in pictures/ of that folder afterwards, and is shown by a page, takes its
place in docs/pictures. An error ends the build and changes nothing.

Run from anywhere: python docs/build.py [PAGE...]
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
PAGES = ("walkthrough.md", "backward.md", "layer.md", "scenarios.md", "training.md")
COLUMNS = "100"  # of the terminal that the pages show
# examples stand in a context that the page describes in words
BEFORE = {
    "training.md": "from pathlib import Path; Path('my.txt').write_text('Once upon a time there was a net.\\n' * 2000)"
}

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PICTURE = re.compile(r"\(pictures/([\w.-]+)\)")


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


def build_page(name: str, page: str, folder: Path) -> str:
    """Run a page in `folder` and give it back with what its commands printed.

    Raises:
        BuildError: something in it failed.
    """
    printed: list[tuple[Block, str]] = []
    examples = [BEFORE[name]] if name in BEFORE else []
    last = ""
    before: Block | None = None
    for block in blocks(page):
        if block.kind == "sh":
            last = "".join(run_line(line, f"{name}: {line}", folder) for line in lines(block.text))
        elif block.kind == "text" and before is not None and before.kind == "sh":
            printed.append((block, last))
        elif block.kind == "python" and not block.is_quotation:
            examples.append(block.text)
        before = block
    if examples:
        run([sys.executable, "-c", "\n".join(examples)], f"{name}: its Python examples", folder)
    for block, text in reversed(printed):
        page = page[: block.start] + text + page[block.end :]
    return page


def lines(text: str) -> list[str]:
    """The commands of a block; a backslash joins a line with the next."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def run_line(line: str, place: str, folder: Path) -> str:
    """Run one `elman ...` command and give what it printed, without spaces at line ends."""
    program, *words = shlex.split(line)
    if program != "elman":
        raise BuildError(f"{place}: only elman is run")
    printed = run([sys.executable, "-m", "elman", *words], place, folder)
    return "".join(f"{part.rstrip()}\n" for part in printed.splitlines())


def run(command: list[str], place: str, folder: Path) -> str:
    """Run a program in `folder` and give its standard output."""
    begin = time.perf_counter()
    environment = os.environ | {"COLUMNS": COLUMNS}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{place}\n{done.stdout}{done.stderr}")
    print(f"{time.perf_counter() - begin:6.1f} s  {place}", flush=True)
    return done.stdout


def refresh(folder: Path) -> None:
    """Put the new pictures that pages show in the place of the old ones."""
    shown = {name for page in DOCS.glob("*.md") for name in _PICTURE.findall(page.read_text(encoding="utf-8"))}
    for path in sorted(folder.glob("*.*")):
        if path.name in shown:
            shutil.copyfile(path, PICTURES / path.name)
    missing = sorted(name for name in shown if not (PICTURES / name).is_file())
    if missing:
        raise BuildError(f"no command has drawn {', '.join(missing)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the docs.")
    parser.add_argument("pages", nargs="*", default=PAGES, help="names of pages; all if none is given")
    asked = parser.parse_args().pages
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            built = {}
            for page in asked:
                built[page] = build_page(page, (DOCS / page).read_text(encoding="utf-8"), folder)
            for page, text in built.items():
                (DOCS / page).write_text(text, encoding="utf-8")
            run([sys.executable, str(DOCS / "draw_scenarios.py")], "the scenarios", folder)
            refresh(folder / "pictures")
    except BuildError as error:
        sys.exit(f"docs: {error}")


if __name__ == "__main__":
    main()
