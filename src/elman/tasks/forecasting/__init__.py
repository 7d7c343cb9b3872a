"""Train a network to say how a series in time goes on: one variable or many, one series or many, and how sure it is.

Data: etth1, airline, sunspots, or a .csv, .tsv or .parquet file with a column of times; the last parts in time are held
out. Example: elman train forecasting --data airline --out runs/airline
"""

from elman.tasks.forecasting.settings import Options, Settings
from elman.tasks.forecasting.task import Task

__all__ = ["NAME", "Options", "Settings", "Task"]

NAME = "forecasting"
