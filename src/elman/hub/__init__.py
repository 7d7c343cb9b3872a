"""Runs on a model hub: what is sent there, what is taken from there, and the card that goes with a run."""
