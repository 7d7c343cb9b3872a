"""Estimators of `elman.sklearn` as those of other packages for series in time: sktime and aeon."""
