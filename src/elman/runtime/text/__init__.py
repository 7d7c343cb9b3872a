"""Texts to numbers and back, by the vocabulary that a run keeps: plain Python in place of `tokenizers`."""
