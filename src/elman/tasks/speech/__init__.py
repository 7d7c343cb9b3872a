"""Train a network to understand speech: the word in a recording, or all that is said in it, written down.

Many to one (--answer class), or many to many without an alignment, by CTC (--answer symbols). Data: fsdd (spoken
digits), or a folder of sound files with a .csv file of transcripts.
Example: elman train speech --data fsdd --answer symbols --out runs/digits
"""

from elman.tasks.speech.settings import Options, Settings
from elman.tasks.speech.task import Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "speech"
