"""Train a network to say what a text is: positive or negative, or any other classes.

Many to one, the lecture's sentiment classification. Data: sst2, sst5, trec, imdb, yelp, a .csv, .tsv or .jsonl file, or
a folder with one folder of .txt files for each class. Example: elman train sentiment --data sst2 --out runs/sst2
"""

from elman.tasks.sentiment.settings import Options, Settings
from elman.tasks.sentiment.task import Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "sentiment"
