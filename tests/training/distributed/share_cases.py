"""What two processes run in a test: every training under the first folder again, into the second."""

from __future__ import annotations

import sys
from pathlib import Path

import elman.training_run
from elman.tasks import task_module
from elman.training.run_folder import RunFolder, settings_from


def main(alone: Path, together: Path) -> None:
    """Train again what was trained into the folders under `alone`, by the same settings."""
    elman.training_run.finish = lambda task, folder: None  # pictures are no matter of processes, and take the time
    for folder in sorted(alone.iterdir()):
        run = RunFolder(folder)
        name, table = run.read()
        settings = settings_from(task_module(name).Settings, table, run.settings)
        elman.training_run.train(name, settings, together / folder.name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
