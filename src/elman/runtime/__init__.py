"""Prediction without torch: a trained run by numpy and the native library alone.

    from elman.runtime import load
    model = load("runs/moods")
    model.predict("a fine film")

It imports nothing of elman but `errors` and `atomic_io`: the small distribution elman-runtime is built of it.
"""

from elman.runtime.model import Model, load

__all__ = ["Model", "load"]
