"""`elman export RUN` in ONNX: write the graph, compare it with the run, measure what rounding costs, write the file."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any, get_args

from elman import __version__
from elman.atomic_io import write_bytes
from elman.data.io.files import path_kind
from elman.errors import UserError
from elman.export.onnx.compare import MOST_APART, largest_difference
from elman.export.onnx.file import SUFFIX, Facts, read_checked, stamped
from elman.export.onnx.graph import Graph, Precision
from elman.export.onnx.measure import check_loss, measured
from elman.export.onnx.networks import extra_facts, inner_scaler, without_scale, write_network
from elman.export.onnx.read import task_of
from elman.export.onnx.running.in_place import in_place
from elman.export.onnx.running.session import Session
from elman.export.trained import Exported, TrainedRun
from elman.training.run_folder import located
from elman.training.settings import CHOICES
from elman.training.task import Task

SCALER = "scaler.json"
log = logging.getLogger("elman")


def write_onnx(run: TrainedRun, out: Path | None, precision: str) -> Exported:
    """Write a run as one ONNX file.

    Arguments:
        run: as `elman.load` gives it.
        out: the file, ending in .onnx; model.onnx inside the run's folder if not given.
        precision: float32; float16, which halves the file; int8, which quarters it.

    Raises:
        UserError: a part of the run has no form in ONNX; the precision loses too much; the file cannot be written.
    """
    if precision not in get_args(Precision):
        raise UserError(f"`precision` is {precision!r}; it is one of {', '.join(get_args(Precision))}")
    path = _place(run, out, precision)
    graph = Graph(precision)  # type: ignore[arg-type]
    write_network(graph, run.task, run.model)
    facts = _facts(run, precision)
    proto = graph.model(facts.metadata(__version__), __version__)
    session = Session(proto.SerializeToString(), str(path))
    task = task_of(facts, path)
    exported = in_place(session, task, facts, path)
    difference = largest_difference(run.task, run.model, exported)
    if precision == "float32" and not difference <= MOST_APART:
        raise UserError(
            f"the file would differ from the run by {difference:.2g}, more than {MOST_APART:g}, and is not written;"
            " please report this with the run's settings"
        )
    found: dict[str, float] = {}
    if precision != "float32":
        log.info("measuring on the validation part what `precision=%s` costs", precision)
        found = measured(run, exported, task)
        check_loss(run.task, found, precision)
        facts.measured.update(found)
        proto = graph.model(facts.metadata(__version__), __version__)
    data = stamped(proto.SerializeToString())
    write_bytes(path, data)
    return Exported(path, len(data), precision, difference, found)


def _facts(run: TrainedRun, precision: str) -> Facts:
    """What the file says of itself, before anything is measured."""
    return Facts(
        task=run.task.name,
        network=type(run.model).__name__,
        settings={name: value for name, value in located(run.task.settings).items() if value is not None},
        header=run.header,
        files=_kept(run.task),
        precision=precision,
        measured={},
        extra=extra_facts(run.model),
    )


def _place(run: TrainedRun, out: Path | None, precision: str) -> Path:
    """Where the file is written.

    Raises:
        UserError: a name of another ending, a folder, or a file that elman did not export.
    """
    if out is None:
        return run.folder.path / (f"model{SUFFIX}" if precision == "float32" else f"model.{precision}{SUFFIX}")
    if path_kind(out) == "folder":
        raise UserError(f"`out={out}` is a folder; name the file, `out={out / 'model'}{SUFFIX}`")
    if out.suffix.lower() != SUFFIX:
        raise UserError(f"`out={out}` does not end in {SUFFIX}; name it `{out.with_suffix(SUFFIX)}`")
    if path_kind(out) != "nothing":
        try:
            read_checked(out)
        except UserError as error:
            raise UserError(
                f"`out={out}` is there already, and elman did not export it; choose another name"
            ) from error
    return out


def _kept(task: Task[Any]) -> dict[str, str]:
    """What the task keeps, as the files of a run; a scaler that is in the graph is one that changes nothing."""
    from elman.data.scaling import Scaler

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        task.save(folder)
        (folder / CHOICES).unlink(missing_ok=True)
        if inner_scaler(task) is not None:
            without_scale(Scaler.load(folder / SCALER)).save(folder / SCALER)
        return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())}
