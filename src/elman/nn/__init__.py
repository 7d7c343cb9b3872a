"""The layer: `RNN` and `RNNCell`, which take the place of torch's, and initialisers."""

from elman.nn import init
from elman.nn.cell import RNNCell
from elman.nn.rnn import RNN
from elman.nn.streaming import pack_for_steps

__all__ = ["RNN", "RNNCell", "init", "pack_for_steps"]
