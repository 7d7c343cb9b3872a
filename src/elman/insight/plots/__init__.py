"""The plots of `elman.insight`: each takes the numbers and gives a matplotlib figure."""
