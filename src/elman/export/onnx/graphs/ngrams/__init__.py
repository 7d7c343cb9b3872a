"""Counted n-grams beside a classifier in ONNX: the scores of both, and the table that n-grams are looked up in."""
