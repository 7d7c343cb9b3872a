"""Pictures with captions, in parts: what a captioner learns from. N pictures, D numbers each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.data.datasets.cache import cache_folder, cached, fetch
from elman.data.datasets.registry import own_path
from elman.data.image.captions import Captions, counts, read_captions
from elman.data.image.features import FORMS, Features, read_features
from elman.data.image.io import picture_files
from elman.data.io.files import composed, is_file, is_folder
from elman.data.io.text import read_text
from elman.errors import UserError

FLICKR8K = "flickr8k"
_LISTS = {"train": "Flickr_8k.trainImages.txt", "validation": "Flickr_8k.devImages.txt"}
_READY = "squeezenet11-features.npy"  # features of the pictures, where somebody put them into the cache

See = Callable[[list[Path]], Features]
"""What makes features of pictures."""


@dataclass(frozen=True)
class Captioned:
    """One part: names and vectors (N, D) of its pictures, and the captions of each."""

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    captions: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class CaptionedParts:
    """The parts by name, the network that made their features ("" if it is not known), and notes for a person."""

    parts: dict[str, Captioned]
    maker: str
    notes: tuple[str, ...] = ()


def read_captioned(
    data: str, captions: str, features: str, extract_features: See, *, validation_share: float, seed: int
) -> CaptionedParts:
    """Pictures or features, and their captions, divided into parts.

    Arguments:
        data: flickr8k, or a folder of pictures, or a file of features.
        captions: the file with the captions; flickr8k has its own.
        features: a file of features to take in place of the pictures' own; "" for none.
        extract_features: makes features of pictures.
        validation_share: of the pictures, held out where the captions' file names no parts.

    Raises:
        UserError: nothing to read, no captions, or no picture with both.
    """
    if data == FLICKR8K:
        folder = fetch(FLICKR8K)
        told = read_captions(folder / "Flickr8k.token.txt")
        parts = {name: part for part, file in _LISTS.items() for name in read_text([folder / file]).split()}
        told = Captions({name: texts for name, texts in told.texts.items() if name in parts}, parts, told.empty)
        seen = read_features(Path(features)) if features else _flickr8k_features(folder, extract_features)
        maker = seen.maker or ("" if features else "squeezenet1.1")
    else:
        path = own_path(data, "pictures", [FLICKR8K])
        if not captions:
            raise UserError(f"which captions belong to {path}? name their file with `captions`")
        told = read_captions(Path(captions).expanduser())
        chosen = Path(features).expanduser() if features else path
        seen = (
            read_features(chosen)
            if chosen.suffix in FORMS and not is_folder(chosen)
            else extract_features(picture_files([chosen]))
        )
        maker = seen.maker
    return _divided(told, seen, maker, validation_share, seed)


def captions_and_pictures(data: str, captions: str) -> tuple[Captions, list[Path], str]:
    """Captions, the pictures that belong to them by their files, and what they were read from; nothing is made of them.

    Arguments:
        data: as `read_captioned`, or the file of captions itself.
        captions: the file of captions; "" where `data` is it, or has its own.

    Raises:
        UserError: nothing to read, or no captions.
    """
    if data == FLICKR8K:
        folder = fetch(FLICKR8K)
        pictures = folder / "images"
        found = picture_files([pictures]) if is_folder(pictures) else []
        return read_captions(folder / "Flickr8k.token.txt"), found, data
    path = own_path(data, "pictures", [FLICKR8K])
    if not captions and is_folder(path):
        raise UserError(f"which captions belong to {path}? name their file with `captions`")
    told = read_captions(Path(captions or data).expanduser())
    return told, picture_files([path]) if is_folder(path) else [], data


def _flickr8k_features(folder: Path, extract_features: See) -> Features:
    if is_file(folder / _READY):
        return read_features(folder / _READY)
    made = cache_folder() / "features" / "flickr8k.npz"
    if is_file(made):
        return read_features(made)
    if not cached("flickr8k-pictures"):
        fetch("flickr8k-pictures")
    seen = extract_features(picture_files([folder / "images"]))
    made.parent.mkdir(parents=True, exist_ok=True)
    seen.save(made)
    return seen


def _divided(told: Captions, seen: Features, maker: str, validation_share: float, seed: int) -> CaptionedParts:
    texts = {name: found for name in seen.names if (found := told.texts.get(composed(name)))}
    both = list(texts)
    if not both:
        raise UserError(
            f"none of the {len(seen.names):,} pictures has a caption: they are called {seen.names[0]!r}, and the"
            f" captions are for {next(iter(told.texts))!r}; make the names agree"
        )
    part = {name: told.parts.get(composed(name), "train") for name in both}
    if "validation" not in part.values():
        train = [name for name in both if part[name] == "train"]
        held = np.random.default_rng(seed).permutation(len(train))[: round(validation_share * len(train))]
        part |= {train[i]: "validation" for i in held}
    parts = {}
    for which in ("train", "validation", "test"):
        names = tuple(name for name in both if part[name] == which)
        rows = np.array([seen.rows[name] for name in names], dtype=np.int64)
        parts[which] = Captioned(names, seen.vectors[rows], tuple(texts[name] for name in names))
    for which in ("train", "validation"):
        if not len(parts[which]):
            raise UserError(f"{len(both)} pictures with captions leave none for {which}; give more")
    return CaptionedParts(parts, maker, tuple(counts(told, {composed(name): row for name, row in seen.rows.items()})))
