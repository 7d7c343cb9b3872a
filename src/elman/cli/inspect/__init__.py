"""`elman inspect`: one command a file; what they share is in `common.py`."""
