"""A run from a hub into the hub's cache on this computer: the files that a run has, and no others.

What was downloaded is then read as any run of a stranger's is: see docs/hostile-input.md.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman.data.io.files import LARGEST, LARGEST_ARRAYS
from elman.errors import UserError, optional_imports
from elman.hub.address import HubAddress
from elman.hub.failures import UnreachableError, hub_failures
from elman.training.progress import display
from elman.training.run_folder import LARGEST_SETTINGS, RunFolder

log = logging.getLogger("elman")

SETTINGS, WEIGHTS, CHECKPOINT = "settings.toml", "model.safetensors", "last.safetensors"
MOST_FILES = 64
"""Files of a run, at most."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.json")
_REVISION = "main"


def download_run(address: HubAddress, *, checkpoint: bool = False) -> Path:
    """The folder of a run that lies on a hub; what the cache has is not downloaded again.

    Settings, weights and the task's own JSON files are taken, whatever else lies beside them. Without a network the
    newest version in the cache serves.

    Arguments:
        checkpoint: also the checkpoint of its last step, where the run has one on the hub.

    Raises:
        UserError: no such model, no run in it, files larger than a run's, or no network and nothing in the cache.
    """
    with optional_imports():
        from huggingface_hub import HfApi

    try:
        with hub_failures(address, "downloaded"):
            info = HfApi().model_info(address.repository, revision=address.revision or None, files_metadata=True)
            sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
            commit = info.sha or ""
        names = run_files(address, sizes, checkpoint=checkpoint)
        return _fetched(address, commit, {name: sizes[name] for name in names})
    except UnreachableError as error:
        folder = _in_cache(address)
        if folder is None:
            raise UserError(
                f"{error}; {address} is not in the cache: go online once, or name a run's folder"
            ) from error
        log.warning("%s; the copy of %s in the cache is used", error, address)
        return folder


def run_files(address: HubAddress, sizes: dict[str, int], *, checkpoint: bool) -> list[str]:
    """Which files of a repository are a run's, the settings last: where these are, all are.

    Raises:
        UserError: they are no run, or larger than a run may be.
    """
    for name in (SETTINGS, WEIGHTS):
        if name not in sizes:
            raise UserError(f"{address} holds no run of elman (no {name} in it); check the name")
    names = sorted(name for name in sizes if _PLAIN.fullmatch(name))
    names += [WEIGHTS, *([CHECKPOINT] if checkpoint and CHECKPOINT in sizes else []), SETTINGS]
    if len(names) > MOST_FILES:
        raise UserError(f"{address} has {len(names)} files where a run has at most {MOST_FILES}; it is not loaded")
    for name in names:
        most = LARGEST_SETTINGS if name == SETTINGS else LARGEST_ARRAYS if name in (WEIGHTS, CHECKPOINT) else LARGEST
        if sizes[name] > most:
            raise UserError(f"{address}: {name} has {sizes[name]:,} bytes, and at most {most:,} are read")
    return names


def _fetched(address: HubAddress, commit: str, sizes: dict[str, int]) -> Path:
    with optional_imports():
        from huggingface_hub import hf_hub_download

    place = Path()
    with display().counting(f"downloading {address}", sum(sizes.values())) as follow:
        bar = _bar_that_tells(follow)
        for name in sizes:
            with hub_failures(address, "downloaded"):
                place = Path(hf_hub_download(address.repository, name, revision=commit, tqdm_class=bar))
    if not re.fullmatch(r"[0-9a-f]{40}", address.revision):
        with hub_failures(address, "downloaded"):  # notes which commit the branch or tag stands for, for days offline
            hf_hub_download(address.repository, SETTINGS, revision=address.revision or _REVISION)
    return place.parent


def _in_cache(address: HubAddress) -> Path | None:
    with optional_imports():
        from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(address.repository, SETTINGS, revision=address.revision or _REVISION)
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder is not None and RunFolder(folder).exists() else None


def _bar_that_tells(follow: Callable[[int], None]) -> type[Any]:
    """A bar for the hub's library that shows nothing itself, and tells how many bytes there are in all."""
    with optional_imports():
        from huggingface_hub.utils.tqdm import tqdm

    total = 0

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            nonlocal total
            total += int(n or 0)
            follow(total)
            return None

    return Bar
