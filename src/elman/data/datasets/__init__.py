"""Public datasets: what there is, where it lies, and how it is downloaded and checked."""
