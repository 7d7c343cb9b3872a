"""Floor 4: the input-output scenarios as modules."""
