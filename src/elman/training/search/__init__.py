"""Settings that are found by short trainings: how long to train in the time allowed, and which settings do best."""
