"""Reservoirs: recurrent layers whose weights are drawn once and not trained."""
