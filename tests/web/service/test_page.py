"""The page of runs: its files, what it asks, and the page in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from elman.web.site import SITE
from tests.web.conftest import ROOT
from tests.web.service.checks import check
from tests.web.service.running import Running

BUILT = SITE / "serve" / "index.html"


def test_the_first_page(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text  # none inline
    check(client.get("/nix.js"), 404)


@pytest.mark.parametrize("what", ["unroll", "units", "search", "states"])
def test_numbers_of_the_inside(client: httpx.Client, what: str) -> None:
    body = {"input": "the fox", "end": 2, "threshold": 0.0, "fixed_points": True}
    answer = client.post(f"/v1/runs/text/inspect/{what}", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if what == "unroll":
        assert found["tokens"] == list("the fox")
        assert len(found["layers"][0]["norm_grad_h"]) == 7
    elif what == "units":
        assert [len(found["h"]), len(found["h"][0])] == [7, 16]
        assert len(found["nearest"]) == 0  # the text is shorter than passages lie apart
    elif what == "search":
        assert len(found["units"]) > 0
    else:
        assert [len(found["points"]), len(found["points"][0])] == [7, 3]
        assert isinstance(found["fixed"], list)


def test_what_cannot_be_looked_at(client: httpx.Client) -> None:
    check(client.post("/v1/runs/text/inspect/nix", json={"input": "the"}), 404)
    check(client.post("/v1/runs/nix/inspect/units", json={"input": "the"}), 404)
    check(client.post("/v1/runs/text/inspect/units", json={"input": "t"}), 422)
    check(client.post("/v1/runs/text/inspect/units", json={"input": 5}), 422)
    check(client.post("/v1/runs/text/inspect/units", json={"input": "the " * 2000}), 422)
    check(client.post("/v1/runs/text/inspect/units", json={"input": "the fox", "layer": "nix"}), 422)
    check(client.post("/v1/runs/text/inspect/search", json={"input": "the fox", "begin": 9, "end": 3}), 422)
    check(client.post("/v1/runs/pictures/inspect/unroll", json={"input": "/etc/passwd"}), 422)
    check(client.post("/v1/runs/table/inspect/unroll", json={"input": "/etc/passwd"}), 422)
    check(client.post("/v1/runs/digits/inspect/unroll", json={"input": "/etc/passwd"}), 422)


def test_training_is_read_while_it_goes_on(client: httpx.Client, runs: dict[str, Path]) -> None:
    file = runs["text"] / "metrics.csv"
    assert client.get("/v1/runs/text/metrics").json() == {"rows": []}
    try:
        file.write_text("step,loss\n10,2.5\n")
        assert client.get("/v1/runs/text/metrics").json() == {"rows": [{"step": 10, "loss": 2.5}]}
        file.write_text("step,loss\n10,2.5\n20,1.5\n")
        assert len(client.get("/v1/runs/text/metrics").json()["rows"]) == 2
        file.unlink()
        file.symlink_to("/etc/passwd")
        assert client.get("/v1/runs/text/metrics").json() == {"rows": []}
    finally:
        file.unlink()


@pytest.mark.slow
def test_the_page_in_a_browser(server: Running, runs: dict[str, Path], node: str, tmp_path: Path) -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        pytest.skip("Chromium is not installed: the page is not opened")
    if not BUILT.exists() or not (ROOT / "web" / "node_modules").exists():
        pytest.skip("the page is not built: make web")
    folder = runs["table"].parent
    files = {"table": "days.csv", "digits": "sounds/3.wav", "pictures": "seen.npz", "gestures": "one.csv"}
    given = json.dumps({name: str(folder / file) for name, file in files.items()})
    pictures = os.environ.get("ELMAN_SCREENSHOTS", "")
    done = subprocess.run(
        [node, "test/runs.mjs", f"{server.address}/", given, *([pictures] if pictures else [])],
        cwd=ROOT / "web",
        env=os.environ | {"CHROMIUM": chromium},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    wrong = json.loads(done.stdout)["wrong"]
    assert not wrong, "\n".join(wrong)
