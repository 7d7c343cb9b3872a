"""Train a network to answer YES if the number of 1s in a string of 0s and 1s is even, else NO.

Many to one, the lecture's simplest case for a state: trained on short strings, asked about strings of any length.
Its siblings are the classic tests of a long memory: --problem adding (the sum of two marked numbers among many) and
--problem copy (ten symbols again, after a silence). Example: elman train parity --out runs/parity
"""

from elman.tasks.memory.settings import Options, Settings
from elman.tasks.memory.task import Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "parity"
