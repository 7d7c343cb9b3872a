"""Train a network that translates: one part reads a sentence, another writes it in a second language.

Many to many, encoder and decoder, with attention or (--attention none) by the last state alone. Data: multi30k-en-de,
-en-fr, -de-en, -fr-en, a .tsv file, or two text files, line by line.
Example: elman train translation --data multi30k-en-de --out runs/en-de
"""

from elman.tasks.translation.settings import Options, Settings
from elman.tasks.translation.task import Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "translation"
