"""Pictures to features: SqueezeNet over many files, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from elman.data.datasets.cache import fetch
from elman.data.image.features import Features
from elman.data.image.io import read_picture
from elman.models.squeezenet import FEATURES, SqueezeNet, load_squeezenet

MAKER = "squeezenet1.1"
BATCH = 32
WEIGHTS = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
"""The file of the dataset squeezenet."""
READERS = 2  # decoding leaves Python's lock


def network_that_sees() -> SqueezeNet:
    """SqueezeNet with its weights, which are downloaded once.

    Raises:
        UserError: they cannot be had.
    """
    return load_squeezenet(fetch("squeezenet") / WEIGHTS)


def extract_features(files: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> Features:
    """The features of pictures, named by their files' names.

    Arguments:
        progress: told how many are done, of how many.

    Raises:
        UserError: a picture that cannot be read; weights that cannot be had.
    """
    model = network_that_sees()
    vectors = np.empty((len(files), FEATURES), np.float32)
    with ThreadPoolExecutor(READERS) as readers, torch.no_grad():
        pictures = readers.map(read_picture, files)
        for begin in range(0, len(files), BATCH):
            some = [next(pictures) for _ in files[begin : begin + BATCH]]
            vectors[begin : begin + len(some)] = model(torch.from_numpy(np.stack(some))).numpy()
            if progress is not None:
                progress(begin + len(some), len(files))
    return Features(tuple(file.name for file in files), vectors, MAKER)
