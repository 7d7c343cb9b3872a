"""Inputs that come in pieces: what is said while they come agrees with what is said of the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.cli.quick_runs import make_run, write_data

import elman
from elman.data.audio.io import Sound
from elman.errors import UserError
from elman.run import Run
from elman.training.predicting.input_stream import Event, InputStream

TEXT = "the food was good 3 and the food was bad"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def run_of(data: Path, folder: Path, task: str, **settings: Any) -> Run:
    sources = {"sentiment": "reviews.csv", "language": "text.txt", "series": "classes"}
    given = {"data": (str(data / sources[task]),) if task == "language" else str(data / sources[task])}
    return elman.load(make_run(folder / "run", task, **(given if task in sources else {}), **settings))


def said(stream: InputStream, *pieces: Any) -> list[Event]:
    found = [event for piece in pieces for event in stream.push(piece)]
    return [*found, *stream.finish()]


def opinions(stream: InputStream, *pieces: str) -> list[tuple[str, str, float]]:
    events = [event for event in said(stream, *pieces) if event["event"] == "opinion"]
    return [(event["input"], event["label"], event["probability"]) for event in events]


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("settings", [{"readout": "mean-max"}, {"readout": "attention", "members": 2, "folds": 0}])
def test_a_text_in_pieces_of_any_length(data: Path, tmp_path: Path, bidirectional: bool, settings: Any) -> None:
    run = run_of(data, tmp_path, "sentiment", bidirectional=bidirectional, hidden_size=8, **settings)
    (whole,) = run.predict(TEXT)
    wanted = [(one.token, one.label, one.probability) for one in whole.opinion]  # type: ignore[attr-defined]
    for size in (1, 4, 100):
        pieces = [TEXT[i : i + size] for i in range(0, len(TEXT), size)]
        found = opinions(run.open_stream(), *pieces)
        assert [one[:2] for one in found] == [one[:2] for one in wanted]
        assert [one[2] for one in found] == pytest.approx([one[2] for one in wanted], abs=1e-6)


@pytest.mark.parametrize("tokens", ["bpe", "characters", "words"])
def test_a_word_that_may_grow_is_provisional(data: Path, tmp_path: Path, tokens: str) -> None:
    run = run_of(data, tmp_path, "sentiment", tokens=tokens, hidden_size=8, vocabulary_size=300)
    stream = run.open_stream()
    first = [event["event"] for event in stream.push("the foo")]
    assert ("provisional" in first) == (tokens != "characters")
    (whole,) = run.predict("the food was")
    words = [e["input"] for e in [*stream.push("d was"), *stream.finish()] if e["event"] == "opinion"]
    assert words == [one.token for one in whole.opinion][-len(words) :]  # type: ignore[attr-defined]


def test_a_run_that_reads_both_ways_says_when_it_has_read_enough(data: Path, tmp_path: Path) -> None:
    stream = run_of(data, tmp_path, "sentiment", max_length=4, hidden_size=8).open_stream()
    with pytest.raises(UserError, match="more than 4 tokens"):
        said(stream, TEXT)


def test_bits_one_by_one(tmp_path: Path) -> None:
    run = elman.load(make_run(tmp_path / "run", "parity", hidden_size=8))
    bits = "1011001110001"
    events = said(run.open_stream(), *bits[:5], bits[5:], " ")
    for end, event in enumerate(events, 1):
        (one,) = run.predict(bits[:end])
        assert event["answer"] == one.answer  # type: ignore[attr-defined]
        assert event["probability"] == pytest.approx(one.probability, abs=1e-6)  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="neither 0 nor 1"):
        said(run.open_stream(), "012")


def test_numbers_to_add(tmp_path: Path) -> None:
    run = elman.load(make_run(tmp_path / "run", "parity", problem="adding", hidden_size=8))
    text = "0.1 0.5* 0.3 0.8*"
    (whole,) = run.predict(text)
    last = said(run.open_stream(), *text)[-1]
    assert last["answer"] == pytest.approx(whole.answer, abs=1e-6)  # type: ignore[attr-defined]
    assert last["sum"] == pytest.approx(1.3)


def test_copy_takes_its_digits_together(tmp_path: Path) -> None:
    run = elman.load(make_run(tmp_path / "run", "parity", problem="copy", hidden_size=8))
    with pytest.raises(UserError, match="not in pieces"):
        run.open_stream()


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_a_text_written_in_two_goes_is_that_of_one(data: Path, tmp_path: Path, cell: str) -> None:
    from elman.tasks.language import Options

    run = run_of(data, tmp_path, "language", cell=cell, hidden_size=16, embedding_size=8)
    (whole,) = run.predict("the ", Options(length=60, seed=3, top_k=9, top_p=0.9))
    stream = run.open_stream(Options(length=30, seed=3, top_k=9, top_p=0.9))
    written = "".join(event["text"] for event in said(stream, "the ", ""))
    assert written == whole.text  # type: ignore[attr-defined]


def test_a_prompt_after_what_was_written(data: Path, tmp_path: Path) -> None:
    from elman.tasks.language import Options

    run = run_of(data, tmp_path, "language", hidden_size=16, embedding_size=8)
    stream = run.open_stream(Options(length=5, temperature=0))
    first = "".join(event["text"] for event in stream.push("the "))
    then = "".join(event["text"] for event in stream.push(" fox"))
    (whole,) = run.predict("the " + first + " fox", Options(length=5, temperature=0))
    assert then == whole.text  # type: ignore[attr-defined]


def test_a_series_step_by_step(data: Path, tmp_path: Path) -> None:
    run = run_of(data, tmp_path, "series", hidden_size=4)
    values = np.array([[0.1, 0.2], [0.3, -0.4], [0.5, 0.1], [0.2, 0.2]], dtype=np.float32)
    last = said(run.open_stream(), values[:1].tolist(), values[1:].tolist())[-1]
    (whole,) = run.predict([values])
    assert last["probabilities"] == pytest.approx(whole.probabilities, abs=1e-6)  # type: ignore[attr-defined]
    for wrong in ([[1.0]], [["a", "b"]], [[1.0, float("nan")]], [[1.0, 2.0], [3.0]], 5, "abc", None):
        with pytest.raises(UserError):
            said(run.open_stream(), wrong)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import soundfile

    folder, generator = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    rows = ["file,transcript"]
    for number in range(12):
        times = np.arange(6000) / 8000
        sound = 0.3 * np.sin(2 * np.pi * (300 + 40 * number) * times) + 0.02 * generator.normal(size=6000)
        soundfile.write(folder / f"{number}.wav", sound, 8000)
        rows.append(f"{number}.wav,{'ab' if number % 2 else 'ba'}")
    (folder / "transcripts.csv").write_text("\n".join(rows))
    return folder


def sound_of(recordings: Path) -> Sound:
    import soundfile

    sound: Sound = soundfile.read(recordings / "3.wav", dtype="float32")[0]
    return sound


def test_sound_as_it_is_heard(recordings: Path, tmp_path: Path) -> None:
    settings = {"data": str(recordings), "answer": "symbols", "bidirectional": False, "hidden_size": 8}
    run = elman.load(make_run(tmp_path / "run", "speech", **settings))
    (whole,) = run.predict([str(recordings / "3.wav")])
    sound = sound_of(recordings)
    pieces = [(piece, 8000) for piece in np.array_split(sound, 9)]
    found = [(e["symbol"], e["second"]) for e in said(run.open_stream(), *pieces)]
    assert found == list(whole.heard)  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", ["symbols", "class"])
def test_sound_that_is_read_as_a_whole(recordings: Path, tmp_path: Path, answer: str) -> None:
    settings = {"data": str(recordings), "answer": answer, "bidirectional": True, "hidden_size": 8}
    run = elman.load(make_run(tmp_path / "run", "speech", **settings))
    (whole,) = run.predict([str(recordings / "3.wav")])
    events = said(run.open_stream(), *((piece, 8000) for piece in np.array_split(sound_of(recordings), 9)))
    assert [event["event"] for event in events] == ["provisional", "prediction"]
    wanted = whole.to_json()
    assert {name: events[-1][name] for name in ("text", "label") if name in wanted} == {
        name: wanted[name] for name in ("text", "label") if name in wanted
    }


def test_sound_of_another_rate_and_sound_that_is_none(recordings: Path, tmp_path: Path) -> None:
    settings = {"data": str(recordings), "answer": "symbols", "hidden_size": 8}
    run = elman.load(make_run(tmp_path / "run", "speech", **settings))
    assert said(run.open_stream(), (np.zeros(16000, np.float32), 16000)) == []  # silence
    half = (sound_of(recordings), 8000)
    for wrong in ([(half[0], 1)], [half, (half[0], 16000)], [(np.full(9, np.nan, np.float32), 8000)]):
        with pytest.raises(UserError):
            said(run.open_stream(), *wrong)


def test_a_task_that_takes_inputs_whole_says_so(tmp_path: Path) -> None:
    times = [f"{day},{n % 7}.5" for n, day in enumerate(np.arange("2020-01-01", "2020-05-01", dtype="datetime64[D]"))]
    (tmp_path / "table.csv").write_text("\n".join(["date,value", *times]))
    run = elman.load(
        make_run(tmp_path / "run", "forecasting", data=str(tmp_path / "table.csv"), horizon=3, window=14, hidden_size=4)
    )
    with pytest.raises(UserError, match="takes inputs whole"):
        run.open_stream()


def test_no_gradient_is_kept(tmp_path: Path) -> None:
    run = elman.load(make_run(tmp_path / "run", "parity", hidden_size=8))
    stream = run.open_stream()
    with torch.enable_grad():
        said(stream, "1010")
    assert not stream._reader._state[0].requires_grad  # type: ignore[attr-defined]
