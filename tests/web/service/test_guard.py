"""Who may ask: Host, Origin and token."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from elman.tasks import task_module, task_names
from elman.web.service.guard import COOKIE
from tests.web.service.checks import check
from tests.web.service.running import Running, served

PREDICT = "/v1/runs/parity/predict"


def test_a_foreign_host_is_refused(client: httpx.Client) -> None:
    """DNS rebinding: the page's own name points here."""
    for host in (
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "127.0.0.2",
    ):
        check(client.get("/v1/runs", headers={"host": host}), 421)
    for host in ("localhost", "LOCALHOST:9", "127.0.0.1", "[::1]:5"):
        assert client.get("/v1/runs", headers={"host": host}).status_code == 200


def test_a_foreign_origin_is_refused(client: httpx.Client, server: Running) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "https://localhost", "file://"):
        check(client.post(PREDICT, json={"inputs": ["1"]}, headers={"origin": origin}), 403)
    check(client.get("/v1/runs", headers={"sec-fetch-site": "cross-site"}), 403)
    assert client.get("/v1/runs", headers={"origin": server.address}).status_code == 200


TOKEN = "correct horse battery staple"


@pytest.fixture(scope="module")
def guarded(runs: dict[str, Path]) -> Iterator[Running]:
    with served([runs["parity"]], host="0.0.0.0", names=["box.example"], token=TOKEN) as found:
        yield found


def test_without_the_token(guarded: Running) -> None:
    with guarded.client() as client:
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": TOKEN},
            {"authorization": "Basic " + TOKEN},
        ):
            answer = client.get("/v1/runs", headers=headers)
            check(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
        check(client.get("/v1/runs?token=wrong"), 401)
        check(client.get("/v1/runs", headers={"cookie": f"{COOKIE}=wrong; x"}), 401)
        check(client.get("/v1/runs", headers={"authorization": "Bearer \u00e9".encode("latin-1")}), 401)  # type: ignore[dict-item]
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/runs", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_token_of_an_address_becomes_a_cookie(guarded: Running) -> None:
    with guarded.client() as client:
        answer = client.get("/v1/runs", params={"token": TOKEN})
        assert answer.status_code == 303
        assert TOKEN not in answer.headers["location"]
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/v1/runs").status_code == 200


def test_names_of_a_server_for_others(guarded: Running) -> None:
    with guarded.client(headers={"authorization": f"Bearer {TOKEN}"}) as client:
        assert client.get("/v1/runs", headers={"host": "box.example:80"}).status_code == 200
        assert client.get("/v1/runs", headers={"host": "192.168.0.7:80"}).status_code == 200
        check(client.get("/v1/runs", headers={"host": "evil.example"}), 421)


@pytest.mark.parametrize("name", task_names())
def test_no_option_of_a_request_names_a_file(name: str) -> None:
    """What tells a task where to read or write is about the server's own computer."""
    task = task_module(name).Task
    open_to_all = {field.name for field in dataclasses.fields(task.options_type)} - task.local_options
    assert not open_to_all & {"file", "files", "folder", "path", "out", "data", "stream"}
