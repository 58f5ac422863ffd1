"""How procs and threads are used. Never here: output."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gotrace.analysis.gather import TEXTS, Gathered, Range
from gotrace.analysis.traces import analysis
from gotrace.dtypes import PROC, THREAD, Rows
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import View, Viewed, cells


@dataclass(repr=False)
class Usage(Viewed):
    """Use of procs and threads.

    Attributes
    ----------
    procs : ndarray of PROC
        By id.
    threads : ndarray of THREAD
        By id.
    duration : int
        ns, of the trace or the part of it.
    seen : bool
        True if the trace has procs.
    """

    procs: Rows = field(default_factory=lambda: np.empty(0, PROC))
    threads: Rows = field(default_factory=lambda: np.empty(0, THREAD))
    duration: int = 0
    seen: bool = False

    @property
    def table(self) -> Rows:
        """The procs."""
        return self.procs

    def sort(self, column: str) -> None:
        """Sort procs and threads by a column, largest first."""
        self.procs, self.threads = (
            table[np.argsort(-table[column], kind="stable")] for table in (self.procs, self.threads)
        )

    def view(self) -> View:
        """Return the procs, times in ns."""
        columns = ("id", "running", "idle", "syscall", "gc", "starts", "steals")
        facts = f"{human_count(len(self.procs), 'proc')}, {human_count(len(self.threads), 'thread')}"
        return View(facts, columns, cells(self.procs, columns), len(self.procs))


@analysis
def procs(trace: Trace, *, time: Range = None, progress: Progress | None = None) -> Usage:
    """Return how procs and threads are used. One pass.

    Parameters
    ----------
    trace : Trace
    time : tuple of times or None, optional
        Only the time in this range. Integers are ns on the trace's clock, other times count from its start: ``("1.5s",
        2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Usage

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    tables = dict.fromkeys(("procs", "threads", "goroutines"), np.copy)
    found = Gathered(trace, tables, TEXTS, progress, time)
    by_id = [np.sort(found.rows[name], order="id") for name in ("procs", "threads")]
    result = Usage(by_id[0], by_id[1], seen=len(by_id[0]) > 0)
    result.duration = found.end - int(found.rows["goroutines"]["created"].min(initial=found.end))
    return found.checked(result)
