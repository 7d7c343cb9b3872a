"""Train a network that writes: from a text, how likely each next character (or word) is.

Many to many, in step. Example: elman train language --data shakespeare --out runs/shakespeare
"""

from elman.tasks.language.settings import Options, Settings
from elman.tasks.language.task import Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "language"
