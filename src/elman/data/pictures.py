"""Pictures from files, as a network takes them: 224 x 224 points, red, green, blue; whatever they were before."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError

SIDE = 224
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_PAPER = (255, 255, 255)  # what shows through a transparent picture


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(224, 224, 3): grey pictures get three colours, transparent ones white paper; the sides may be of any length.

    Raises:
        UserError: no file, no picture, or a picture that breaks off.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(path) as opened,
        ):
            opened.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded no larger than is needed
            turned = ImageOps.exif_transpose(opened)
            if turned.has_transparency_data:
                turned = turned.convert("RGBA")
                turned = Image.alpha_composite(Image.new("RGBA", turned.size, (*_PAPER, 255)), turned)
            picture = turned.convert("RGB")
            if picture.size != (SIDE, SIDE):
                picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
            return np.asarray(picture)
    except FileNotFoundError as error:
        raise UserError(f"there is no picture {path}; check the path") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is no picture that can be read; take it out, or save it as JPEG or PNG") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} has too many points to be read safely; save a smaller copy") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); take it out, or get a whole copy") from error


def picture_files(given: Sequence[str | Path]) -> list[Path]:
    """The files that are named, and for a folder the pictures in it, in order of name.

    Raises:
        UserError: a folder has none, or nothing is there.
    """
    files: list[Path] = []
    for path in map(Path, given):
        if not path.is_dir():
            if not path.exists():
                raise UserError(f"there is no picture {path}; check the path")
            files.append(path)
            continue
        inside = sorted(path / name for name in os.listdir(path) if name.lower().endswith(SUFFIXES))
        if not inside:
            raise UserError(f"{path} holds no pictures ({', '.join(SUFFIXES)}); name another folder")
        files += inside
    return files
