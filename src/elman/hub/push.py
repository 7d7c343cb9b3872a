"""A run to a hub: staged in a folder of its own, then sent as one commit or not at all."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from elman.atomic_io import write_text
from elman.errors import UserError, optional_imports
from elman.hub.address import HubAddress
from elman.hub.card import CardFacts, Measured, model_card, training_seconds
from elman.hub.failures import UnreachableError, hub_failures, hub_url
from elman.hub.staging import stage
from elman.training.progress import display
from elman.training.run_folder import RunFolder
from elman.training.task import Task

CARD = "README.md"
_OWN = {".gitattributes"}  # what a new repository has by itself
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]{0,60}")


@dataclass(frozen=True)
class PushOptions:
    """How a run is sent.

    Arguments:
        licence: of the weights, by the hub's name for it, such as "apache-2.0"; empty for none.
        private: make a new repository that only its owner sees.
        replace: what the repository holds gives way, files of a run that are no more included.
        checkpoint: also send the checkpoint of the last step, three times as large as the weights.
        dry_run: stop before anything is sent.
    """

    licence: str = ""
    private: bool = False
    replace: bool = False
    checkpoint: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.licence and not _LICENCE.fullmatch(self.licence):
            raise UserError(
                f"`licence` is {self.licence!r}; give the hub's name for it: apache-2.0, mit, cc-by-4.0, other"
            )


@dataclass(frozen=True)
class Pushed:
    """What was sent, or would be: where it can be seen, its files by size in bytes, and the card."""

    url: str
    files: dict[str, int]
    card: str


@dataclass(frozen=True)
class Place:
    """A repository of a hub that may be written to: its files, and its newest commit; None where it is to be made."""

    address: HubAddress
    files: frozenset[str]
    commit: str | None


def find_place(address: HubAddress, options: PushOptions) -> Place:
    """Where a run is to go, looked at before anything is measured for it.

    Raises:
        UserError: a repository that holds something else, or no network.
    """
    if address.revision:
        raise UserError(f"{address} names a version; a run is sent as the newest: hf://{address.repository}")
    if options.dry_run:
        return Place(address, frozenset(), None)
    with optional_imports():
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError
    with _sending(address):
        try:
            info = HfApi().model_info(address.repository)
        except RepositoryNotFoundError:
            return Place(address, frozenset(), None)
        place = Place(address, frozenset(file.rfilename for file in info.siblings or ()) - _OWN, info.sha)
    if place.files and not options.replace:
        raise UserError(
            f"{address} holds {len(place.files)} files already; add `replace` to put the run in their place (the hub"
            " keeps their history), or choose another name"
        )
    return place


def push_run(
    place: Place, folder: RunFolder, task: Task[Any], model: nn.Module, measured: Measured, options: PushOptions
) -> Pushed:
    """Send a run to a hub, in one commit.

    Raises:
        UserError: no account that may, or no network.
    """
    with tempfile.TemporaryDirectory(prefix="elman-push-") as name:
        staged = Path(name)
        pictures = stage(folder, task, staged, checkpoint=options.checkpoint)
        facts = CardFacts(
            parameters=sum(weight.numel() for weight in model.parameters()),
            measured=measured,
            licence=options.licence,
            pictures=[path.name for path in pictures],
            seconds=training_seconds(folder.metrics),
        )
        card = model_card(place.address, task, facts)
        write_text(staged / CARD, card)
        sizes = {path.name: path.stat().st_size for path in sorted(staged.iterdir())}
        url = f"{hub_url()}/{place.address.repository}"
        if not options.dry_run:
            url = _send(place, staged, list(sizes), f"A {task.name} run of elman", options)
        return Pushed(url, sizes, card)


def _send(place: Place, staged: Path, names: list[str], message: str, options: PushOptions) -> str:
    with optional_imports():
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api, repository = HfApi(), place.address.repository
    added = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=staged / name) for name in names]
    removed = [CommitOperationDelete(name, is_folder=False) for name in sorted(place.files - set(names))]
    sizes = [(staged / name).stat().st_size for name in names]
    with (
        _sending(place.address),
        _without_bars(),
        display().counting(f"sending to {place.address}", sum(sizes)) as follow,
    ):
        if place.commit is None:
            api.create_repo(repository, private=options.private, exist_ok=True)
        for number, one in enumerate(added, 1):
            api.preupload_lfs_files(repository, [one])
            follow(sum(sizes[:number]))
        result = api.create_commit(repository, [*added, *removed], commit_message=message, parent_commit=place.commit)
    return str(result.commit_url).partition("/commit/")[0]


@contextmanager
def _without_bars() -> Iterator[None]:
    """The hub's library draws none of its own; what is shown is the display's business."""
    with optional_imports():
        from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()


@contextmanager
def _sending(address: HubAddress) -> Iterator[None]:
    try:
        with hub_failures(address, "sent"):
            yield
    except UnreachableError as error:
        raise UserError(f"{error}; nothing was sent, go online and give the same command again") from error
