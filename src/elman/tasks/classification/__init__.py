"""What every task that gives a sequence one of several classes has in common."""
