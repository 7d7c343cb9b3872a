"""Captioning from end to end on pictures that are drawn here: every colour has its word."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import elman
import elman.training_run
from elman import insight
from elman.cli.main import main
from elman.data.image.features import Features
from elman.errors import UserError
from elman.insight.example import BEGIN
from elman.tasks.captioning.settings import Options, Settings
from elman.tasks.captioning.steps import PICTURE

COLOURS = ("red", "green", "blue", "white")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that say which colour a picture has, and captions that name it."""
    folder = tmp_path_factory.mktemp("captions")
    generator = np.random.default_rng(0)
    names = [f"{number:03}.png" for number in range(80)]
    kinds = [number % 4 for number in range(80)]
    vectors = np.eye(4, dtype=np.float32)[kinds] + generator.normal(0, 0.05, (80, 4)).astype(np.float32)
    Features(tuple(names), vectors).save(folder / "seen.npz")
    lines = ["image,caption,split"]
    for name, kind in zip(names, kinds, strict=True):
        part = "test" if int(name[:3]) >= 70 else "val" if int(name[:3]) >= 60 else "train"
        lines += [f"{name},A {COLOURS[kind]} wall.,{part}", f'{name},"The wall, it is {COLOURS[kind]}!",{part}']
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder


def settings(folder: Path, **more: object) -> Settings:
    base = {"data": str(folder / "seen.npz"), "captions": str(folder / "captions.csv"), "steps": 200, "eval_every": 200}
    base |= {"checkpoint_every": 40, "hidden_size": 16, "embedding_size": 8, "dropout": 0.0, "min_count": 1}
    return Settings(**(base | {"lr": 1e-2, "warmup": 5, "batch_size": 16, "threads": 1} | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> elman.Run:
    out = tmp_path_factory.mktemp("runs") / "walls"
    elman.training_run.train("captioning", settings(data), out)
    return elman.load(out)


@pytest.mark.parametrize("feature_as", ["first", "state", "every", "first+state"])
def test_it_learns_to_name_what_the_features_show(data: Path, tmp_path: Path, feature_as: str) -> None:
    elman.training_run.train("captioning", settings(data, feature_as=feature_as), tmp_path / "run")
    run = elman.load(tmp_path / "run")
    metrics = run.examine(None).metrics
    assert metrics["test_bleu_1"] > 85  # some walls are "a red wall", some "the wall it is red"
    assert metrics["test_distinct"] >= 0.3
    assert metrics["test_perplexity"] == pytest.approx(np.exp(metrics["test_loss"]))


def test_a_run_that_was_stopped_ends_in_the_same_weights(
    data: Path, run: elman.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked = tmp_path / "stopped", settings(data)
    batch = run.task.__class__.batch

    def stopped(task: object, step: int, rank: int, world: int) -> object:
        if step == 100:
            raise RuntimeError("killed")
        return batch(task, step, rank, world)

    with monkeypatch.context() as patch:
        patch.setattr(run.task.__class__, "batch", stopped)
        with pytest.raises(RuntimeError, match="killed"):
            elman.training_run.train("captioning", asked, out)
    elman.training_run.train("captioning", asked, out, resume=True)
    again = elman.load(out).model.state_dict()
    assert all(again[name].equal(weights) for name, weights in run.model.state_dict().items())


def test_predictions_say_how_probable_they_are_and_why(run: elman.Run, data: Path) -> None:
    first, *others = run.predict([str(data / "seen.npz")], Options(explain=True))
    assert len(others) == 79
    assert "red" in first.caption
    assert first.probability == pytest.approx(np.prod([word.probability for word in first.words]), rel=1e-3)
    assert [word.word for word in first.words] == [*first.caption.split(), "<eos>"]
    assert "runner" not in run.task.show([first])
    assert "then" in run.task.show([first])
    assert json.loads(json.dumps(first.to_json()))["words"][0].keys() == {
        "word",
        "probability",
        "runner_up",
        "runner_up_probability",
    }


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"captions": ""}, "name their file with `captions`"),
        ({"captions": "nowhere.csv"}, "nowhere.csv"),
        ({"features": "nowhere.npz"}, "nowhere.npz"),
        ({"data": "flickr9k"}, "did you mean flickr8k"),
        ({"min_count": 0}, "`min_count`"),
        ({"label_smoothing": 1.0}, "`label_smoothing`"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    data: Path, tmp_path: Path, more: dict[str, object], what: str
) -> None:
    with pytest.raises(UserError, match=what):
        elman.training_run.train("captioning", settings(data, **more), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_features_and_captions_whose_names_do_not_match(data: Path, tmp_path: Path) -> None:
    Features(("x.png",), np.zeros((1, 4), np.float32)).save(tmp_path / "other.npz")
    with pytest.raises(UserError, match=r"none of the 1 pictures has a caption.*make the names agree"):
        elman.training_run.train("captioning", settings(data, data=str(tmp_path / "other.npz")), tmp_path / "run")


def test_features_of_another_size(run: elman.Run, tmp_path: Path) -> None:
    Features(("x.png",), np.zeros((1, 5), np.float32)).save(tmp_path / "wide.npz")
    with pytest.raises(UserError, match="5 numbers for each picture, and this run learned from 4"):
        run.predict([str(tmp_path / "wide.npz")])


def test_pictures_are_refused_where_nobody_knows_what_saw_them(run: elman.Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="features of your own"):
        run.predict([str(tmp_path)])


@pytest.mark.parametrize("feature_as", ["first", "state"])
def test_a_picture_can_be_looked_into(data: Path, tmp_path: Path, feature_as: str, run: elman.Run) -> None:
    if feature_as != "first":
        elman.training_run.train("captioning", settings(data, feature_as=feature_as), tmp_path / "run")
        run = elman.load(tmp_path / "run")
    look = run.inspection_example(str(data / "seen.npz"))
    (first, *_) = run.predict([str(data / "seen.npz")], Options(beam=1))
    before = [PICTURE] if feature_as == "first" else []
    assert look.tokens == (*before, BEGIN, *(f" {word}" for word in first.caption.split()))
    assert look.about.endswith(first.caption)
    unrolled = insight.unroll(run.model, look.inputs, look.targets, tokens=look.tokens, layer=look.layer)
    assert unrolled.cost == pytest.approx(-np.log(first.probability), abs=0.02)  # the marks have a share of it
    assert [float(cost) for cost in unrolled.costs[: len(before)]] == [0.0] * len(before)
    ranked = insight.units(run.model, look.inputs, look.tokens, tracks=look.tracks, text=False).correlation
    assert ranked.keys() == {"words written", "probability of the end"}
    with pytest.raises(UserError, match="is a folder; name one picture"):
        run.inspection_example(str(data))


def test_inspect_takes_a_file(run: elman.Run, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--input", "--text"):
        words = ["inspect", "unroll", str(run.folder.path), option, str(data / "seen.npz"), "--out", str(tmp_path)]
        main([*words, "--json"])
        facts = json.loads(capsys.readouterr().out)
        assert facts["steps"][0]["token"] == PICTURE
    main(["inspect", "flow", str(run.folder.path), "--out", str(tmp_path), "--json"])
    assert list(json.loads(capsys.readouterr().out)["layers"]) == ["recurrent.layer.l0"]
