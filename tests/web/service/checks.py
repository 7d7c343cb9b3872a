"""What every refusal must be."""

from __future__ import annotations

import httpx

from elman.web.service.guard import HEADERS


def check(answer: httpx.Response, *status: int) -> str:
    """A problem of one line, with the headers that keep a browser from running anything."""
    assert answer.status_code in status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert all(answer.headers[name] == value for name, value in HEADERS.items())
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert "\n" not in problem["detail"]
    assert len(problem["detail"]) < 2100
    return str(problem["detail"])
