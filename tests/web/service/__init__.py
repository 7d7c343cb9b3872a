"""Needs the packages of the extra `web`, and httpx; with `make test` all are there."""

import pytest

for package in ("starlette", "uvicorn", "httptools", "websockets", "python_multipart", "prometheus_client", "httpx"):
    pytest.importorskip(package, reason=f"{package} is not installed; pip install 'elman[web,dev]'")
