"""`elman` and `elman --help`: the page, and that little is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
from elman.cli.main import main
try:
    main({words!r})
finally:
    print([name for name in ("torch", "numpy", "pandas", "rich.markdown", "elman.tasks") if name in sys.modules])
"""


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_nothing_heavy_is_imported_for_it(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", CODE.format(words=words)], capture_output=True, text=True, check=True)
    *page, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert any("Recurrent networks" in line for line in page)
    assert any(line.startswith("Example: elman train parity") for line in page)
