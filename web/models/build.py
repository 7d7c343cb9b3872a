"""Make what the pages load beside their own script: the engine and the small trained models, into a folder.

python web/models/build.py --engine build/wasm/src/elman/kernels/native/elman.wasm --out build/web/public [--only NAME]
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import time
from pathlib import Path

from common import write_asset

MODELS = ("parity", "language", "sentiment", "forecast", "captions", "numerals")
HERE = Path(__file__).parent


def main() -> None:
    """Each model is trained once: again only when its sources have changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=MODELS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    write_asset(given.out, "engine", given.engine.read_bytes())
    for name in [given.only] if given.only else MODELS:
        sources = [HERE / "common.py", HERE / f"{name}.py", *([HERE / "reviews.py"] if name == "sentiment" else [])]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
        mark = given.out.parent / f"{name}.sha256"
        if (given.out / f"{name}.js").exists() and mark.exists() and mark.read_text() == digest:
            continue
        began = time.monotonic()
        importlib.import_module(name).build(given.out)
        mark.write_text(digest)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
