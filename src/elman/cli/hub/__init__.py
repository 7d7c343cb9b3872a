"""The command line and a model hub: `elman push`, and `hf://USER/NAME` where a run is taken."""
