"""Estimators of `elman.sklearn` as those of other packages for series in time: `adapters.sktime` and `adapters.aeon`."""
