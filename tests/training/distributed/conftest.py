"""One training of two processes, for the tests of trainings that were stopped, killed and restarted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.training.distributed.launching import TEXT, TRAIN, TWO, run, start_forked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with something to learn from."""
    (tmp_path / "rhyme.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "rhyme.txt").write_text(TEXT, encoding="utf-8")
    assert "Warning" not in run(start_forked((*TWO, *TRAIN), folder))
    return folder / "run"
