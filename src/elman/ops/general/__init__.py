"""The general recurrence as one differentiable operation, of one network or of many."""
