"""The OpenAPI document: a client is generated from it, and used."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from elman.web.service.schemas import _words
from tests.web.service.running import Running

GENERATOR = "openapi_python_client"


@pytest.fixture(scope="module")
def generated(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the package that was generated."""
    pytest.importorskip(GENERATOR, reason="openapi-python-client is not installed; pip install 'elman[dev]'")
    folder, name = tmp_path_factory.mktemp("generated"), "elman_client"
    with server.client() as client:
        (folder / "openapi.json").write_bytes(client.get("/openapi.json").content)
    command = [sys.executable, "-m", GENERATOR, "generate", "--path", str(folder / "openapi.json")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # it calls ruff
    done = subprocess.run(
        [*command, "--output-path", str(folder / name), "--meta", "none", "--fail-on-warning"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield name
    sys.path.remove(str(folder))


def part(generated: str, path: str) -> Any:
    return importlib.import_module(f"{generated}.{path}")


@pytest.fixture
def own(generated: str, server: Running) -> Iterator[Any]:
    """A client of the generated package."""
    more = {"httpx_args": {"trust_env": False}}
    with part(generated, "client").Client(base_url=server.address, **more) as found:
        yield found


def test_a_generated_client_predicts(generated: str, own: Any, client: httpx.Client) -> None:
    models = part(generated, "models")
    request = models.OpinionsRequest(["the food was good"], models.OpinionsOptions(opinion=True))
    answer = part(generated, "api.default.predict_opinions").sync(client=own, body=request)
    wanted = client.post("/v1/runs/opinions/predict", json={"inputs": ["the food was good"]}).json()
    assert answer.to_dict() == wanted
    assert [one.token for one in answer.predictions[0].opinion] == ["the", "food", "was", "good"]


def test_it_sends_files(generated: str, own: Any, runs: dict[str, Path]) -> None:
    models, types = part(generated, "models"), part(generated, "types")
    sound = (runs["digits"].parent / "sounds" / "3.wav").open("rb")
    with sound:
        form = models.Form([types.File(sound, "3.wav", "audio/wav")])
        answer = part(generated, "api.default.predict_digits").sync(client=own, body=form)
    assert answer.predictions[0].input_ == "3.wav"
    assert isinstance(answer.predictions[0].text, str)


def test_it_reads_lists_streams_and_refusals(generated: str, own: Any) -> None:
    models = part(generated, "models")
    listed = part(generated, "api.default.list_runs").sync(client=own)
    assert {one.name for one in listed.runs} >= {"parity", "table"}
    assert part(generated, "api.default.health").sync(client=own).status == "ok"
    body = models.TextStreamRequest("the ", models.TextOptions(length=5))
    streamed = part(generated, "api.default.stream_text").sync_detailed(client=own, body=body)
    assert b"event: end" in streamed.content
    refused = part(generated, "api.default.predict_parity").sync(client=own, body=models.ParityRequest(["2"]))
    assert isinstance(refused, models.Problem)
    assert refused.status == 422


def test_options_say_what_they_may_be(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    options = schemas["TextOptions"]["properties"]
    assert options["length"] == {"type": "integer", "default": 200, "minimum": 1, "maximum": 20000}
    assert options["top_p"]["exclusiveMinimum"] == 0
    assert "file" not in schemas["GermanOptions"]["properties"]
    assert "stream" not in schemas["DigitsOptions"]["properties"]


def test_names_that_programs_would_not_tell_apart() -> None:
    assert _words(["a-b", "a_b", "A.b", "ab"]) == ["a_b", "a_b2", "a_b3", "ab4"]
