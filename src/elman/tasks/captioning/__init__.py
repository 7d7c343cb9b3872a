"""Train a network to say what is to be seen in a picture.

One to many: what SqueezeNet saw goes in, words come out. Data: flickr8k; a folder of pictures, or a file of features
of your own, with a file of captions (a table, a Flickr token file, or the JSON of COCO or of Karpathy's splits).
Example: elman train captioning --data flickr8k --out runs/captions
"""

from elman.tasks.captioning.settings import Options, Settings
from elman.tasks.captioning.task import Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "captioning"
