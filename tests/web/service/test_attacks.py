"""Requests of people who mean harm: each is one clear answer, and the server is well afterwards."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from elman.errors import UserError
from elman.web.service.requests.limits import Limits
from elman.web.service.served_run import load_runs
from elman.web.service.serving import BoundedProtocol
from tests.cli.quick_runs import make_run, write_data
from tests.web.service.checks import check
from tests.web.service.running import Running, served

PREDICT = "/v1/runs/parity/predict"
FORM = "multipart/form-data; boundary=b"


@pytest.fixture(autouse=True)
def well(server: Running) -> Iterator[None]:
    """After each attack the server answers as before."""
    yield
    with server.client() as client:
        assert client.post(PREDICT, json={"inputs": ["101"]}).status_code == 200


def post(client: httpx.Client, body: bytes, path: str = PREDICT, media: str = "application/json") -> httpx.Response:
    return client.post(path, content=body, headers={"content-type": media})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe\x00",
        b'{"inputs": ["\xff"]}',
        b'{"inputs": ["\\ud800"]}',
        b'{"inputs": [NaN]}',
        b"[" * 100_000,
        b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"inputs": [' + b"9" * 5000 + b"]}",
    ],
)
def test_bodies_that_are_no_json(client: httpx.Client, body: bytes) -> None:
    check(post(client, body), 400, 422)


@pytest.mark.parametrize(
    "value",
    [
        [],
        "101",
        5,
        {},
        {"inputs": "101"},
        {"inputs": []},
        {"inputs": [5]},
        {"inputs": [None]},
        {"inputs": [["1"]]},
        {"inputs": [{"a": 1}]},
        {"inputs": ["2"]},
        {"inputs": [""]},
        {"inputs": ["1"] * 300},
        {"inputs": ["1"], "options": []},
        {"inputs": ["1"], "options": {"weights": "last"}},
        {"inputs": ["1"], "more": 1},
        {"inputs": ["1\u0000"]},
    ],
)
def test_values_of_another_type(client: httpx.Client, value: Any) -> None:
    check(client.post(PREDICT, json=value), 422)


@pytest.mark.parametrize(
    "options",
    [
        {"length": "5"},
        {"length": 10**9},
        {"length": 10**30},
        {"length": 1.5},
        {"temperature": -1},
        {"temperature": 1e300},
        {"top_p": 0},
        {"top_k": True},
        {"seed": None},
        {"__class__": 1},
        {"length": []},
    ],
)
def test_options_of_another_type_or_range(client: httpx.Client, options: Any) -> None:
    check(client.post("/v1/runs/text/predict", json={"inputs": ["the "], "options": options}), 400, 422)


@pytest.mark.parametrize(
    "given",
    [
        ["a"],
        [[]],
        [[[]]],
        [[["1", "2"]]],
        [[[1, 2], [3]]],
        [[[[1]]]],
        [[True, "x"]],
        [{"value": "x"}],
        [{"value": [1, 2], "date": [1]}],
        [{"value": [[1]]}],
        [{}],
        [[1e999]],
        [[[1, 2, 3]]],
    ],
)
def test_arrays_of_another_form(client: httpx.Client, given: Any) -> None:
    for run in ("gestures", "table"):
        body = json.dumps({"inputs": given}).replace("Infinity", "1e999").encode()
        check(post(client, body, f"/v1/runs/{run}/predict"), 400, 422)


def test_names_of_files_are_no_inputs(client: httpx.Client, runs: dict[str, Path]) -> None:
    """What lies on the server's disk is not read, whatever a text says."""
    for run, file in (
        ("table", "days.csv"),
        ("gestures", "one.csv"),
        ("digits", "sounds/3.wav"),
        ("pictures", "seen.npz"),
    ):
        path = str(runs[run].parent / file)
        check(client.post(f"/v1/runs/{run}/predict", json={"inputs": [path]}), 422)
        check(client.post(f"/v1/runs/{run}/stream", json={"input": path}), 422)
    check(client.post("/v1/runs/german/predict", json={"inputs": ["a"], "options": {"file": "/etc/passwd"}}), 422)
    check(client.post("/v1/runs/german/predict", json={"inputs": []}), 422)  # would wait for standard input
    check(
        client.post("/v1/runs/digits/predict", files={"files": ("a.wav", b"x")}, data={"options": '{"stream":true}'}),
        422,
    )


@pytest.mark.parametrize("name", ["../../../etc/passwd", "..", "/etc/shadow", "a\\..\\b", "\0.csv", "", "x" * 5000])
def test_names_of_uploads(client: httpx.Client, name: str) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="'
        + name.encode()
        + b'"\r\n\r\nno sound\r\n--b--\r\n'
    )
    answer = post(client, body, "/v1/runs/digits/predict", FORM)
    detail = check(answer, 400, 422)
    assert "/tmp" not in detail
    assert "elman-" not in detail


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("multipart/form-data", b"x"),
        (FORM, b"x"),
        (FORM, b"--b\r\n\r\nx\r\n--b--\r\n"),
        (
            FORM,
            b'--b\r\nContent-Disposition: form-data; name="options"\r\n\r\n{\r\n--b--\r\n',
        ),
        (FORM, b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n'),
        ("multipart/form-data; boundary=" + "b" * 5000, b"x" * 10000),
    ],
)
def test_forms_that_are_none(client: httpx.Client, media: str, body: bytes) -> None:
    check(post(client, body, "/v1/runs/digits/predict", media), 400, 422)


def test_many_parts(client: httpx.Client) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\nx\r\n'
    check(post(client, part * 5000 + b"--b--\r\n", "/v1/runs/digits/predict", FORM), 400)


def test_files_that_unpack_to_gigabytes(client: httpx.Client) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (300_000_000,)})
        archive.writestr("x.npy", header.getvalue() + bytes(50_000_000))
    for run in ("gestures", "pictures"):
        check(client.post(f"/v1/runs/{run}/predict", files={"files": ("a.npz", packed.getvalue())}), 422)


@pytest.mark.parametrize("media", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_other_types(client: httpx.Client, media: str) -> None:
    check(post(client, b'{"inputs": ["1"]}', media=media), 415)
    packed = client.post(
        PREDICT, content=b"x", headers={"content-type": "application/json", "content-encoding": "gzip"}
    )
    check(packed, 415)


def test_bodies_that_are_too_large(client: httpx.Client) -> None:
    check(post(client, b'{"inputs": ["' + b"1" * (1 << 21) + b'"]}'), 413)

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b"1" * (1 << 16)

    for _ in range(20):  # a connection that is reset takes the answer away in some trials, not in all
        answer = client.post(PREDICT, content=pieces(), headers={"content-type": "application/json"})
        check(answer, 413)
    answer = client.post("/v1/runs/digits/predict", files={"files": ("a.wav", bytes(1 << 26))})
    check(answer, 413)


def test_a_length_that_is_a_lie(server: Running) -> None:
    for length in ("99999999999999999999999999", "-5", "abc", "5, 5"):
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        assert raw(server, f"{head}Content-Length: {length}\r\n\r\n{{}}".encode()) in (400, 413, 422)
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    both = f"{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert raw(server, both.encode()) == 400


def raw(server: Running, request: bytes, wait: float = 10) -> int:
    """The status of the answer to bytes as they are; 0 where the connection is closed without one."""
    with socket.create_connection(("127.0.0.1", server.port), wait) as connection:
        connection.sendall(request)
        connection.settimeout(wait)
        answer = connection.recv(4096)
    return int(answer.split()[1]) if answer else 0


def test_heads_that_are_none_or_too_large(server: Running) -> None:
    assert raw(server, b"\0\1\2\3\r\n\r\n") == 400
    assert raw(server, b"GET / HTTP/9.9\r\n\r\n") in (400, 421, 505)
    assert raw(server, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200_000) == 431


def test_slow_bodies_and_heads(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elman.web.service.serving.HEAD_SECONDS", 0.5)
    assert BoundedProtocol is not None
    with served([runs["parity"]], Limits(body_seconds=0.5)) as server:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: application/json\r\n"
        assert raw(server, f"{head}Content-Length: 100\r\n\r\n{{".encode()) == 408
        form = head.replace("application/json", FORM)
        assert raw(server, f"{form}Content-Length: 100\r\n\r\n--b".encode()) == 408
        assert raw(server, b"GET /heal") == 408
        assert raw(server, b"") == 408
        with server.client() as client:
            assert client.post(PREDICT, json={"inputs": ["1"]}).status_code == 200
            time.sleep(1)  # a connection that rests is kept
            assert client.post(PREDICT, json={"inputs": ["1"]}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/runs/../../etc/passwd",
        "/v1/runs/%2e%2e%2f%2e%2e",
        "/v1/runs/nix",
        "/v1/runs/a%00b",
        "/..%2f..%2fetc/passwd",
        "/%ff",
    ],
)
def test_paths_that_lead_nowhere(client: httpx.Client, path: str) -> None:
    check(client.get(path), 404)
    check(client.post(f"{path}/predict", json={"inputs": ["1"]}), 404)
    check(client.delete(PREDICT), 405)


def test_a_full_queue_says_when_to_come_back(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with served([runs["text"]], Limits(queue=2, predict_seconds=2)) as server:
        go = threading.Event()
        predict = type(server.application.interface._runs["text"].run).predict

        def slow(*given: Any) -> Any:
            go.wait(20)
            return predict(*given)

        monkeypatch.setattr("elman.run.Run.predict", slow)
        found: list[httpx.Response] = []

        def ask() -> None:
            with server.client() as client:
                found.append(client.post("/v1/runs/text/predict", json={"inputs": ["the "]}))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        go.set()
        assert [one.status_code for one in found] == [503] * 8  # five at once, three when their time was over
        assert all(int(one.headers["retry-after"]) >= 1 for one in found)
        assert sum("are waiting" in one.text for one in found) == 5
        assert sum("not ready" in one.text for one in found) == 3
        time.sleep(0.2)
        with server.client() as client:
            assert client.post("/v1/runs/text/predict", json={"inputs": ["the "]}).status_code == 200


def test_too_many_connections(runs: dict[str, Path]) -> None:
    with served([runs["parity"]], Limits(connections=5)) as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        time.sleep(0.2)
        with server.client() as client:
            assert client.get("/healthz").status_code == 503
        for one in held:
            one.close()
        time.sleep(0.2)
        with server.client() as client:
            assert client.get("/healthz").status_code == 200


def test_what_stands_in_labels_is_text(tmp_path: Path) -> None:
    """A script as a class of a run: JSON that no browser takes for a page."""
    write_data(tmp_path)
    label = "<script>alert(1)</script>"
    rows = [f'the food {n},"{word}"' for n in range(20) for word in (label, "good")]
    (tmp_path / "labels.csv").write_text("\n".join(["text,label", *rows]))
    run = make_run(tmp_path / "run", "sentiment", data=str(tmp_path / "labels.csv"), hidden_size=4)
    with served([run]) as server, server.client() as client:
        answer = client.post("/v1/runs/run/predict", json={"inputs": [label]})
        assert label in answer.json()["predictions"][0]["probabilities"]
        assert answer.headers["content-type"] == "application/json"
        assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_a_run_that_names_files_outside_itself(runs: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for path in runs["parity"].iterdir():
        os.symlink(path, folder / path.name)
    with pytest.raises(UserError, match="outside of the run"):
        load_runs([str(folder)])


def test_a_fault_is_no_traceback(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> Any:
        raise RuntimeError("secret of the server")

    with served([runs["parity"]]) as server, server.client() as client:
        monkeypatch.setattr("elman.run.Run.predict", broken)
        detail = check(client.post(PREDICT, json={"inputs": ["1"]}), 500)
        assert "secret" not in detail
