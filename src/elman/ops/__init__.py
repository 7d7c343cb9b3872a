"""`recurrence(...)`: the vanilla recurrence as one differentiable operation, whatever backend runs it.

`functional` is its face, `validation` says what is wrong with its arguments, `autograd` makes it differentiable, `vmap`
is what `torch.vmap` does to it, `custom_ops` is what `torch.compile` and `torch.export` see of it, `onnx` what the
export to ONNX makes of it, and `fused_layer` runs the directions of a layer together.
"""

from elman.ops.functional import recurrence

__all__ = ["recurrence"]
