"""Trainings in forked processes, each killed by SIGKILL at a chosen moment; then resumed, and compared.

A process that has everything imported forks each training, so that a hundred kills take a minute and a training is in
its data, its first step or its last file within tenths of a second. The kill comes

- "first": at a random time of the first second, or of the training where that is shorter;
- "time": at a random time of the whole training;
- "file": at a call that changes files (write, fsync, rename, remove), counted by the training itself; of a write
  half of the bytes are on the disk by then;
- "writing": at one of those of them that find a file half done: a write, its fsync, the rename to its name.
"""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tests.kills.cases import Case

Moment = Literal["first", "time", "file", "writing"]
PATIENCE = 60.0
"""Seconds after which a process hangs: its stacks are dumped, and it counts as a fault."""
GROWS = ("seconds", "_per_second")
"""Columns of metrics.csv that tell of time."""
CALLS = ("fsync", "replace", "unlink", "rename")


class Faults(Exception):  # noqa: N818
    """What a killed and resumed training differs in from an undisturbed one."""


def fork(work: Callable[[], None], log: Path) -> int:
    """Start `work` in a process of its own, its errors written to `log`; it ends with 0, 2 for a UserError, or 1."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 2)
        os.dup2(handle, 1)
        faulthandler.enable(file=2)
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
        work()
        code = 0
    except BaseException as error:
        from elman.errors import UserError

        code = 2 if isinstance(error, UserError) else 1
        os.write(2, (str(error) if code == 2 else traceback.format_exc()).encode())
    finally:
        os._exit(code)


def wait(child: int, log: Path, limit: float = PATIENCE) -> int:
    """The exit status of a process, negative for a signal.

    Raises:
        Faults: it hangs; the stacks of its threads are in the log.
    """
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGUSR1)
    time.sleep(1.0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise Faults(f"a process hangs; its stacks: {log.read_text()[-2000:]}")


def train(case: Case, out: Path, *, resume: bool, plots: bool) -> None:
    """The training of a case, in this process."""
    import elman.training_run

    if not plots:
        elman.training_run.finish = lambda task, folder: None
    elman.training_run.train(case.task, case.settings, out, resume=resume)


def train_whole(case: Case, out: Path, log: Path, *, plots: bool) -> None:
    """Go on with a training that was killed, or begin it again, and let it come to its end."""
    resume = (out / "settings.toml").exists()
    code = wait(fork(lambda: train(case, out, resume=resume, plots=plots), log), log)
    if code:
        raise Faults(f"{'resuming' if resume else 'training'} ends with {code}: {log.read_text()[-1500:]}")


def kill_at(case: Case, out: Path, log: Path, after: float, *, plots: bool) -> bool:
    """Start the training, or go on with it, and kill it after so many seconds; False where it was quicker."""
    resume = (out / "settings.toml").exists()
    child = fork(lambda: train(case, out, resume=resume, plots=plots), log)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return _was_killed(wait(child, log), log)


def kill_in_file(case: Case, out: Path, log: Path, number: int, *, writing: bool, plots: bool) -> bool:
    """Start the training, or go on with it, and let it be killed at its `number`th change of a file (half done)."""
    resume = (out / "settings.toml").exists()

    def work() -> None:
        die_at_change(number, writing=writing)
        train(case, out, resume=resume, plots=plots)

    return _was_killed(wait(fork(work, log), log), log)


def _was_killed(code: int, log: Path) -> bool:
    if code not in (0, -signal.SIGKILL):
        raise Faults(f"a training ends with {code} before it is killed: {log.read_text()[-1500:]}")
    return code != 0


def die_at_change(number: int, *, writing: bool = False) -> Callable[[], tuple[int, int]]:
    """Let this process kill itself at its `number`th call that changes files, 0 for never.

    Arguments:
        writing: count only the calls that find a file half done.

    Returns:
        a function that says how many calls there were, and how many of them found a file half done.
    """
    import elman.atomic_io

    calls = [0, 0]

    def counted(call: Callable[..., Any], half_done: Callable[..., bool], half: Callable[..., None]) -> Any:
        def called(*given: Any, **more: Any) -> Any:
            within = half_done(*given)
            calls[0] += 1
            calls[1] += within
            if calls[writing] == number and (within or not writing):
                half(*given)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **more)

        return called

    def half(path: Path, data: bytes) -> None:
        path.write_bytes(data[: len(data) // 2])

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name), _is_half_done, lambda *given: None))
    elman.atomic_io._fill = counted(elman.atomic_io._fill, lambda *given: True, half)
    return lambda: (calls[0], calls[1])


def _is_half_done(what: Any, *_: Any) -> bool:
    """Whether the file that a call is about, by its name or by its handle, has not got its name yet."""
    path = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fspath(what)
    return str(path).endswith(".part") and os.path.exists(path)


def train_undisturbed(case: Case, out: Path, log: Path, *, plots: bool) -> tuple[float, tuple[int, int], list[str]]:
    """Train into `out`; returns the seconds, the calls that change files (all, half done), and the modules imported."""
    said = log.with_suffix(".said")

    def work() -> None:
        calls, begin = die_at_change(0), time.monotonic()
        train(case, out, resume=False, plots=plots)
        seconds = time.monotonic() - begin
        said.write_text("\n".join([str(seconds), *map(str, calls()), *sys.modules]))

    if code := wait(fork(work, log), log):
        raise Faults(f"training ends with {code}: {log.read_text()[-1500:]}")
    seconds, calls, within, *modules = said.read_text().splitlines()
    return float(seconds), (int(calls), int(within)), modules


def contents(case: Case, out: Path, log: Path) -> dict[str, Any]:
    """What a run is, without what tells of time: its files, weights, rows of metrics, predictions."""
    said = log.with_suffix(".said")

    def write() -> None:
        said.write_text(predictions(case, out))

    code = wait(fork(write, log), log)
    if code:
        raise Faults(f"predicting ends with {code}: {log.read_text()[-1500:]}")
    return files_of(out) | {"predictions": said.read_text()}


def predictions(case: Case, out: Path) -> str:
    """What a run predicts, as JSON."""
    import json

    import elman

    return json.dumps([one.to_json() for one in elman.load(out).predict(case.inputs)])


def files_of(out: Path) -> dict[str, Any]:
    """The files of a run by name, without what tells of time."""
    from safetensors.torch import load_file

    from elman.training.monitoring.metrics_log import read_metrics

    found: dict[str, Any] = {"files": sorted(path.name for path in out.iterdir())}
    for name in ("model.safetensors", "last.safetensors"):
        found[name] = {key: tensor.numpy().tobytes() for key, tensor in load_file(out / name).items()}
    for path in [*sorted(out.glob("*.json")), out / "settings.toml"]:
        found[path.name] = path.read_bytes()
    rows = read_metrics(out / "metrics.csv")
    found["metrics.csv"] = [{key: value for key, value in row.items() if not key.endswith(GROWS)} for row in rows]
    return found


def compare(found: dict[str, Any], whole: dict[str, Any]) -> None:
    """Raise Faults that name what differs."""
    differ = [name for name in whole if found.get(name) != whole[name]]
    if "files" in differ:
        raise Faults(f"files {found['files']} and not {whole['files']}")
    if differ:
        raise Faults(f"other contents: {', '.join(differ)}")


def kill_and_resume(
    case: Case,
    out: Path,
    log: Path,
    moment: Moment,
    chance: random.Random,
    *,
    seconds: float,
    changes: tuple[int, int],
    plots: bool,
) -> tuple[int, int]:
    """Kill a training, and sometimes its resumption too, and let it come to its end.

    Returns:
        how many kills there were, and how many of them in the middle of a file.
    """
    kills = writing = 0
    for _ in range(1 + (chance.random() < 0.3)):
        if moment in ("file", "writing"):
            within = moment == "writing"
            killed = kill_in_file(case, out, log, chance.randint(1, changes[within]), writing=within, plots=plots)
        else:
            after = chance.uniform(0, min(1.0, seconds) if moment == "first" else seconds)
            killed = kill_at(case, out, log, after, plots=plots)
        kills += killed
        writing += killed and out.is_dir() and any(out.glob(".*.part"))
    train_whole(case, out, log, plots=plots)
    return kills, writing


def start_two(case: Case, out: Path, logs: tuple[Path, Path]) -> tuple[int, int]:
    """Start the same training, or resumption, twice at the same moment; returns both exit codes."""
    resume = (out / "settings.toml").exists()
    at = time.monotonic() + 0.01

    def work() -> None:
        while time.monotonic() < at:
            pass
        train(case, out, resume=resume, plots=False)

    children = [fork(work, log) for log in logs]
    one, other = (wait(child, log) for child, log in zip(children, logs, strict=True))
    return one, other
