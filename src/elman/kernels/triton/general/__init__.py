"""The general recurrence in Triton; see `elman.kernels.general`."""
