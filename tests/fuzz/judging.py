"""One changed file, and what became of it."""

from __future__ import annotations

import shutil
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

from elman.errors import UserError
from tests.fuzz import attacks, runs
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import Files, Target, readers

MEMORY = 4 << 30

READ, REFUSED, TRACEBACK = "read", "refused", "traceback"
RUN, ATTACKED = "run ", "attacked run "
"""How targets are called whose files are changed at random, or as an attacker would."""

_made: dict[str, tuple[Target, Files, Files]] = {}


def verdict(act: Callable[[], object]) -> str:
    """What happens: "read", "refused" in one line, or the traceback."""
    try:
        with warnings.catch_warnings(action="error"):
            act()
    except UserError as error:
        message = str(error)
        return REFUSED if message and "\n" not in message and len(message) < 2000 else f"{TRACEBACK} no line: {message}"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of Rust's is no Exception
        return f"{TRACEBACK} {traceback.format_exc()}"
    return READ


def target_names() -> list[str]:
    """Readers, and runs under their own names."""
    return [*readers(), *(kind + name for kind in (RUN, ATTACKED) for name in runs.names())]


def is_run(name: str) -> bool:
    """Whether a target is a run, and no reader."""
    return name.startswith((RUN, ATTACKED))


def attempt(name: str, random: Random, keep: Path | None = None) -> str:
    """One changed file put to a target; where that fails, the files are put into `keep`."""
    if is_run(name):
        change = runs.change if name.startswith(RUN) else attacks.change
        said, folder = runs.attempt(name.removeprefix(RUN).removeprefix(ATTACKED), random, verdict, change)
    else:
        folder = Path(tempfile.mkdtemp(prefix="elman-fuzz-"))
        target, files, also = _whole(name)
        which = random.choice(list(files))
        for file, raw in (files | also).items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(mutated(raw, random) if file == which else raw)
        said = verdict(lambda: target.act(folder))
    if said.startswith(TRACEBACK) and keep is not None and not keep.exists():
        shutil.copytree(folder, keep, symlinks=True, ignore=_no_files)
    shutil.rmtree(folder)
    return said


def _no_files(folder: str, names: list[str]) -> list[str]:
    """What is not kept of a folder: pipes, and files that only seem to be large."""
    paths = [Path(folder) / name for name in names]
    return [path.name for path in paths if path.is_fifo() or (path.is_file() and path.lstat().st_size > MEMORY)]


def _whole(name: str) -> tuple[Target, Files, Files]:
    if name not in _made:
        target = readers()[name]
        _made[name] = (target, target.make(), target.also())
    return _made[name]
