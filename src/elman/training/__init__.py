"""Floor 5: one training loop, checkpoints, resume, progress. It knows no task."""
