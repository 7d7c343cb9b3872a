"""A step's batch in shares: several processes that train together, and micro-batches one after the other."""
