"""What a trace shows about scheduling, as far as it can be read. Never here: output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gotrace.analysis.annotations import Latencies, tasks
from gotrace.analysis.collector import Collector, gc
from gotrace.analysis.goroutines import Goroutines, goroutines
from gotrace.analysis.mmu import MMU
from gotrace.analysis.utilization import utilization
from gotrace.analysis.waits import Waits, sched
from gotrace.dtypes import F8, I8, Rows
from gotrace.errors import TraceError
from gotrace.tables.passes import Progress
from gotrace.trace import Trace

_WINDOWS = 20
_SHORTEST = 10_000  # ns, of the windows


@dataclass
class Scheduling:
    """Goroutines, their waits, the collector and tasks.

    Attributes
    ----------
    goroutines : Goroutines
        By the function that they start with.
    waits : Waits
        For a P, by the function that the goroutine starts with.
    collector : Collector
    windows : ndarray of int64
        ns, lengths of windows in equal steps of the logarithm, up to the length of the trace.
    mmu : ndarray of float64
        Minimum mutator utilization of each.
    mean : float
        Mutator utilization of the whole trace; NaN if it is not known.
    tasks : Latencies
    error : TraceError or None
        The fault of a damaged trace; the results are those of what is before it.
    """

    goroutines: Goroutines = field(default_factory=lambda: Goroutines("function"))
    waits: Waits = field(default_factory=lambda: Waits("sched", "function"))
    collector: Collector = field(default_factory=Collector)
    windows: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    mmu: F8 = field(default_factory=lambda: np.empty(0))
    mean: float = float("nan")
    tasks: Latencies = field(default_factory=lambda: Latencies("tasks"))
    error: TraceError | None = None

    @property
    def seen(self) -> bool:
        """True if the trace has goroutines."""
        return self.goroutines.seen


def scheduling(trace: Trace, progress: Progress | None = None) -> Scheduling:
    """Return what a trace shows about scheduling, in five passes; in one if it has no goroutines."""
    result = Scheduling()

    def read(analysis: Callable[..., Any], empty: Any) -> Any:
        """Return the result of an analysis, of a damaged trace that up to the fault."""
        try:
            with trace.reader.peek():  # so that a fault does not end the other passes
                return analysis(trace, progress=progress)
        except TraceError as fault:
            result.error = fault
            return empty if fault.partial is None else fault.partial

    result.goroutines = read(goroutines, result.goroutines)
    if not result.seen:
        return result
    result.waits = read(sched, result.waits)
    result.collector = read(gc, result.collector)
    result.tasks = read(tasks, result.tasks)
    series: list[Rows] = read(utilization, [])
    if series:
        functions = MMU(series)
        longest = max(int(rows["time"][-1] - rows["time"][0]) for rows in series)
        lengths = np.geomspace(min(_SHORTEST, max(longest, 1)), max(longest, 1), _WINDOWS)
        result.windows = np.unique(lengths.astype(np.int64))
        result.mmu = np.array([functions.mmu(window) for window in result.windows.tolist()])
        result.mean = functions.mean()
    return result
