"""An option that takes a whole number takes no fraction, wherever that is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from cyclopts import CoercionError
from tests.cli.test_mistakes import check_mistake

from elman.cli.main import build_app, main
from elman.run import load
from elman.tasks import task_names

TRAIN = ["train", "parity", "--hidden-size", "8"]
COMMANDS = [["train", name] for name in task_names()] + [["sample"], ["compare"], ["serve"], ["inspect", "units"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_option_rounds(command: list[str]) -> None:
    app = build_app(helping=False)
    chain, apps, _ = app.parse_commands(command)
    asked = 0
    for argument in apps[-1].assemble_argument_collection():
        if "int" in str(argument.hint) and argument.name.startswith("--"):
            with pytest.raises(CoercionError):
                app.parse_args([*command, argument.name, "1.5"], exit_on_error=False, print_error=False)
            asked += 1
    assert asked, chain


@pytest.mark.parametrize(
    "word", ["2.5", ".5", "-0.5", "1_0.5", "1.5e0", "1.0e400", "9007199254740993.0", "1." + "0" * 30 + "1"]
)
def test_a_fraction_is_refused(word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = f"--steps is '{word}'; give a whole number"
    check_mistake([*TRAIN, "--out", str(tmp_path / "run"), f"--steps={word}"], capsys, said)
    assert not (tmp_path / "run").exists()


def test_a_fraction_in_a_file_of_settings_or_of_a_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, out = tmp_path / "settings.toml", ["--out", str(tmp_path / "run")]
    settings.write_text("steps = 2.5\n")
    said = "is '2.5' in", "settings.toml; give a whole number"
    check_mistake([*TRAIN, *out, "--settings", str(settings)], capsys, *said)
    main([*TRAIN, *out, "--steps", "2"])
    capsys.readouterr()
    kept = tmp_path / "run" / "settings.toml"
    kept.write_text(kept.read_text().replace("steps = 2\n", "steps = 2.5\n"))
    check_mistake([*TRAIN, *out, "--resume"], capsys, *said)


def test_other_spellings_of_whole_numbers_are_taken(tmp_path: Path) -> None:
    main([*TRAIN, "--out", str(tmp_path / "run"), "--steps=2.0", "--batch-size=1_0", "--seed", "0x10", "--lr", "0.5"])
    settings = load(tmp_path / "run").task.settings
    assert (settings.steps, settings.batch_size, settings.seed, settings.lr) == (2, 10, 16, 0.5)


def test_a_question_is_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox\n" * 30)
    main(
        ["train", "language", "--data", str(text), "--out", str(tmp_path / "run"), "--steps", "1", "--hidden-size", "8"]
    )
    capsys.readouterr()
    for asked in (["sample", str(tmp_path / "run"), "--length"], ["predict", str(tmp_path / "run"), "the", "--length"]):
        check_mistake([*asked, "2.5"], capsys, "--length is '2.5'; give a whole number")
