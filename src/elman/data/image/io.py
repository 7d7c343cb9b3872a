"""Pictures from files, as a network takes them: 224 x 224 points, red, green, blue; whatever they were before."""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.data.io.files import list_folder, path_kind, read_bytes
from elman.errors import UserError, optional_imports

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIDE = 224
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_MOST_POINTS = 1 << 26
"""Points that are decoded, at most: 67 million, with which a transparent picture takes 1 GiB."""
_LARGEST = 1 << 30
"""Bytes of a picture's file, at most: 1 GiB."""
_PAPER = (255, 255, 255)  # what shows through a transparent picture


log = logging.getLogger("elman")
_TOLERANT = threading.Lock()  # Pillow is told for the whole process to put up with a picture that breaks off


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(224, 224, 3): grey pictures get three colours, transparent ones white paper; the sides may be of any length.

    Of a picture that breaks off, what is there is taken, and standard error says so.

    Raises:
        UserError: no file, or no picture.
    """
    with optional_imports():
        from PIL import Image, UnidentifiedImageError

    raw = read_picture_bytes(path)
    try:
        return _read(raw)
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is no picture that can be read; take it out, or save it as JPEG or PNG") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise UserError(f"{path} has too many points to be read safely; save a smaller copy") from error
    except Exception as error:  # Pillow's decoders raise many kinds for a damaged file
        return _what_is_there(path, raw, error)


def read_picture_bytes(path: Path) -> bytes:
    """The bytes of a picture's file.

    Raises:
        UserError: no file, or one that cannot be read.
    """
    if path_kind(path) == "nothing":
        raise UserError(f"there is no picture {path}; check the path")
    return read_bytes(path, _LARGEST)


def _read(raw: bytes) -> NDArray[np.uint8]:
    """The picture in a file's bytes; Pillow asks a file on the disk for as many bytes as a header claims."""
    with optional_imports():
        from PIL import Image, ImageOps

    # Pillow warns of large pictures, which are read, and of damaged tags, which are not needed
    with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(raw)) as opened:
        opened.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded no larger than is needed
        if opened.width * opened.height > _MOST_POINTS:
            raise Image.DecompressionBombError
        picture = _in_colour(ImageOps.exif_transpose(opened))
        if picture.size != (SIDE, SIDE):
            picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
        return np.asarray(picture)


def _in_colour(picture: Picture) -> Picture:
    """Red, green and blue on white paper."""
    with optional_imports():
        from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits of grey, which `convert` would cut off at 255
        return Image.fromarray((np.asarray(picture).clip(0, 65535) // 256).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        coloured = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", coloured.size, (*_PAPER, 255)), coloured)
    return picture.convert("RGB")


def _what_is_there(path: Path, raw: bytes, error: Exception) -> NDArray[np.uint8]:
    with optional_imports():
        from PIL import ImageFile

    with _TOLERANT:
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            picture = _read(raw)
        except Exception:
            raise UserError(f"{path} is damaged ({error}); take it out, or get a whole copy") from error
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
    log.warning("%s breaks off; the part of it that is there is used", path)
    return picture


def picture_files(given: Sequence[str | Path]) -> list[Path]:
    """The files that are named, and for a folder the pictures in it, in order of name.

    Raises:
        UserError: a folder has none, or nothing is there.
    """
    files: list[Path] = []
    for path in map(Path, given):
        kind = path_kind(path)
        if kind == "nothing":
            raise UserError(f"there is no picture {path}; check the path")
        if kind != "folder":
            files.append(path)
            continue
        inside = list_folder(path, SUFFIXES)
        if not inside:
            raise UserError(f"{path} holds no pictures ({', '.join(SUFFIXES)}); name another folder")
        files += inside
    return files
