"""`elman` and `elman --help`: the page, and that little is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from elman.__main__ import SPINS, let_waiting_threads_sleep

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


@pytest.mark.parametrize(
    ("given", "count"),
    [({}, SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_waiting_threads_sleep_unless_told_otherwise(
    given: dict[str, str], count: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = dict(given)
    monkeypatch.setattr("os.environ", environment)
    let_waiting_threads_sleep()
    assert environment.get("GOMP_SPINCOUNT") == count
