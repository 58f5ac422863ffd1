"""What grew between two instants of a trace. Never here: replay, or output."""

from __future__ import annotations

from collections.abc import Callable

from gotrace.analysis.diff import Diff, diff
from gotrace.analysis.traces import analysis
from gotrace.errors import TraceError
from gotrace.tables.growth import HeapPair, heaps_at
from gotrace.tables.instants import Group, Instant
from gotrace.trace import Trace


@analysis
def growth(
    trace: Trace,
    first: Instant = "start",
    last: Instant = "end",
    *,
    by: Group = "type",
    progress: Callable[[int], None] | None = None,
) -> Diff:
    """Return what grew between two instants of a trace, including objects that existed at its start.

    One pass. Unlike two separate heaps, both instants give a group the same name, also if the trace names it later.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    first, last : str, float or timedelta
        Instants, as ``at`` of :meth:`gotrace.Trace.heap`. ``"peak"`` as the first one is the peak up to the second.
    by : str
        What a row groups, as for :meth:`gotrace.Trace.heap`.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Diff
        Largest growth of ``inuse_bytes`` first. What was allocated counts from the start of the trace, so the
        difference of ``alloc_bytes`` is what was allocated in between.

    Raises
    ------
    ValueError
        A group or an instant does not exist, or the second instant is before the first.
    TraceError
        The trace is damaged; its attribute ``partial`` is the growth up to the fault, unless an instant comes after it.
    """
    try:
        return diff(*heaps_at(trace.reader, by, first, last, progress))
    except TraceError as fault:
        if isinstance(fault.partial, HeapPair):
            fault.partial = diff(*fault.partial)
        raise
