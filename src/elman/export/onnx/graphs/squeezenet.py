"""The network that sees, `elman.models.squeezenet`, in ONNX. B pictures of 224 x 224 points."""

from __future__ import annotations

from torch import nn

from elman.export.onnx.graph import Graph, Value
from elman.models.squeezenet import POOLED_BEFORE, Fire, SqueezeNet


def squeezenet(g: Graph, model: SqueezeNet, pictures: Value) -> Value:
    """Features (B, 512) of pictures (B, 224, 224, 3) uint8: red, green and blue."""
    blue_first = g.op("Gather", g.cast(pictures, "float32"), [2, 1, 0], axis=3)
    x = g.op("Transpose", blue_first, perm=[0, 3, 1, 2]) - model.means.numpy()
    x = g.op("Relu", _conv(g, x, model.conv1))
    for number, fire in enumerate(model.fires):
        if number in POOLED_BEFORE:
            x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
        assert isinstance(fire, Fire)
        x = g.op("Relu", _conv(g, x, fire.squeeze1x1))
        x = g.op("Relu", g.join([_conv(g, x, fire.expand1x1), _conv(g, x, fire.expand3x3)], 1))
    return g.op("ReduceMean", x, [2, 3], keepdims=0)


def _conv(g: Graph, x: Value, layer: nn.Conv2d) -> Value:
    assert layer.bias is not None
    kernel, bias = (tensor.detach().numpy() for tensor in (layer.weight, layer.bias))  # not rounded: nobody measures it
    return g.op("Conv", x, kernel, bias, strides=list(layer.stride), pads=[int(size) for size in layer.padding] * 2)
