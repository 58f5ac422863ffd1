"""Check that a trace is complete, in order and valid: a trace comes in, a verdict goes out. Never here: output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gotrace.analysis.traces import analysis
from gotrace.errors import TraceError
from gotrace.tables.catalog import TABLES
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import View, Viewed

_LENGTH = 1 << 15  # rows at a time


@dataclass(repr=False)
class Verdict(Viewed):
    """The result of a check.

    Attributes
    ----------
    events, generations : int
        Number of ordered events, including Sync events, and of complete generations before the fault.
    error : TraceError or None
        The fault, if the trace is broken.
    """

    events: int = 0
    generations: int = 0
    error: TraceError | None = None

    def view(self) -> View:
        """Return the verdict in one line."""
        counts = f"{human_count(self.events, 'event')} in {human_count(self.generations, 'generation')}"
        return View(f"{self.error or 'valid'}: {counts}")


@analysis
def validate(trace: Trace, progress: Callable[[int], None] | None = None) -> Verdict:
    """Read everything in a trace: tables, ordered events, alloc/free data.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Verdict
        With the fault in ``error``, if the trace is broken.
    """
    verdict = Verdict()
    read_pass = trace.reader.new_pass()
    generations, events, allocs = (
        TABLES[name].builder(read_pass, _LENGTH) for name in ("generations", "events", "allocs")
    )
    ends: list[int] = []
    try:
        for builder, rows in read_pass.read(generations, events, allocs, progress=progress):
            if builder is events:
                verdict.events += len(rows)
            elif builder is generations:
                ends.extend((rows["offset"] + rows["nbytes"]).tolist())
    except TraceError as error:
        verdict.error = error
    fault = verdict.error
    verdict.generations = sum(fault is None or end <= fault.offset for end in ends)
    return verdict
