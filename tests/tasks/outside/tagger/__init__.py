"""Train a network to tag the words of sentences: many to many, in step.

Data: a text file with one sentence a line, each word as word/TAG. Example: elman train tagger --data tagged.txt --out
runs/tagger
"""

from tagger.task import Options, Settings, Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "tagger"
