"""`recurrence(...)`: the vanilla recurrence as one differentiable operation, whatever backend runs it.

`functional` is its face, `validation` says what is wrong with its arguments, `autograd` makes it differentiable, `vmap`
is what `torch.vmap` does to it, `custom_ops` is what `torch.compile` and `torch.export` see of it, `onnx` what the
export to ONNX makes of it, and `fused_layer` runs the directions of a layer together. `output_loss` is an output layer
with its cross-entropy.
"""

from elman.ops.functional import recurrence
from elman.ops.output_loss import linear_cross_entropy

__all__ = ["linear_cross_entropy", "recurrence"]
