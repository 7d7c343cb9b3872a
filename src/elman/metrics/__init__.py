"""Numbers from predictions and targets, with the baselines beside them."""
