"""Speech: tones as words, told apart and written down, streamed, drawn, in bounded memory."""

import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from elman.cli.main import main
from elman.errors import UserError
from elman.run import Run, load
from elman.tasks.speech import task as speech
from elman.tasks.speech import transcription
from elman.tasks.speech.settings import Options, Settings
from elman.training_run import train

RATE = 8000
WORDS = {"low": 300.0, "mid": 900.0, "high": 1800.0}
SMALL = {
    "vary_speed": 0.0,
    "vary_gain": 0.0,
    "vary_hiss": 0.0,
    "hidden_size": 16,
    "threads": 1,
    "lr": 1e-2,
    "warmup": 10,
    "bands": 20,
    "batch_size": 16,
}


def word(name: str, generator: np.random.Generator) -> np.ndarray:
    seconds = generator.uniform(0.15, 0.25)
    time = np.arange(int(seconds * RATE)) / RATE
    swelling = generator.uniform(0.2, 0.6) * np.hanning(len(time))
    return (swelling * np.sin(2 * np.pi * WORDS[name] * time)).astype(np.float32)


def write_words(folder: Path) -> Path:
    """30 recordings of one word each, by three speakers."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    rows = ["file,transcript,speaker,part"]
    for number in range(36):
        name = tuple(WORDS)[number % 3]
        soundfile.write(folder / f"{number}.wav", word(name, generator), RATE)
        part = "test" if number < 6 else "validation" if number < 12 else "train"
        rows.append(f"{number}.wav,{name},{'abc'[number // 3 % 3]},{part}")
    (folder / "words.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _few_strings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcription, "HELD_OUT_STRINGS", {"validation": 20, "test": 40})
        yield


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("speech") / "words")


@pytest.fixture(scope="module")
def classes(words: Path) -> Run:
    out = words.parent / "classes"
    train("speech", Settings(data=str(words), steps=60, eval_every=30, dropout=0.0, **SMALL), out)
    return load(out)


@pytest.fixture(scope="module")
def strings(words: Path) -> Run:
    out = words.parent / "strings"
    settings = Settings(
        data=str(words),
        answer="symbols",
        symbols="words",
        join=6,
        bidirectional=False,
        eval_every=125,
        join_gain=0.0,
        dropout=0.0,
        **SMALL | {"steps": 250, "hidden_size": 32, "lr": 3e-3},
    )
    train("speech", settings, out)
    return load(out)


def sentence(folder: Path, *names: str) -> str:
    generator = np.random.default_rng(5)
    pause = np.zeros(800, np.float32)
    path = folder / "sentence.flac"
    soundfile.write(path, np.concatenate([part for name in names for part in (pause, word(name, generator))]), RATE)
    return str(path)


def test_tells_words_apart(classes: Run, words: Path, tmp_path: Path) -> None:
    assert classes.evaluate()["test_accuracy"] == 1.0
    both = [str(words / "0.wav"), str(words / "1.wav")]
    predictions = classes.predict(both)
    assert [p.label for p in predictions] == ["low", "mid"]
    assert "mid" in classes.task.show(predictions)
    with pytest.raises(UserError, match="`answer=symbols`"):
        classes.predict(both, Options(beam=2))


def test_writes_down_what_was_joined(strings: Run) -> None:
    report = strings.examine()
    assert report.metrics["test_wer"] < 0.15
    assert report.metrics["test_wer_beam"] < 0.15
    lengths = report.tables[0]
    assert [row[0] for row in lengths.rows] == [3, 4, 5, 6, 7]
    assert sum(row[1] for row in lengths.rows) == 40


def test_streams_and_draws(strings: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ("low", "high", "high", "mid")
    path, folder = sentence(tmp_path, *said), str(strings.folder.path)
    main(["predict", folder, path, "--stream", "--json", "--out", str(tmp_path / "heard")])
    shown = capsys.readouterr()
    prediction = json.loads(shown.out)
    assert prediction["text"] == " ".join(said)
    assert shown.err.splitlines()[0].split() == list(said)
    seconds = [second for _, second in prediction["heard"]]
    assert seconds == sorted(seconds)
    assert 0 < seconds[0] < 0.4
    assert (tmp_path / "heard.png").stat().st_size > 1000
    (wide,) = strings.predict([path], Options(beam=8))
    assert wide.text == prediction["text"]


def test_the_same_step_draws_the_same_strings(strings: Run) -> None:
    task = strings.task
    first, again, other = task.batch(3, 0, 1), task.batch(3, 0, 1), task.batch(4, 0, 1)
    assert first.x.equal(again.x)
    assert not (first.x.shape == other.x.shape and first.x.equal(other.x))
    halves = [task.batch(3, rank, 2) for rank in range(2)]
    assert sum(len(half.lengths) for half in halves) == len(first.lengths)


VARIED = {
    "vary_speed": 0.1,
    "vary_gain": 3.0,
    "vary_hiss": 0.01,
    "vary_tract": 0.1,
    "vary_tempo": 0.2,
    "vary_ends": 0.1,
}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("WordTask", {"normalise": "recording", "floor": 35.0, "cepstra": 12}),
        ("WordTask", {}),
        ("TranscriptTask", {"answer": "symbols"}),
        ("TranscriptTask", {"answer": "symbols", "symbols": "words", "join": 3}),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_weights(
    kind: str, more: dict[str, object], words: Path, tmp_path: Path
) -> None:
    varied = SMALL | VARIED | {"data": str(words), "steps": 12, "eval_every": 6, "checkpoint_every": 6}
    settings = Settings(dropout=0.2, **varied | more)  # type: ignore[arg-type]
    train("speech", settings, tmp_path / "whole")

    class StoppedError(Exception):
        pass

    class Stopping(getattr(speech, kind)):  # type: ignore[misc]
        def batch(self, step: int, rank: int, world: int) -> object:
            if step == 8:
                raise StoppedError
            return super().batch(step, rank, world)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech, "kind_of", lambda settings: Stopping)
        with pytest.raises(StoppedError):
            train("speech", settings, tmp_path / "stopped")
    assert load_file(tmp_path / "stopped" / "model.safetensors").keys()
    train("speech", settings, tmp_path / "stopped", resume=True)
    for name in ("model.safetensors", "last.safetensors"):
        whole, resumed = (load_file(tmp_path / run / name) for run in ("whole", "stopped"))
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[key], resumed[key]) for key in whole), name


def test_for_new_voices(words: Path, tmp_path: Path) -> None:
    settings = Settings(
        data=str(words),
        speaker="c",
        without="b",
        normalise="recording",
        floor=35,
        cepstra=12,
        steps=60,
        eval_every=30,
        best_by="loss",
        **SMALL | VARIED | {"vary_tract": 0.05, "vary_speed": 0.0},
    )
    train("speech", settings, tmp_path / "run")
    run = load(tmp_path / "run")
    assert {one.speaker for one in run.task.recordings.recordings} == {"a", "c"}
    assert run.evaluate()["test_accuracy"] == 1.0
    seconds = np.arange(2 * RATE) / RATE
    hum = (1e-3 * np.sin(2 * np.pi * 100 * seconds)).astype(np.float32)
    soundfile.write(tmp_path / "quiet.wav", np.concatenate([hum, word("mid", np.random.default_rng(1)), hum]), RATE)
    (prediction,) = run.predict([str(tmp_path / "quiet.wav")])
    assert prediction.label == "mid"


def test_an_hour_takes_the_memory_of_minutes(strings: Run, classes: Run, tmp_path: Path) -> None:
    minutes = np.tile(np.concatenate([np.zeros(RATE, np.float32), word("mid", np.random.default_rng(0))]), 60)
    peaks = []
    for count in (2, 8):  # times a bit more than a minute; an hour only takes longer
        path = tmp_path / f"{count}.wav"
        soundfile.write(path, np.tile(minutes, count), RATE)
        tracemalloc.start()  # numpy tells it of its arrays
        (prediction,) = strings.predict([str(path)])
        (label,) = classes.predict([str(path)])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert prediction.seconds > 60 * count
        assert len(prediction.text.split()) == pytest.approx(60 * count, rel=0.2)
        assert set(label.probabilities) == set(WORDS)
    assert peaks[1] < 1.5 * peaks[0]


def test_a_folder_by_characters_in_both_directions(words: Path, tmp_path: Path) -> None:
    settings = Settings(data=str(words), answer="symbols", steps=4, eval_every=4, speaker="c", stack=1, **SMALL)
    train("speech", settings, tmp_path / "run")
    run = load(tmp_path / "run")
    assert run.task.symbols == tuple(sorted(set("lowmidhigh")))
    assert run.examine(words).metrics["wer"] <= 20
    assert len(run.predict([str(words / "3.wav")])) == 1
    with pytest.raises(UserError, match="`bidirectional=False`"):
        run.predict([str(words / "3.wav")], Options(stream=True))


def test_a_transcript_longer_than_its_steps_is_counted_said_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_words(tmp_path / "words")
    table = folder / "words.csv"
    table.write_text(table.read_text().replace("20.wav,high", "20.wav,hhhhhhhhhhhhhhhhhhhh"))
    settings = Settings(data=str(folder), answer="symbols", steps=2, eval_every=2, **SMALL)
    train("speech", settings, tmp_path / "run")
    assert (
        "1 of 24 recordings of the train part have more symbols than steps and are skipped" in capsys.readouterr().err
    )


@pytest.mark.data
def test_the_parts_of_fsdd(tmp_path: Path) -> None:
    if not os.environ.get("ELMAN_DATA"):
        pytest.skip("ELMAN_DATA names no cache folder")
    from elman.data.audio.recordings import PARTS, read_recordings

    for speaker, expected in (("", (2400, 300, 300)), ("theo", (2250, 250, 500))):
        recordings = read_recordings("fsdd", speaker=speaker, validation_share=0.1)
        parts = {part: [one for one in recordings if one.part == part] for part in PARTS}
        assert tuple(len(parts[part]) for part in PARTS) == expected
        assert not speaker or {one.speaker for one in parts["test"]} == {speaker}
