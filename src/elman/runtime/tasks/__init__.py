"""A module for each task whose runs can be loaded: what the run keeps, its network, and its answers."""
