"""Series in time: tables, timestamps, scaling, windows, and labelled series."""
