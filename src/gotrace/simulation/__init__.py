"""A Go-like heap and scheduler that writes traces of known truth. The public names; never logic."""

from gotrace.simulation.anomalies import ANOMALIES
from gotrace.simulation.program import Program, simulate
from gotrace.simulation.shape import SHAPES, Shape
from gotrace.simulation.truth import LIVE, Truth

__all__ = ["ANOMALIES", "LIVE", "SHAPES", "Program", "Shape", "Truth", "simulate"]
