"""Reservoirs as models: readouts by least squares, all at once or online; feedback, plasticity, and search."""

from elman.models.reservoir.echo_state import EchoState
from elman.models.reservoir.online import RecursiveLeastSquares, force
from elman.models.reservoir.plasticity import intrinsic_plasticity
from elman.models.reservoir.ridge import RidgeStream
from elman.models.reservoir.search import search

__all__ = ["EchoState", "RecursiveLeastSquares", "RidgeStream", "force", "intrinsic_plasticity", "search"]
