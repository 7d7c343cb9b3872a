"""What the tests of the pages need beside Python: node and what `make web` has built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "build" / "web"
ENGINE = ROOT / "build" / "wasm" / "src" / "elman" / "kernels" / "native" / "elman.wasm"


@pytest.fixture(scope="session")
def node() -> str:
    """The command of node.js; skips where there is none."""
    found = shutil.which("node")
    if not found:
        pytest.skip("node is not installed: nothing of the pages runs")
    return found


@pytest.fixture(scope="session")
def engine() -> Path:
    """The engine as WebAssembly; skips where it is not built."""
    if not ENGINE.exists() or not (BUILT / "agreement.mjs").exists():
        pytest.skip("the engine of the pages is not built: make web")
    return ENGINE
