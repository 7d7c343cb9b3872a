"""Predictions over HTTP are those of `Run.predict`."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

import elman
from tests.web.service.running import Running, served


def asked(client: httpx.Client, run: str, inputs: list[Any], **options: Any) -> Any:
    answer = client.post(f"/v1/runs/{run}/predict", json={"inputs": inputs, "options": options})
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def sent(client: httpx.Client, run: str, *files: Path, **options: Any) -> Any:
    form = [("files", (path.name, path.read_bytes())) for path in files]
    answer = client.post(f"/v1/runs/{run}/predict", files=form, data={"options": json.dumps(options)})
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def close(found: Any, wanted: Any) -> None:
    """The same, but for rounding."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name in wanted:
            close(found[name], wanted[name])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)
    else:
        assert found == (pytest.approx(wanted, rel=1e-5, abs=1e-6) if isinstance(wanted, float) else wanted)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("parity", ["1011", "1"]),
        ("opinions", ["the food was good", "bad " * 30]),
        ("text", ["the "]),
        ("german", ["the a dog u", ""]),
        ("gestures", [[[0.1, 0.2], [0.3, -0.4], [0.5, 0.1], [0.2, 0.2]]]),
    ],
)
def test_values_as_json(client: httpx.Client, runs: dict[str, Path], name: str, inputs: list[Any]) -> None:
    wanted = [one.to_json() for one in elman.load(runs[name]).predict(inputs)]
    close(asked(client, name, inputs), wanted)


def test_a_table_as_columns(client: httpx.Client) -> None:
    days = [f"2021-03-{day:02}" for day in range(1, 31)]
    (found,) = asked(client, "table", [{"date": days, "value": [n % 7 for n in range(30)]}])
    assert found["times"][0].startswith("2021-03-31")
    assert set(found["targets"]["value"]) == {"forecast", "lower", "upper"}


@pytest.mark.parametrize(
    ("name", "file"),
    [("table", "days.csv"), ("digits", "sounds/3.wav"), ("pictures", "seen.npz"), ("gestures", "one.csv")],
)
def test_files_under_their_own_names(client: httpx.Client, runs: dict[str, Path], name: str, file: str) -> None:
    path = runs[name].parent / file
    wanted = [one.to_json() for one in elman.load(runs[name]).predict([str(path)])]
    for one in wanted:
        one["input"] = one["input"].removeprefix(f"{path.parent}/")
    close(sent(client, name, path), wanted)


def test_several_files_and_options(client: httpx.Client, runs: dict[str, Path]) -> None:
    folder = runs["digits"].parent / "sounds"
    found = sent(client, "digits", folder / "1.wav", folder / "2.wav", beam=3)
    assert [one["input"] for one in found] == ["1.wav", "2.wav"]


def test_alignment_of_a_translation(client: httpx.Client) -> None:
    (found,) = asked(client, "german", ["the a dog u"], alignment=True, beam=2)
    alignment = found["alignment"]
    assert len(alignment["weights"]) == len(alignment["written"])
    assert all(sum(row) == pytest.approx(1, abs=1e-5) for row in alignment["weights"])


def test_sampling_options(client: httpx.Client) -> None:
    how = {"length": 12, "temperature": 1.2, "top_k": 3, "top_p": 0.8, "seed": 5}
    first, again = (asked(client, "text", ["the "], **how)[0]["text"] for _ in range(2))
    assert first == again
    assert len(first) == 12
    assert asked(client, "text", ["the "], **{**how, "seed": 6})[0]["text"] != first


def test_the_caption_explains_itself(client: httpx.Client, runs: dict[str, Path]) -> None:
    found = sent(client, "pictures", runs["pictures"].parent / "seen.npz", explain=True)
    assert len(found) == 30
    assert set(found[0]["words"][0]) == {"word", "probability", "runner_up", "runner_up_probability"}


@pytest.mark.parametrize("name", ["opinions", "parity", "german"])
def test_requests_together_are_answered_as_alone(server: Running, name: str) -> None:
    """Many at once, of different lengths, and one of them wrong: each gets its own answer."""
    inputs = {
        "opinions": ["good " * n for n in range(1, 30)] + [""],
        "parity": ["10" * n for n in range(1, 30)] + ["2"],
        "german": ["the a dog u " * (1 + n % 3) for n in range(8)],
    }[name]
    with server.client() as client:
        alone = [client.post(f"/v1/runs/{name}/predict", json={"inputs": [one]}) for one in inputs]
    before = _batches(server, name)
    found: list[httpx.Response | None] = [None] * len(inputs)
    barrier = threading.Barrier(len(inputs))

    def ask(number: int) -> None:
        with server.client() as own:
            own.get("/healthz")
            barrier.wait()
            found[number] = own.post(f"/v1/runs/{name}/predict", json={"inputs": [inputs[number]]})

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, alone, strict=True):
        assert one is not None
        assert one.status_code == other.status_code
        close(one.json(), other.json())
    assert _batches(server, name) - before < len(inputs)  # some were together


def _batches(server: Running, name: str) -> float:
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    start = f'elman_batch_inputs_count{{run="{name}"}}'
    return next(float(line.split()[-1]) for line in lines if line.startswith(start))


def test_what_is_served(client: httpx.Client, runs: dict[str, Path]) -> None:
    listed = {one["name"]: one for one in client.get("/v1/runs").json()["runs"]}
    assert listed.keys() == runs.keys()
    assert {name: one["streams"] for name, one in listed.items()} == {
        "parity": "text",
        "opinions": "text",
        "text": "text",
        "gestures": "numbers",
        "table": None,
        "digits": "sound",
        "german": None,
        "pictures": None,
    }
    assert "file" not in listed["german"]["options"]
    one = client.get("/v1/runs/opinions").json()
    assert one["settings"]["hidden_size"] == 8
    assert str(runs["opinions"].parent) not in json.dumps(one)  # no path of this computer
    assert client.get("/healthz").json()["status"] == "ok"


def test_what_is_counted(client: httpx.Client) -> None:
    asked(client, "parity", ["1", "0"])
    text = client.get("/metrics").text
    assert 'elman_requests_total{route="predict",status="200"}' in text
    assert 'elman_predictions_total{run="parity"}' in text
    assert "elman_request_seconds_bucket" in text
    assert "process_resident_memory_bytes" in text


def test_two_runs_of_one_name(runs: dict[str, Path]) -> None:
    with served([runs["parity"], Path(f"again={runs['parity']}")]) as server, server.client() as client:
        assert asked(client, "again", ["1"]) == asked(client, "parity", ["1"])
    with pytest.raises(elman.UserError, match="two runs are called parity"):
        served([runs["parity"], runs["parity"]])
