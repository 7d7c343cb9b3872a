"""Train a network to tell what kind of series it is given: sequences of vectors, of any length.

Many to one. Data: japanese-vowels, gunpoint, italy-power-demand, mnist (row by row), mnist-pixels, mnist-permuted;
a .ts or .npz file; a folder with one folder of .csv files for each class.
Example: elman train series --data japanese-vowels --out runs/vowels
"""

from elman.tasks.series.settings import Options, Settings
from elman.tasks.series.task import Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "series"
