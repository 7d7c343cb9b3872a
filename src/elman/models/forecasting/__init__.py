"""Forecasters: the network, its output layer, and the calibration of its intervals."""
