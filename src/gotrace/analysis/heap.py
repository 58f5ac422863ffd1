"""The heap at an instant, of a trace or of several. Never here: the replay."""

from gotrace.analysis.traces import analysis
from gotrace.trace import Trace

heap = analysis(Trace.heap)
