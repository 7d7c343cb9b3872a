"""The engine in the page computes what the references say, values and gradients."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.web.agreement import agreement_cases
from tests.web.conftest import BUILT, ROOT

MOST = {"f32": 1e-5, "f64": 1e-11}
"""How far from the reference in float64, relative to the largest number of a tensor."""
SATURATED = {"T1B1I1H1-tanh"}
"""One unit at h = 0.9988: 1 - h^2 in float32 is off by more, whoever computes it."""


def test_values_and_gradients_agree_with_the_references(node: str, engine: Path, tmp_path: Path) -> None:
    cases = agreement_cases()
    given = tmp_path / "cases.json"
    given.write_text(json.dumps(cases), encoding="utf-8")
    command = [node, str(BUILT / "agreement.mjs"), str(engine), str(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert len(found) == len(cases)
    wrong = [one for one in found if max(one["distances"].values(), default=0) > MOST[one["dtype"]]]
    assert {one["name"] for one in wrong} <= SATURATED, wrong
    for one in wrong:  # no farther off than 4 times what the reference is in float32
        own = next(case["own"] for case in cases if case["name"] == one["name"] and case["dtype"] == one["dtype"])
        assert all(off <= max(4 * own[name], MOST["f32"]) for name, off in one["distances"].items()), (one, own)
    compared = {(one["kind"], name) for one in found for name in one["distances"]}
    assert {("recurrence", "grad_w_hh"), ("cross_entropy", "grad_logits"), ("generate", "tokens")} <= compared


def test_the_pages_ask_for_the_library_of_this_header() -> None:
    """Without node too: whoever changes the interface meets this, and not the reader of a page that says no."""
    header = (ROOT / "src/elman/kernels/native/elman.h").read_text(encoding="utf-8")
    pages = (ROOT / "web/src/engine/library.ts").read_text(encoding="utf-8")
    version = re.search(r"ELMAN_ABI = (\d+)", header)
    assert version
    assert f"const ABI = {version[1]};" in pages
