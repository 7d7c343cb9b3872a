"""The built lecture in a real browser: every page, every control by keyboard, axe without violations, three widths."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading

import pytest

from elman.web.server import SiteServer
from elman.web.site import SITE
from tests.web.conftest import ROOT

LARGEST = 3_000_000  # bytes of the whole site
SECONDS = 600


def test_the_site_is_small_and_whole() -> None:
    if not (SITE / "lecture" / "index.html").exists():
        pytest.skip("the pages are not built: make web")
    files = list((SITE / "lecture").iterdir())
    assert {"index.html", "index.js", "style.css", "engine.js"} <= {path.name for path in files}
    assert sum(path.stat().st_size for path in files) < LARGEST


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))
    assert lock["packages"]
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


@pytest.mark.slow
def test_every_page_in_a_browser(node: str) -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        pytest.skip("Chromium is not installed: the pages are not opened")
    if not (SITE / "lecture" / "index.html").exists() or not (ROOT / "web" / "node_modules").exists():
        pytest.skip("the pages are not built: make web")
    with SiteServer("lecture", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            done = subprocess.run(
                [node, "test/pages.mjs", server.url],
                cwd=ROOT / "web",
                env=os.environ | {"CHROMIUM": chromium},
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        finally:
            server.shutdown()
            thread.join()
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["measured"]["characters_per_second"] > 2000
    print(found["measured"])
