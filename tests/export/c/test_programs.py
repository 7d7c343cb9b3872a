"""C programs of every task's small runs: they compile without a warning, and say what the run says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.errors import UserError
from elman.export.c.check import Compiled, compiler, largest_difference
from elman.export.c.program import Program
from elman.export.c.programs import write_program
from elman.runtime import load
from tests.old_runs.test_old_runs import EXPECTED, OLD_RUNS, command
from tests.runtime.runs import APART, begun, write_texts

if compiler() is None:
    pytest.skip("there is no C compiler here", allow_module_level=True)

NAMES = [name for name in EXPECTED if not name.startswith(("translation", "captioning"))]
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
C99, CPP = ("gcc", "-std=c99", "-O1"), ("g++", "-x", "c++", "-std=c++11", "-O1")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small runs as the working folder."""
    shutil.copytree(OLD_RUNS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", NAMES)
def test_a_program_compiles_as_c99_and_as_cpp_without_a_warning(name: str, precision: str, tmp_path: Path) -> None:
    program = write_program(load(OLD_RUNS / name), "model", precision)
    (tmp_path / "model.h").write_text(program.header)
    (tmp_path / "model.c").write_text(program.source)
    for language in (C99, CPP):
        subprocess.run([*language, *STRICT, "-fsyntax-only", "model.c"], cwd=tmp_path, check=True)
    assert "alloc" not in program.source.replace("no allocation", "")


@pytest.mark.parametrize("name", NAMES)
def test_its_numbers_are_the_runs(name: str) -> None:
    model = load(OLD_RUNS / name)
    assert largest_difference(model, write_program(model, "model", "float32"), "model") <= APART


CLASSIFIERS: tuple[dict[str, Any], ...] = (
    {"bidirectional": False, "readout": "attention", "layers": 2},
    {"bidirectional": False, "readout": "mean-max", "cell": "lstm"},
    {"layers": 2, "readout": "attention", "cell": "gru"},
    {"layers": 2, "readout": "last", "residual": True},
    {"members": 3, "head": 5, "readout": "sum", "layer_norm": True},
)


@pytest.mark.parametrize("more", CLASSIFIERS)
def test_every_readout_and_cell(more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD_RUNS / "data", tmp_path / "data")
    data = {"data": "data/reviews.csv", "hidden_size": 37, "embedding_size": 6}
    model = load(begun(tmp_path / "run", "sentiment", **data, **{"members": 1, "folds": 0, "ngrams": "none", **more}))
    assert largest_difference(model, write_program(model, "model", "float32"), "model") <= APART


def series_run(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Path:
    monkeypatch.chdir(folder)
    shutil.copytree(OLD_RUNS / "data", folder / "data")
    return begun(folder / "run", "series", data="data/waves.npz", hidden_size=7, folds=0, **settings)


@pytest.mark.parametrize("scale", ["channels", "series"])
@pytest.mark.parametrize("more", [{"stride": 2, "scales": 3, "members": 2}, {"stride": 9, "scales": 1, "members": 1}])
def test_series_of_every_scale(
    scale: str, more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(series_run(tmp_path, monkeypatch, scale=scale, **more))
    assert largest_difference(model, write_program(model, "model", "float32"), "model") <= APART


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("more", [{"stride": 1}, {"stride": 2, "scales": 2}, {"bidirectional": False, "stride": 1}])
def test_a_series_divided_by_its_own_size(
    precision: str, more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(series_run(tmp_path, monkeypatch, **{"scale": "series", "members": 1, "scales": 1, **more}))
    program = write_program(model, "model", precision)
    assert (program.kind, program.inputs) == ("whole", 2)  # its size is known at its end alone
    (tmp_path / "model.h").write_text(program.header)
    (tmp_path / "model.c").write_text(program.source)
    for language in (C99, CPP):
        subprocess.run([*language, *STRICT, "-fsyntax-only", "model.c"], cwd=tmp_path, check=True)
    ran(program, tmp_path, SANITIZED, [], drawn(program), 7)
    compiled, draw = Compiled(program, "model", tmp_path, C99), np.random.default_rng(0)
    for steps, size in ((1, [1, 50]), (9, [1e30, 1e-30]), (40, [0, 0]), (3, [1e-45, 3e38])):
        values = (draw.uniform(-1, 1, (steps, 2)) * np.array(size)).astype(np.float32)
        got, (want,) = compiled.whole(values), model.predict([values])
        apart = 1e-5 if precision == "float32" else 0.1
        np.testing.assert_allclose(got, list(want.probabilities.values()), atol=apart)


def test_a_text_is_judged_as_the_run_with_torch_judges_it(tmp_path: Path) -> None:
    run, model = elman.load(OLD_RUNS / "sentiment-words"), load(OLD_RUNS / "sentiment-words")
    program = Compiled(write_program(model, "model", "float32"), "model", tmp_path, C99)
    for text in ("a good film", "bad bad", "the"):
        want = run.predict(text)[0].to_json()["probabilities"]
        got = program.whole(model.encode(text))  # type: ignore[attr-defined]
        np.testing.assert_allclose(got, list(want.values()), atol=APART)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    model = load(OLD_RUNS / "language-words")
    program = Compiled(write_program(model, "model", "float32"), "model", tmp_path, C99)
    for token in (-1, len(model.vocabulary)):  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="refuses"):
            program.steps(np.array([token]))
    speech = Compiled(write_program(load(OLD_RUNS / "speech-strings"), "heard", "float32"), "heard", tmp_path, C99)
    for steps in (np.zeros((0, 12)), np.zeros((1025, 12)), np.full((2, 12), np.nan)):
        with pytest.raises(ValueError, match="refuses"):
            speech.whole(steps)


def test_names_cannot_end_a_comment() -> None:
    from elman.export.c.program import listed

    assert listed(["a**//b", "*/ int x; /*", "c\\", "??/", "é"]) == "ab,  int x , c, , "


MAIN = """#include <stdio.h>
#include "model.h"
static model state;
int main(void) {
    static const %s inputs[] = {%s};
    static float outputs[%d];
    int t, failed = 0;
    %s
    for (t = 0; t < (int)(sizeof outputs / sizeof *outputs); ++t) printf("%%.9g\\n", (double)outputs[t]);
    return failed ? 1 : 0;
}
"""
STEP_BY_STEP = """model_reset(&state);
    for (t = 0; t < %d; ++t) failed |= model_read(&state, %s);
    model_answer(&state, outputs);"""
WHOLE = "failed = model_all(&state, inputs, %d, outputs);"


def ran(program: Program, folder: Path, build: list[str], command: list[str], inputs: list[Any], T: int) -> list[float]:
    """What the program writes that reads these inputs."""
    kind = "int" if program.tokens else "float"
    outputs = program.outputs * (T if program.kind == "every" else 1)
    each = "inputs[t]" if program.tokens else f"inputs + t * {program.inputs}"
    body = STEP_BY_STEP % (T, each) if program.kind == "steps" else WHOLE % T
    (folder / "main.c").write_text(MAIN % (kind, ", ".join(map(repr, inputs)), outputs, body))
    (folder / "model.h").write_text(program.header)
    (folder / "model.c").write_text(program.source)
    subprocess.run([*build, "-o", "main", "main.c", "model.c", "-lm"], cwd=folder, check=True, capture_output=True)
    done = subprocess.run([*command, "./main"], cwd=folder, check=True, capture_output=True, text=True)
    return [float(line) for line in done.stdout.split()]


def drawn(program: Program) -> list[Any]:
    """Seven steps of inputs."""
    generator = np.random.default_rng(1)
    if program.tokens:
        found: list[Any] = generator.integers(program.inputs, size=7).tolist()
        return found
    return [round(value, 6) for value in generator.standard_normal(7 * program.inputs).tolist()]


SANITIZED = ["gcc", "-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ARM = ["aarch64-linux-gnu-gcc", "-std=c99", "-O2", "-static"]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize(
    "name", ["language-bpe", "language-characters", "series-memory", "sentiment-words", "speech-strings"]
)
def test_sanitizers_find_nothing_and_arm_says_the_same(name: str, precision: str, tmp_path: Path) -> None:
    program = write_program(load(OLD_RUNS / name), "model", precision)
    inputs = drawn(program)
    want = ran(program, tmp_path, ["gcc", "-std=c99", "-O2"], [], inputs, 7)
    assert ran(program, tmp_path, SANITIZED, [], inputs, 7) == pytest.approx(want, abs=1e-5)
    if shutil.which(ARM[0]) is None or shutil.which("qemu-aarch64") is None:
        pytest.skip("aarch64-linux-gnu-gcc and qemu-aarch64 are not installed: not run on arm")
    assert ran(program, tmp_path, ARM, ["qemu-aarch64"], inputs, 7) == pytest.approx(want, abs=1e-5)


def test_the_command_writes_both_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("export", "parity", "--to", "c", "--out", "taken/odd.c")
    assert "float32, at most" in capsys.readouterr().out
    assert {path.name for path in (here / "taken").iterdir()} == {"odd.c", "odd.h"}
    assert "int odd_read(odd *s, int token);" in (here / "taken/odd.h").read_text()
    command("export", "parity", "--to", "c", "--out", "taken/odd.c")  # again, over its own


@pytest.mark.parametrize("name", ["parity", "sentiment-words", "series-memory"])
def test_int8_is_measured(name: str, here: Path) -> None:
    try:
        written = elman.load(name).export("c", here / "small.c", "int8")
    except UserError as error:
        assert "loses too much" in str(error)  # noqa: PT017  (one of the two, by the run)
        assert not (here / "small.c").exists()
    else:
        assert set(written.measured) == {"run", "file"}
        assert written.difference <= APART


@pytest.mark.parametrize(
    ("out", "precision", "message"),
    [
        ("data", "float32", "is a folder"),
        ("x.onnx", "float32", "does not end in .c"),
        ("1 x.c", "float32", "which no name in C begins with"),
        ("mine.c", "float32", "is there already, and elman did not export it"),
        ("x.c", "float16", "in C it is one of float32, int8"),
    ],
)
def test_a_wrong_export_is_said(out: str, precision: str, message: str, here: Path) -> None:
    (here / "mine.c").write_text("int main(void) { return 0; }")
    with pytest.raises(UserError) as error:
        elman.load("parity").export("c", here / out, precision)
    assert message in str(error.value)
    assert not (here / "x.c").exists()


def test_a_task_without_a_form_is_said(here: Path) -> None:
    with pytest.raises(UserError, match="captioning has no form in C; export it to onnx"):
        elman.load("captioning").export("c", here / "x.c")


def test_counted_ngrams_have_no_form(tmp_path: Path) -> None:
    data = str(write_texts(tmp_path / "a.csv"))
    run = elman.load(begun(tmp_path / "run", "sentiment", data=data, members=1, folds=0, hidden_size=4))
    with pytest.raises(UserError, match=r"counted n-grams, whose table has no form in C; train with `ngrams=none`"):
        run.export("c", tmp_path / "x.c")
    assert not (tmp_path / "x.c").exists()
