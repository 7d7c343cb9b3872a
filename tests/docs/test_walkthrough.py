"""The walk through the lecture: its commands are commands, its links lead somewhere, its examples hold."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from elman.cli.main import build_app

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "walkthrough.md").read_text(encoding="utf-8")
BUILD = runpy.run_path(str(DOCS / "build.py"))


def test_every_command_can_be_read() -> None:
    commands = [line for block in BUILD["blocks"](PAGE) if block.kind == "sh" for line in BUILD["lines"](block.text)]
    assert len(commands) >= 10
    app = build_app()
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "elman"
        if words[0] not in ("predict", "train"):  # these read a run, and a dataset, to know what they take
            app.parse_args(words, exit_on_error=False, print_error=False)


def test_every_command_group_is_walked_through() -> None:
    for words in ("inspect unroll", "inspect flow", "inspect units", "inspect states", "compare --problem"):
        assert f"elman {words}" in PAGE


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert {"scenarios.md", "backward.md"} <= set(links)
    for link in links:
        assert (DOCS / link).is_file(), link
    headings = {
        re.sub(r"[^a-z -]", "", line[3:].lower()).replace(" ", "-") for line in PAGE.splitlines() if line[:3] == "## "
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings


def test_the_examples_that_need_no_run_hold() -> None:
    names: dict[str, Any] = {}
    examples = [b.text for b in BUILD["blocks"](PAGE) if b.kind == "python" and "elman.load" not in b.text]
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "docs/walkthrough.md", "exec"), names)


def test_what_the_commands_printed_stands_on_the_page() -> None:
    shown = [block.text for block in BUILD["blocks"](PAGE) if block.kind == "text"]
    assert len(shown) == 5
    assert all(text.strip() for text in shown)


EXAMPLE = """# A page
```sh
elman info
```

```text
something else
```

```python
value = 2
```

```python
    quoted from the source
```

```python
assert value == 2
```

```
elman train parity --out never/run
```
"""


def test_a_page_is_run_and_what_it_printed_takes_its_place() -> None:
    page = EXAMPLE.replace("elman info", "elman data --help")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUILD["build_page"].__globals__, "main_of_elman", lambda words: print(f"{words}   \n\nline two"))
        built = BUILD["build_page"]("page.md", page)
    assert built == page.replace("something else", "['data', '--help', '--debug']\n\nline two")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("```python\nassert 1 == 2\n```\n", "AssertionError"),
        ("```sh\nrm something\n```\n", "only elman is run"),
        ("```sh\nelman inspect flow nowhere\n```\n", "nowhere holds no run"),
    ],
)
def test_what_fails_ends_the_build(page: str, words: str) -> None:
    with pytest.raises(BUILD["BuildError"], match=words):
        BUILD["build_page"]("page.md", page)
