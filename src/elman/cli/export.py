"""`elman export`: a run in another format."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from elman.cli.messages import say, show_json, show_line
from elman.cli.running import Json, Weights

KIBIBYTE = 1024


def export(
    run: Annotated[Path, Parameter(help="The run's folder.")],
    /,
    *,
    to: Annotated[Literal["onnx", "c"], Parameter(help="The format: onnx, or C source.")],
    out: Annotated[
        Path | None,
        Parameter(help="The file to write; inside the run's folder if not given, as model.onnx or model.c."),
    ] = None,
    precision: Annotated[
        Literal["float32", "float16", "int8"],
        Parameter(
            help="Of the weights: float16 (onnx alone) halves the file, int8 quarters it; what that loses is measured "
            "on the validation part, and refused where it is more than 1 %."
        ),
    ] = "float32",
    weights: Weights = "best",
    json: Json = False,
) -> None:
    """Write a run as one file that onnxruntime runs without torch, or as a C header and source that need nothing.

    predict and evaluate take an .onnx file like the run.

    Example: elman export runs/parity --to onnx --out parity.onnx
    """
    from elman.run import load

    written = load(run, weights=weights).export(to, out, precision)
    if json:
        show_json(
            {
                "run": run,
                "file": written.path,
                "bytes": written.size,
                "precision": written.precision,
                "difference": None if math.isnan(written.difference) else written.difference,
                "measured": dict(written.measured),
            }
        )
        return
    apart = f"at most {written.difference:.1e} from the run's numbers"
    if math.isnan(written.difference):
        apart = "not compared with the run, as there is no C compiler here"
    size = f"{written.size / KIBIBYTE:,.0f} KiB"
    show_line(f"{written.path}: {size}, {written.precision}, {apart}")
    if written.measured:
        before, after = written.measured["run"], written.measured["file"]
        say(f"on the validation part: the run {before:.5g}, the file {after:.5g}")
