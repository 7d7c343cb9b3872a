"""Exported graphs in the place of the networks that they were exported from: one module each."""
