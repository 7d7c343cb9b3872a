"""Runs that elman 0.1 left half-way are still loaded, used and resumed.

Version 0.1 (commit e575e38) trained them on the small files in runs_v0_1/data, and SIGINT stopped each some steps
before its end. expected.json holds what 0.1 itself predicted, measured and became when it resumed them.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import elman
from elman.cli.main import main
from elman.training.compatibility import current_weights

OLD_RUNS = Path(__file__).parent / "runs_v0_1"
EXPECTED: dict[str, dict[str, Any]] = json.loads((OLD_RUNS / "expected.json").read_text(encoding="utf-8"))
RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""float32 rounds at 6e-8, and a few hundred operations in another order, and six printed digits, stay below this."""
DRIFT = 1e-4
"""How far the weights may be from version 0.1's after the 15 steps that were left, as a share of their norm.

Version 0.1 itself came to 7e-6 on SSE, AVX2 and AVX-512 and on the reference machine; without Adam's moments, to 1e-2.
"""

WITHOUT_EFFECT = {"attention.bias", "attention.keys.bias"}
"""Weights that add the same to all scores of a softmax: their gradient is rounding alone, which Adam makes steps of."""


@pytest.fixture(params=list(EXPECTED))
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a run in the working folder, which is a copy: settings name their data from there."""
    run: str = request.param
    shutil.copytree(OLD_RUNS / run, tmp_path / run)
    shutil.copytree(OLD_RUNS / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return run


@pytest.mark.parametrize("weights", ["best", "last"])
def test_predicts_and_measures_as_before(name: str, weights: str) -> None:
    expected = EXPECTED[name][weights]
    run = elman.load(name, weights=weights)  # type: ignore[arg-type]
    predictions = [as_json(prediction) for prediction in run.predict(EXPECTED[name]["inputs"])]
    assert_close(predictions, expected["predictions"])
    assert_close(as_json(run.evaluate()), figures(name, expected))


def test_predicts_and_measures_from_the_command_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = EXPECTED[name]["best"]
    command("predict", name, *EXPECTED[name]["inputs"], "--json")
    assert_close([json.loads(line) for line in capsys.readouterr().out.splitlines()], expected["predictions"])
    command("evaluate", name, "--json")
    assert_close(json.loads(capsys.readouterr().out), figures(name, expected))


def test_resumes_to_the_same_weights(name: str) -> None:
    before = metrics(name)
    command("train", EXPECTED[name]["task"], "--out", name, "--resume")
    state = elman.load(name, weights="last").model.state_dict()
    expected = EXPECTED[name]["resumed"]
    expected = current_weights(expected)
    assert state.keys() == expected.keys()
    for key, tensor in state.items():
        if key not in WITHOUT_EFFECT:
            assert_same_tensor(tensor, expected[key], key)
    after = metrics(name)
    assert after[: len(before)] == before
    assert [row["step"] for row in after] == sorted({row["step"] for row in after})
    assert before[-1]["step"] < after[-1]["step"] == EXPECTED[name]["steps"]
    assert elman.load(name, weights="best").predict(EXPECTED[name]["inputs"])


@pytest.mark.parametrize(
    ("name", "word", "flag"),
    [("forecasting-recursive", '"validation"', "true"), ("forecasting-points", '"none"', "false")],
    indirect=["name"],
)
def test_reads_calibrate_as_the_first_builds_wrote_it(name: str, word: str, flag: str) -> None:
    settings = Path(name) / "settings.toml"
    text = settings.read_text(encoding="utf-8")
    assert f"calibrate = {word}\n" in text
    settings.write_text(text.replace(f"calibrate = {word}\n", f"calibrate = {flag}\n"), encoding="utf-8")
    run, expected = elman.load(name), EXPECTED[name]["best"]
    predictions = [as_json(prediction) for prediction in run.predict(EXPECTED[name]["inputs"])]
    assert_close(predictions, expected["predictions"])
    assert_close(as_json(run.evaluate()), figures(name, expected))


def figures(name: str, expected: dict[str, Any]) -> dict[str, float]:
    """The metrics by today's names: version 0.1 did not say of a language model's that validation was measured."""
    part = "validation_" if EXPECTED[name]["task"] == "language" else ""
    return {f"{part}{figure}": value for figure, value in expected["figures"].items()}


def command(*words: str) -> None:
    """Run `elman WORDS`, which must end well."""
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, end.code  # noqa: PT017


def as_json(value: Any) -> Any:
    """A prediction or figures as JSON has them: lists for tuples."""
    found = value.to_json() if hasattr(value, "to_json") else value
    return json.loads(found if isinstance(found, str) else json.dumps(found))


def assert_close(found: Any, expected: Any, where: str = "") -> None:
    """All that is expected is there: numbers close to each other, everything else the same."""
    if isinstance(expected, dict):
        assert expected.keys() <= found.keys(), where
        for key, value in expected.items():
            assert_close(found[key], value, f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_close(one, other, f"{where}/{number}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=RELATIVE, abs=ABSOLUTE), where
    else:
        assert found == expected, where


def assert_same_tensor(tensor: torch.Tensor, expected: dict[str, float], name: str) -> None:
    """The tensor's summary is as near to the expected as a tensor's within DRIFT of the old one must be.

    By Cauchy and Schwarz a difference d changes the sum by |d| √n at most, and the product with cosines by as much.
    """
    values = tensor.detach().cpu().double().flatten()
    wave = torch.arange(len(values), dtype=torch.float64).cos()
    allowed = DRIFT * expected["norm"] + 1e-6
    for what, value, share in (
        ("norm", values.norm(), 1.0),
        ("sum", values.sum(), math.sqrt(len(values))),
        ("wave", values @ wave, math.sqrt(len(values))),
    ):
        assert float(value) == pytest.approx(expected[what], abs=allowed * share, rel=1e-5), f"{name}: {what}"


def metrics(run: str) -> list[dict[str, float]]:
    """The rows of the run's metrics.csv, without their empty cells."""
    with (Path(run) / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]
