"""`elman serve` as a process: where it listens, what it refuses, and how it stops."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.quick_runs import make_run, write_data
from tests.cli.surroundings import called
from tests.forking import Forked, run_elman

for package in ("starlette", "uvicorn", "httptools", "websockets", "python_multipart", "prometheus_client"):
    pytest.importorskip(package, reason=f"{package} is not installed; pip install 'elman[web]'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("runs")
    write_data(found)
    make_run(found / "parity", "parity", hidden_size=8)
    make_run(found / "text", "language", data=(str(found / "text.txt"),), hidden_size=64)
    make_run(found / "opinions", "sentiment", data=str(found / "reviews.csv"), hidden_size=256)
    return found


def start(words: tuple[str, ...], environment: dict[str, str]) -> subprocess.Popen[str]:
    """As a user starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "elman", *words],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # a shell's job in the background inherits that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def serve_until(grace: float | None, *words: str) -> None:
    """`elman WORDS` with another grace period."""
    import elman.web.service.serving as serving

    serving.GRACE_SECONDS = serving.GRACE_SECONDS if grace is None else grace
    run_elman(*words)


class Served:
    """The process, and what it says on standard error."""

    def __init__(self, *words: str, grace: float | None = None, forked: bool = True, **environment: str) -> None:
        words = ("serve", *words, "--port", "0")
        environment = {name: value for name, value in os.environ.items() if name != "ELMAN_TOKEN"} | environment
        self.process: subprocess.Popen[str] | Forked
        if forked:
            self.process = Forked(serve_until, grace, *words, folder=Path(), environment=environment)
            said = self.process.lines()
        else:
            self.process = start(words, environment)
            assert self.process.stderr is not None
            said = iter(self.process.stderr)
        self.said: list[str] = []
        for line in said:
            self.said.append(line)
            if found := re.search(r"at (http://\S+)/ ", line):
                self.address = found[1]
                break
        else:
            raise AssertionError("".join(self.said))

    def ask(self, path: str, body: Any = None, **headers: str) -> bytes:
        """The answer to a request."""
        data = None if body is None else json.dumps(body).encode()
        address = re.sub(r"//(0\.0\.0\.0)", "//127.0.0.1", self.address)
        request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"} | headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            found: bytes = answer.read()
        return found

    def stop(self, number: int = signal.SIGINT) -> tuple[int | None, str]:
        """The exit code, and what was said at last."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=20)
        return self.process.returncode, rest

    def kill(self) -> None:
        """End it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=20)


@pytest.fixture
def serve() -> Iterator[Any]:
    """Starts servers, and ends those that are left."""
    started: list[Served] = []

    def start(*words: str, **more: Any) -> Served:
        started.append(Served(*words, **more))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def test_serves_until_control_c(serve: Any, folder: Path) -> None:
    """As a user starts it; the other tests fork what they serve by."""
    server = serve(str(folder / "parity"), f"writer={folder / 'text'}", forked=False)
    assert server.address.startswith("http://127.0.0.1:")
    assert json.loads(server.ask("/healthz"))["runs"] == 2
    assert json.loads(server.ask("/v1/runs/writer/predict", {"inputs": ["the "]}))["run"] == "writer"
    assert server.stop() == (130, "elman: stopped\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_requests_in_flight_are_answered_and_streams_ended(serve: Any, folder: Path, number: int) -> None:
    server = serve(str(folder / "text"))
    answers: dict[str, bytes] = {}

    def ask(path: str, body: Any) -> None:
        answers[path] = server.ask(path, body)

    long = {"length": 20_000}
    asked = [
        threading.Thread(target=ask, args=("/v1/runs/text/predict", {"inputs": ["the "] * 3, "options": long})),
        threading.Thread(target=ask, args=("/v1/runs/text/stream", {"input": "the ", "options": long})),
    ]
    for thread in asked:
        thread.start()
    time.sleep(0.15)
    code, rest = server.stop(number)
    for thread in asked:
        thread.join(20)
    assert code in (130, -signal.SIGTERM, 143)
    assert "Traceback" not in rest
    assert len(json.loads(answers["/v1/runs/text/predict"])["predictions"]) == 3
    last = answers["/v1/runs/text/stream"].decode().strip().split("\n\n")[-1]
    assert last.startswith(("event: error", "event: end"))


class Asking(threading.Thread):
    """A request of many seconds, nearly all of them in native code, and what comes of it."""

    def __init__(self, server: Served) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.found: Any = None
        self.start()
        time.sleep(1)
        assert self.found is None, "it must still be in flight"

    def run(self) -> None:
        try:
            self.found = self._server.ask("/v1/runs/opinions/predict", {"inputs": ["food good bad " * 1500] * 30})
        except (OSError, http.client.HTTPException) as error:
            self.found = error


def test_a_second_signal_ends_the_process_at_once(serve: Any, folder: Path) -> None:
    for numbers, code in (((signal.SIGINT, signal.SIGINT), 130), ((signal.SIGTERM, signal.SIGTERM), 143)):
        server = serve(str(folder / "opinions"))
        asking = Asking(server)
        server.process.send_signal(numbers[0])
        time.sleep(0.5)
        assert server.process.poll() is None
        began = time.monotonic()
        assert server.stop(numbers[1]) == (code, "elman: stopped\n")
        assert time.monotonic() - began < 3
        asking.join(20)
        assert not isinstance(asking.found, urllib.error.HTTPError | bytes | None)  # no answer: the connection is cut


def test_requests_that_take_longer_than_the_grace_period_are_told_to_come_again(serve: Any, folder: Path) -> None:
    server = serve(str(folder / "opinions"), grace=0.5)
    asked = [Asking(server), Asking(server)]
    assert server.stop() == (130, "elman: stopped\n")
    for one in asked:
        one.join(20)
        assert isinstance(one.found, urllib.error.HTTPError)
        assert one.found.code == 503
        assert one.found.headers["Content-Type"] == "application/problem+json"
        assert one.found.headers["Retry-After"]
        assert json.loads(one.found.read())["detail"] == "the server stops; send it again"


def test_another_host_needs_a_token(serve: Any, folder: Path, tmp_path: Path) -> None:
    server = serve(str(folder / "parity"), "--host", "0.0.0.0")
    token = re.search(r"need the token (\S+)", "".join(server.said))
    assert token is not None
    with pytest.raises(urllib.error.HTTPError, match="401"):
        server.ask("/v1/runs")
    assert server.ask("/v1/runs", Authorization=f"Bearer {token[1]}")
    file = tmp_path / "token"
    server = serve(str(folder / "parity"), "--host", "0.0.0.0", "--token-file", str(file))
    assert file.stat().st_mode & 0o077 == 0
    assert file.read_text().strip() not in "".join(server.said)
    assert server.ask("/v1/runs", Authorization=f"Bearer {file.read_text().strip()}")
    server = serve(str(folder / "parity"), ELMAN_TOKEN="0123456789abcdef")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        server.ask("/v1/runs")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no run to serve"),
        (["RUN", "--port", "70000"], "--port is 70000"),
        (["RUN", "--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["RUN", "RUN"], "two runs are called parity"),
        (["nothing"], "holds no run"),
        (["RUN", "--max-upload", "0"], "must be"),
        (["RUN", "--queue", "0"], "must be"),
        (["RUN", "--predict-seconds", "-1"], "must be"),
        (["a b=RUN"], "holds no run"),
    ],
)
def test_mistakes_are_one_line(folder: Path, words: list[str], message: str) -> None:
    code, out, err = called(["serve", *(word.replace("RUN", str(folder / "parity")) for word in words)])
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err


def test_a_port_that_is_taken(serve: Any, folder: Path) -> None:
    server = serve(str(folder / "parity"))
    port = server.address.rpartition(":")[2]
    code, _, err = called(["serve", str(folder / "parity"), "--port", port])
    assert code == 2
    assert f"port {port}: address already in use" in err


def test_a_token_that_is_too_short(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short\n")
    code, _, err = called(["serve", str(folder / "parity"), "--token-file", str(tmp_path / "token")])
    assert code == 2
    assert "choose another" in err
