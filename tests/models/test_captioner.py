"""The captioner step by step against all steps at once, and SqueezeNet against stored features."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from elman.data.image.features import read_features
from elman.errors import UserError
from elman.models.captioner import Captioner
from elman.models.config import RecurrentConfig
from elman.models.image_features import extract_features
from elman.models.squeezenet import SqueezeNet, load_squeezenet


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("places", [("first",), ("state",), ("every",), ("first", "state")])
@pytest.mark.parametrize("layers", [1, 2])
def test_one_step_at_a_time_is_the_same_as_all_at_once(cell: str, places: tuple[str, ...], layers: int) -> None:
    torch.manual_seed(0)
    shape = RecurrentConfig(input_size=6, hidden_size=8, layers=layers, cell=cell)
    model = Captioner(11, 5, shape, feature_as=places, tied=True).eval()
    features, tokens = torch.randn(3, 5), torch.randint(0, 11, (4, 3))
    whole = model(features, tokens)
    state, memory = model.start(features)
    for step in range(4):
        logits, state = model.step(tokens[step], state, memory)
        torch.testing.assert_close(logits, whole[step])


@pytest.mark.parametrize(("places", "before"), [(("first",), 1), (("state",), 0), (("first", "every"), 1)])
def test_every_step_has_the_pictures_own_too(places: tuple[str, ...], before: int) -> None:
    torch.manual_seed(0)
    model = Captioner(11, 5, RecurrentConfig(input_size=6, hidden_size=8), feature_as=places).eval()
    features, tokens = torch.randn(3, 5), torch.randint(0, 11, (4, 3))
    every = model(features, tokens, every_step=True)
    assert every.shape == (4 + before, 3, 11)
    torch.testing.assert_close(every[before:], model(features, tokens))


def test_features_are_brought_to_one_scale() -> None:
    model = Captioner(7, 3, RecurrentConfig(input_size=4, hidden_size=4)).eval()
    features = torch.randn(50, 3)
    model.scale_by(features)
    tokens = torch.zeros(2, 50, dtype=torch.int64)
    before = model(features, tokens)
    model.scale_by(features * 1000 + 5)
    torch.testing.assert_close(model(features * 1000 + 5, tokens), before, rtol=1e-3, atol=1e-4)


def test_the_layers_of_squeezenet_shrink_as_published() -> None:
    model = SqueezeNet().eval()
    assert sum(p.numel() for p in model.parameters()) == 722_496  # 1,235,496 less the classifier's 513,000
    with torch.no_grad():
        assert model(torch.zeros(2, 224, 224, 3, dtype=torch.uint8)).shape == (2, 512)


def test_wrong_weights_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "torn.h5").write_bytes(b"no")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
    for name in ("torn.h5", "other.h5", "gone.h5"):
        with pytest.raises(UserError, match="does not hold SqueezeNet's weights"):
            load_squeezenet(tmp_path / name)


@pytest.mark.data
@pytest.mark.skipif("ELMAN_DATA" not in os.environ, reason="ELMAN_DATA does not name a folder of datasets")
def test_what_it_sees_is_what_others_saw() -> None:
    folder = Path(os.environ["ELMAN_DATA"]) / "flickr8k"
    stored, files = folder / "squeezenet11-features.npy", sorted((folder / "images").glob("*.jpg"))[:8]
    if not stored.exists() or not files:
        pytest.skip("the features or the pictures are not in ELMAN_DATA")
    known = read_features(stored)
    rows = [known.rows[file.name] for file in files]
    np.testing.assert_allclose(extract_features(files).vectors, known.vectors[rows], atol=0.05, rtol=2e-3)
