"""Whole runs as ONNX: from what the user gives to what the user gets, in one file that onnxruntime runs without torch.

`graphs/` writes the networks, `running/` runs them in the place of the networks, `file.py` says what else a file holds.
"""
