"""`hf://USER/NAME` where a command takes a run: it is downloaded, and its folder stands in the address's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from elman.hub.address import SCHEME, HubAddress

WITHOUT_A_RUN = frozenset({"train", "compare", "data", "features", "info"})
"""Commands that take no run, so that an address among their words is something else."""


def with_local_runs(words: Sequence[str]) -> list[str]:
    """The words of a command with the address of a run, if one is there, replaced by the folder it was downloaded to.

    What follows the folder of a run is an input, whatever it looks like.

    Raises:
        UserError: it is no address, there is no such run, or no network.
    """
    place = _address(words)
    if place is None:
        return list(words)
    from elman.hub.download import download_run

    folder = download_run(HubAddress.parse(words[place]), checkpoint="last" in words)
    return [*words[:place], str(folder), *words[place + 1 :]]


def _address(words: Sequence[str]) -> int | None:
    if not any(word.startswith(SCHEME) for word in words) or words[0] in WITHOUT_A_RUN:
        return None
    from elman.training.run_folder import RunFolder

    for place, word in enumerate(words):
        if word.startswith(SCHEME):
            return place
        if place and not word.startswith("-") and RunFolder(Path(word)).exists():
            return None
    return None
