"""Simulated Go programs: a program's shape comes in, a trace and its truth go out.

Holds the public names. Never here: logic.
"""

from gotrace.simulation.anomalies import ANOMALIES
from gotrace.simulation.program import Program, simulate
from gotrace.simulation.shape import SHAPES, Shape
from gotrace.simulation.truth import LIVE, Truth

__all__ = ["ANOMALIES", "LIVE", "SHAPES", "Program", "Shape", "Truth", "simulate"]
