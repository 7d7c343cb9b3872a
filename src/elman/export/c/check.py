"""A program beside its model, on inputs drawn at random: compiled, where a compiler is, and called."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.export.c.program import Program
from elman.runtime.classifier import Classifier, Scorer
from elman.runtime.model import Model
from elman.runtime.recurrent import softmax
from elman.runtime.tasks.forecasting import ForecastingModel
from elman.runtime.tasks.language import LanguageModel
from elman.runtime.tasks.parity import ParityModel
from elman.runtime.tasks.series import SeriesModel
from elman.runtime.tasks.speech import SpeechModel
from elman.runtime.tensors import Array, Floats

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion")
STEPS = (1, 7, 23)
"""Lengths of the sequences that are drawn."""
ROOM = 1 << 22
"""Bytes beside a state that its program must not touch."""


def compiler() -> str | None:
    """A C compiler of this machine, or None."""
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


class Compiled:
    """A program as a shared library, called with arrays.

    Arguments:
        command: the compiler and its flags.

    Raises:
        UserError: it does not compile.
    """

    def __init__(self, program: Program, name: str, folder: Path, command: Sequence[str]) -> None:
        self.program, self.name = program, name
        (folder / f"{name}.h").write_text(program.header, encoding="utf-8")
        (folder / f"{name}.c").write_text(program.source, encoding="utf-8")
        library = folder / f"{name}.so"
        built = [*command, "-shared", "-fPIC", "-o", str(library), str(folder / f"{name}.c"), "-lm"]
        done = subprocess.run(built, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"the C source does not compile here: {done.stderr[:200]}; please report this")
        self._library = ctypes.CDLL(str(library))
        self._state = ctypes.create_string_buffer(ROOM * 16)

    def steps(self, inputs: Array) -> Floats:
        """(T, outputs) the answer after each step of inputs (T,) or (T, I)."""
        self._call("reset")
        found = np.empty((len(inputs), self.program.outputs), np.float32)
        for step, row in zip(inputs, found, strict=True):
            given = int(step) if self.program.tokens else np.ascontiguousarray(step, np.float32).ctypes
            if self._call("read", given):
                raise ValueError("the program refuses an input")
            self._call("answer", row.ctypes)
        return found

    def whole(self, inputs: Array) -> Floats:
        """(outputs,) of inputs (T,) or (T, I), or (T, outputs) where it answers at every step."""
        laid = np.ascontiguousarray(inputs, np.int32 if self.program.tokens else np.float32)
        shape = (len(laid), self.program.outputs) if self.program.kind == "every" else (self.program.outputs,)
        found = np.empty(shape, np.float32)
        if self._call("all", laid.ctypes, len(laid), found.ctypes):
            raise ValueError("the program refuses the inputs")
        return found

    def forecast(self, values: Array, known: Array | None, series: int, ahead: int) -> Array:
        """(3, F, Y) point, lower and upper end."""
        found = np.full((3, ahead, self.program.outputs), np.nan)
        ends = [found[number].ctypes for number in range(3)]
        laid = (
            np.ascontiguousarray(values, np.float64),
            None if known is None else np.ascontiguousarray(known, np.float64),
        )
        if self._call("forecast", laid[0].ctypes, None if laid[1] is None else laid[1].ctypes, series, *ends):
            raise ValueError("the program refuses the inputs")
        return found

    def _call(self, function: str, *arguments: Any) -> int:
        return int(getattr(self._library, f"{self.name}_{function}")(self._state, *arguments))


def largest_difference(model: Model, program: Program, name: str) -> float:
    """How far a program's numbers are from its model's: absolutely below 1, relatively above; NaN: no compiler."""
    command = compiler()
    if command is None:
        return float("nan")
    with tempfile.TemporaryDirectory() as folder:
        compiled = Compiled(program, name, Path(folder), [command, *FLAGS])
        generator, apart = np.random.default_rng(1), 0.0
        for T in STEPS:
            want, got = _pair(model, compiled, T, generator)
            differences = np.abs(want - got) / np.maximum(np.abs(want), 1)
            apart = max(apart, float(np.nan_to_num(differences, nan=np.inf).max()))
        return apart


def _pair(model: Model, compiled: Compiled, T: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """What the model and the program say of one drawn sequence."""
    inputs = compiled.program.inputs
    if isinstance(model, ForecastingModel):
        return _forecasts(model, compiled, generator)
    if isinstance(model, LanguageModel):
        tokens = generator.integers(inputs, size=T)
        states, _ = model.recurrent(model.embedding[tokens][:, None])
        return states[:, 0] @ model.output[0].T + model.output[1], compiled.steps(tokens)
    x: Array = generator.standard_normal((T, inputs)).astype(np.float32)
    if compiled.program.tokens:
        x = generator.integers(inputs, size=T)
    read: Array = x
    scaler = model.scaler if isinstance(model, SeriesModel) else None
    scaler = model.front_end.scaler if isinstance(model, SpeechModel) else scaler
    if scaler is not None and scaler.floor is not None:
        x = (x * 10 ** scaler.mean[inputs:].clip(-36, 36)).astype(np.float32)
        read = scaler(x)
    elif scaler is not None:
        mean, std = (np.tile(one, inputs // len(scaler.mean)) for one in (scaler.mean, scaler.std))
        x = x * std + mean
        read = (x - mean) / std
    if isinstance(model, SpeechModel) and not model.whole:
        scores, _ = model.log_probabilities(read, ())
        return scores, compiled.steps(x) if compiled.program.kind == "steps" else compiled.whole(x)
    scorer: Scorer = model.classifier if isinstance(model, SpeechModel) else model.model  # type: ignore[attr-defined]
    said = (lambda scores: scores) if isinstance(model, ParityModel) and model.problem == "adding" else softmax
    if compiled.program.kind == "steps":
        assert isinstance(scorer, Classifier)
        return said(scorer.prefix_scores(read)), compiled.steps(x)
    return said(scorer(read[:, None], np.array([T]))[0]), compiled.whole(x)


def _forecasts(model: ForecastingModel, compiled: Compiled, generator: np.random.Generator) -> tuple[Array, Array]:
    fitted, layout, network = model.fitted, model.layout, model.model
    number = int(generator.integers(len(fitted.scales)))
    scale = list(fitted.scales.values())[number]
    measured, own = layout.targets + layout.past, layout.own
    scaled = generator.standard_normal((layout.rows, measured))
    raw = scaled * scale.std[:measured] + scale.mean[:measured]
    if fitted.transform != "none":
        raw[:, : layout.targets] = fitted.in_units(scaled[:, : layout.targets].astype(np.float32), scale)
        raw[:, : layout.targets] = np.maximum(raw[:, : layout.targets], 1e-3)
    known = generator.standard_normal((layout.rows + layout.horizon, layout.known)).astype(np.float32)
    outside = known.astype(np.float64)
    outside[:, :own] = outside[:, :own] * scale.std[measured:] + scale.mean[measured:]
    got = compiled.forecast(raw, outside if layout.known else None, number, layout.horizon)
    values, _ = fitted.scaled(raw, outside[:, :own], scale, "what was drawn")
    point, bounds = network.forecast(values[:, None], known[:, None])
    parts = [point[:, 0]]
    if compiled.program.kind == "forecast" and np.isfinite(got[1]).all() and bounds is not None:
        wide = np.maximum(network.widen, (bounds[0][:, 0] - bounds[1][:, 0]) / 2)
        parts += [np.minimum(bounds[0][:, 0] - wide, parts[0]), np.maximum(bounds[1][:, 0] + wide, parts[0])]
    return np.stack([fitted.in_units(part, scale) for part in parts]), got[: len(parts)]
