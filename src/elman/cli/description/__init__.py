"""`elman describe`: what a file or folder was understood to be, and the command that would train on it."""
