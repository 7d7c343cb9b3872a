"""SqueezeNet 1.1 (Iandola et al. 2016), the part that sees: a picture goes in, 512 numbers that stand for it come out.

B pictures of 224 x 224 points.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from elman.errors import UserError, optional_imports

FEATURES = 512
_MEANS = (103.939, 116.779, 123.68)  # of blue, green, red: what the weights were trained with
_FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
POOLED_BEFORE = (0, 2, 4)
"""The fire modules with a pooling layer in front."""


class Fire(nn.Module):
    """Few channels, read through windows of 1 x 1 and of 3 x 3 points."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, 2 expanded, h, w)."""
        x = self.squeeze1x1(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()


class SqueezeNet(nn.Module):
    """The layers up to the classifier, averaged over the picture."""

    means: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2)
        channels = [64, *(2 * expanded for _, expanded in _FIRES)]
        self.fires = nn.ModuleList(Fire(c, *sizes) for c, sizes in zip(channels, _FIRES, strict=False))
        self.register_buffer("means", torch.tensor(_MEANS).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (B, 512) of pictures (B, 224, 224, 3): red, green and blue, 0 to 255."""
        x = pictures.flip(-1).permute(0, 3, 1, 2).float() - self.means
        x = self.conv1(x).relu()
        for number, fire in enumerate(self.fires):
            x = fire(self.pool(x) if number in POOLED_BEFORE else x)
        features: Tensor = x.mean(dim=(2, 3))
        return features


def load_squeezenet(path: Path) -> SqueezeNet:
    """The network with the weights of a Keras HDF5 file.

    Raises:
        UserError: the file is not there, damaged, or holds other weights.
    """
    with optional_imports():
        import h5py

    model = SqueezeNet()
    try:
        with h5py.File(path) as file, torch.no_grad():
            _fill(model.conv1, file["conv1"])
            for number, fire in enumerate(model.fires, 2):
                for name, layer in fire.named_children():
                    _fill(layer, file[f"fire{number}/{name}"])
    except (OSError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{path} does not hold SqueezeNet's weights ({error}); delete it to download it anew"
        ) from error
    return model.eval().requires_grad_(False)


def _fill(layer: nn.Module, group: Mapping[str, object]) -> None:
    """Copy a Keras layer: a kernel (h, w, in, out) and, by the name of *_b somewhere below, a bias (out,)."""
    tensors = [torch.from_numpy(array) for array in _arrays(group)]
    (kernel,) = (tensor for tensor in tensors if tensor.ndim == 4)
    (bias,) = (tensor for tensor in tensors if tensor.ndim == 1)
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    layer.weight.copy_(kernel.permute(3, 2, 0, 1))
    layer.bias.copy_(bias)


def _arrays(group: Mapping[str, object]) -> list[object]:
    found: list[object] = []
    for item in group.values():
        found += _arrays(item) if isinstance(item, Mapping) else [item[()]]  # type: ignore[index]
    return found
