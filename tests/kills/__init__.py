"""Trainings that are killed at any moment, and resumed: to the same bits, or one line."""
