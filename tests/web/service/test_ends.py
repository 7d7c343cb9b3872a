"""Connections that end in the middle: a head is refused, a client goes, the server stops."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.web.service.running import Running, served

PREDICT = "/v1/runs/parity/predict"


def test_a_refused_head_is_answered_once_and_its_connection_closed(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The time for a head passes while what still comes of a head that was too large is dropped."""
    monkeypatch.setattr("elman.web.service.serving.HEAD_SECONDS", 0.3)
    monkeypatch.setattr("elman.web.service.serving.LINGER_SECONDS", 0.9)
    with served([runs["parity"]]) as server, socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        began = time.monotonic()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200_000)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        assert answer == b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n"
        while time.monotonic() < began + 0.7:
            connection.sendall(b"x")  # still taken: a reset would take the answer away
            time.sleep(0.05)
        time.sleep(0.5)
        connection.sendall(b"x")
        time.sleep(0.1)
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            connection.sendall(b"x")
    assert not caplog.records


def test_a_client_that_goes_in_the_middle_of_a_body_is_no_fault_of_the_server(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        time.sleep(0.2)
    time.sleep(0.3)
    assert not caplog.records


def test_what_is_in_flight_when_the_server_gives_up(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A prediction, a body that has not come and an answer that nobody reads: no traceback, and 503 where it may be."""
    monkeypatch.setattr("elman.web.service.serving.GRACE_SECONDS", 0.5)
    go = threading.Event()
    monkeypatch.setattr("elman.run.Run.predict", lambda *given: go.wait(20) and [])
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    whole = b'{"inputs": ["1"]}'
    with contextlib.ExitStack() as stack:
        with served([runs["parity"]]) as server:
            server.application.interface._document = bytes(50_000_000)
            address = ("127.0.0.1", server.port)
            asked = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(3)]
            asked[0].sendall(f"{head}Content-Length: {len(whole)}\r\n\r\n".encode() + whole)
            asked[1].sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            asked[2].sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            time.sleep(0.3)
            began = time.monotonic()
        assert 0.4 < time.monotonic() - began < 2
        for one in asked[:2]:
            answer = b"".join(iter(lambda one=one: one.recv(4096), b""))  # type: ignore[misc]
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"application/problem+json" in answer
            assert answer.endswith(b'"the server stops; send it again"}')
    go.set()
    assert not caplog.records
