"""The Triton backend for NVIDIA GPUs."""
