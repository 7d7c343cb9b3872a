"""Streams: server-sent events and WebSockets, with the state carried."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import elman
from elman.tasks.language import Options
from elman.web.service.requests.limits import Limits
from tests.web.service.running import Running, served


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """The data of server-sent events, whose names stand in it too."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    found = []
    for block in answer.text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['event']}"
    return found


def streamed(client: httpx.Client, run: str, given: Any, **options: Any) -> list[dict[str, Any]]:
    return events(client.post(f"/v1/runs/{run}/stream", json={"input": given, "options": options}))


def test_text_as_it_is_written(client: httpx.Client, runs: dict[str, Path]) -> None:
    found = streamed(client, "text", "the ", length=300, seed=4)
    assert found[-1] == {"event": "end"}
    (whole,) = elman.load(runs["text"]).predict("the ", Options(length=300, seed=4))
    assert "".join(one["text"] for one in found[:-1]) == whole.text  # type: ignore[attr-defined]


def test_the_running_opinion(client: httpx.Client, runs: dict[str, Path]) -> None:
    found = streamed(client, "opinions", "the food was bad")
    (whole,) = elman.load(runs["opinions"]).predict("the food was bad")
    assert [one["event"] for one in found] == ["opinion"] * 4 + ["end"]
    wanted = [one.probability for one in whole.opinion]  # type: ignore[attr-defined]
    assert [one["probability"] for one in found[:-1]] == pytest.approx(wanted, abs=1e-6)


def test_a_recording_and_a_task_without_a_stream(client: httpx.Client, runs: dict[str, Path]) -> None:
    sound = runs["digits"].parent / "sounds" / "3.wav"
    found = events(client.post("/v1/runs/digits/stream", files={"file": ("a.wav", sound.read_bytes())}))
    assert [one["event"] for one in found][-2:] == ["prediction", "end"]
    table = runs["table"].parent / "days.csv"
    found = events(client.post("/v1/runs/table/stream", files={"file": ("days.csv", table.read_bytes())}))
    assert found[0]["input"] == "days.csv"
    assert found[0]["event"] == "prediction"


def test_what_goes_wrong_in_a_stream_is_an_event(client: httpx.Client) -> None:
    found = streamed(client, "parity", "12")
    assert found[-1]["event"] == "error"
    assert found[-1]["status"] == 422
    assert "neither 0 nor 1" in found[-1]["detail"]
    assert client.post("/v1/runs/text/stream", json={"input": 5}).status_code == 422
    assert client.post("/v1/runs/text/stream", json={"input": "a", "options": {"length": 0}}).status_code == 422


@contextlib.contextmanager
def opened(server: Running, run: str, options: dict[str, Any] | None = None, **more: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{server.port}/v1/runs/{run}/stream", proxy=None, **more) as socket:
        with contextlib.suppress(ConnectionClosed):  # a server that has no room closes first
            socket.send(json.dumps({"options": options or {}, **({"rate": 8000} if run == "digits" else {})}))
        yield socket


def heard(socket: ClientConnection, until: str) -> list[dict[str, Any]]:
    found = []
    while not found or found[-1]["event"] != until:
        found.append(json.loads(socket.recv(20)))
        assert found[-1]["event"] != "error" or until == "error", found[-1]
    return found


def test_the_state_is_carried_from_piece_to_piece(server: Running, runs: dict[str, Path]) -> None:
    with opened(server, "text", {"length": 20, "temperature": 0}) as socket:
        heard(socket, "ready")
        written = ""
        for piece in ("the ", " fox ", ""):
            socket.send(json.dumps({"piece": piece}))
            written += piece + "".join(one["text"] for one in heard(socket, "read")[:-1])
        socket.send(json.dumps({"finish": True}))
        heard(socket, "end")
    text = written[:-20]
    (whole,) = elman.load(runs["text"]).predict(text, Options(length=20, temperature=0))
    assert whole.text == written[-20:]  # type: ignore[attr-defined]


def test_bits_and_numbers(server: Running) -> None:
    with opened(server, "parity") as socket:
        heard(socket, "ready")
        for bit in "101":
            socket.send(json.dumps({"piece": bit}))
            assert len(heard(socket, "read")) == 2
    with opened(server, "gestures") as socket:
        heard(socket, "ready")
        socket.send(json.dumps({"piece": [[0.1, 0.2], [0.3, -0.4], [0.5, 0.1]], "finish": True}))
        assert heard(socket, "end")[0]["steps"] == 3


def test_sound_from_a_microphone(server: Running, runs: dict[str, Path]) -> None:
    import soundfile

    samples, _ = soundfile.read(runs["digits"].parent / "sounds" / "3.wav", dtype="int16")
    with opened(server, "digits") as socket:
        heard(socket, "ready")
        for piece in np.array_split(samples, 8):
            socket.send(piece.astype("<i2").tobytes())
            heard(socket, "read")
        socket.send(json.dumps({"finish": True}))
        found = heard(socket, "end")
    (whole,) = elman.load(runs["digits"]).predict([str(runs["digits"].parent / "sounds" / "3.wav")])
    assert found[-2]["text"] == whole.text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("text", "no json"),
        ("text", '{"piece": 5}'),
        ("text", '{"pieces": "a"}'),
        ("text", "{}"),
        ("text", b"\0\0"),
        ("text", '{"piece": "\u00df"}'),
        ("digits", '{"piece": "a"}'),
        ("digits", b"\0"),
        ("gestures", '{"piece": [[1]]}'),
        ("gestures", '{"piece": [[1e999, 1]]}'),
        ("gestures", '{"piece": {"a": [' + "[" * 5000 + "]" * 5000 + "]}}"),
        ("parity", '{"piece": "10a"}'),
    ],
)
def test_messages_of_another_form(server: Running, run: str, message: str | bytes) -> None:
    with opened(server, run) as socket:
        heard(socket, "ready")
        socket.send(message)
        assert heard(socket, "error")[-1]["status"] in (400, 422)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_first_messages_of_another_form(server: Running) -> None:
    for first in ('{"piece": "a"}', '{"options": {"length": -1}}', '{"options": {"nix": 1}}', b"\0\0"):
        with connect(f"ws://127.0.0.1:{server.port}/v1/runs/text/stream", proxy=None) as socket:
            socket.send(first)
            assert heard(socket, "error")[-1]["status"] == 422
    for run, status in (("nix", 404), ("table", 422)):
        with connect(f"ws://127.0.0.1:{server.port}/v1/runs/{run}/stream", proxy=None) as socket:
            assert heard(socket, "error")[-1]["status"] == status


def test_a_message_that_is_too_large(server: Running) -> None:
    with opened(server, "text") as socket:
        heard(socket, "ready")
        with contextlib.suppress(ConnectionClosed):
            socket.send(json.dumps({"piece": "a" * (1 << 21)}))
        with pytest.raises(ConnectionClosed):
            socket.recv(20)


def test_pages_of_other_sites_open_no_socket(server: Running) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(server, "text", origin="http://evil.example"):
        pass
    assert refused.value.response.status_code == 403


def open_streams(server: Running) -> float:
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("elman_open_streams "))


def wait_until_closed(server: Running) -> None:
    end = time.monotonic() + 10
    while open_streams(server) and time.monotonic() < end:
        time.sleep(0.05)
    assert open_streams(server) == 0


def test_who_goes_away_leaves_nothing_behind(server: Running) -> None:
    with server.client() as client:
        body = {"input": "the ", "options": {"length": 20000}}
        with client.stream("POST", "/v1/runs/text/stream", json=body) as answer:
            next(iter(answer.iter_lines()))
    with opened(server, "text", {"length": 20000}) as socket:
        socket.send(json.dumps({"piece": "the "}))
        socket.socket.shutdown(SHUT_RDWR)
    wait_until_closed(server)


@pytest.fixture(scope="module")
def narrow(runs: dict[str, Path]) -> Iterator[Running]:
    """A server of two streams, which end soon."""
    limits = Limits(streams=2, stream_seconds=0.6)
    with served([runs["text"], runs["parity"]], limits) as found:
        yield found


def test_streams_are_not_too_many(narrow: Running) -> None:
    with opened(narrow, "parity"), opened(narrow, "parity"):
        with narrow.client() as client:
            time.sleep(0.1)
            answer = client.post("/v1/runs/text/stream", json={"input": "the "})
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
        with opened(narrow, "parity") as third:
            assert heard(third, "error")[-1]["status"] == 503
    wait_until_closed(narrow)


def test_silence_and_endless_streams_end(narrow: Running) -> None:
    with opened(narrow, "parity") as socket:
        heard(socket, "ready")
        assert heard(socket, "error")[-1]["status"] == 408
    with narrow.client() as client:
        found = events(client.post("/v1/runs/text/stream", json={"input": "the ", "options": {"length": 20000}}))
        assert found[-1]["event"] in ("error", "end")
    wait_until_closed(narrow)


def test_streams_end_when_the_server_stops(runs: dict[str, Path]) -> None:
    with contextlib.ExitStack() as stack:
        with served([runs["text"], runs["parity"]]) as server:
            socket = stack.enter_context(opened(server, "parity"))
            heard(socket, "ready")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1001, 1012)
