"""Classifiers of more than one recurrent part: several time scales, several networks."""
