"""Write the map of the source into CONTRIBUTING.md: one line a file, the first sentence of its docstring.

Run from anywhere: python docs/map.py
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- map: begin -->\n", "<!-- map: end -->\n"


def summary(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.:]) (?=[A-Z`])", text)[0].rstrip(".:")


def source_map() -> str:
    """A list of the source's folders and files with what each holds."""
    lines = []
    for folder in sorted({path.parent for path in (ROOT / "src/elman").rglob("*.py")}):
        own = folder / "__init__.py"
        name = folder.relative_to(ROOT / "src").as_posix()
        lines.append(f"\n**`{name}/`** {summary(own) if own.exists() else ''}\n")
        files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
        lines += [f"- `{path.name}`: {summary(path)}" for path in files]
    return "\n".join(lines).strip("\n") + "\n"


def with_map(page: str) -> str:
    """The page with today's map in it."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + source_map() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(with_map(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
