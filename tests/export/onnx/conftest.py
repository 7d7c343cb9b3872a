"""What the tests of exported runs share: the small runs of every task, in the working folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.old_runs.test_old_runs import OLD_RUNS


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small runs as the working folder: settings name their data from there."""
    shutil.copytree(OLD_RUNS, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("last.safetensors"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
