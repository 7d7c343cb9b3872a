"""The metrics of a run that is resumed, whatever became of their file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from elman.training.monitoring.metrics_log import MetricsLog


def test_rows_after_the_checkpoint_are_left_out(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.csv")
    for step in (5, 10, 15):
        log.add({"step": step, "loss": 1 / step})
    log.write()
    assert [row["step"] for row in MetricsLog.resumed(log.path, 10).rows] == [5, 10]


@pytest.mark.parametrize("kind", ["emptied", "damaged", "a pipe"])
def test_what_is_lost_is_said(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "metrics.csv"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.write_text("" if kind == "emptied" else "step,loss\n5,x\n")
    with caplog.at_level("WARNING", "elman"):
        assert MetricsLog.resumed(path, 10).rows == []
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "the metrics before step 10 are " + ("dropped" if kind == "damaged" else "gone")
    ]


def test_no_file_is_no_loss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "elman"):
        assert MetricsLog.resumed(tmp_path / "metrics.csv", 10).rows == []
    assert not caplog.records
