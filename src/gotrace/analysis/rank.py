"""Numbers by which traces are ranked: a trace comes in, a value and its instant go out. Never here: output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from gotrace.dtypes import I8, Rows
from gotrace.spec.enums import GoState
from gotrace.tables.builder import Builder
from gotrace.tables.catalog import TABLES
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.wire.segments import Segment

_NO_HEAP = "no alloc/free events"
_LENGTH = 1 << 14  # rows of a chunk
_STEPS = 128  # buckets of an octave: a bucket's largest value is at most 1/128 above its smallest


class Measure(NamedTuple):
    """A metric of one trace.

    Attributes
    ----------
    value : int, float or None
        Bytes, bytes per second or ns; None if the trace lacks the data.
    time : int
        The instant of the value in ns; -1 if there is none.
    start : int
        Start of the trace in ns; -1 if it has no events.
    missing : str
        What the trace lacks; empty if there is a value.
    """

    value: float | None
    time: int
    start: int
    missing: str = ""


def measure(trace: Trace, metric: str, progress: Progress | None = None) -> Measure:
    """Return a metric of a trace.

    Parameters
    ----------
    trace : Trace
    metric : str
        ``"inuse_bytes"``: bytes of the heap in use at the end, the instant of the value. ``"alloc_rate"``: bytes
        allocated per second from the start to the end, the instant of the value. ``"stw_max"``: length of the longest
        stop-the-world pause in ns; the instant is its start. ``"sched_p99"``: the smallest time from runnable to
        running, in ns, such that 99 % of all times are not longer; the instant is the start of such a wait. Pauses and
        waits whose start or end is not in the trace are not counted.
    progress : callable, optional

    Raises
    ------
    KeyError
        There is no such metric.
    TraceError
        The trace is damaged.
    """
    return METRICS[metric](trace, progress)


def _inuse_bytes(trace: Trace, progress: Progress | None) -> Measure:
    heap = trace.heap(by="class", progress=progress)
    if not heap.seen:
        return Measure(None, -1, heap.start, _NO_HEAP)
    return Measure(int(heap.table["inuse_bytes"].sum()), heap.time, heap.start)


def _alloc_rate(trace: Trace, progress: Progress | None) -> Measure:
    heap = trace.heap(by="class", progress=progress)
    if not heap.seen:
        return Measure(None, -1, heap.start, _NO_HEAP)
    if heap.time <= heap.start:
        return Measure(None, -1, heap.start, "all events have the same time")
    return Measure(int(heap.table["alloc_bytes"].sum()) * 1e9 / (heap.time - heap.start), heap.time, heap.start)


def _stw_max(trace: Trace, progress: Progress | None) -> Measure:
    read, longest, at = _Read(trace, "pauses", progress), 0, -1
    for rows in read:
        rows = rows[(rows["start"] >= 0) & (rows["end"] >= 0)]
        lengths = rows["end"] - rows["start"]
        length = int(lengths.max(initial=0))
        if length > longest:
            longest, at = length, int(rows["start"][lengths == length].min())
    if at < 0:
        return Measure(None, -1, read.start, "no complete stop-the-world pause")
    return Measure(longest, at, read.start)


def _sched_p99(trace: Trace, progress: Progress | None) -> Measure:
    read, waits = _Read(trace, "states", progress), _Histogram()
    for rows in read:
        known = (rows["start_known"] == 1) & (rows["next_state"] == GoState.RUNNING)
        rows = rows[known & (rows["state"] == GoState.RUNNABLE)]
        waits.add(rows["end"] - rows["start"], rows["start"])
    if not waits.n:
        return Measure(None, -1, read.start, "no goroutine goes from runnable to running")
    return Measure(*waits.percentile(99), read.start)


METRICS: dict[str, Callable[[Trace, Progress | None], Measure]] = {
    "inuse_bytes": _inuse_bytes,
    "alloc_rate": _alloc_rate,
    "stw_max": _stw_max,
    "sched_p99": _sched_p99,
}
"""Metrics by name."""


class _Read(Builder):
    """The rows of a scheduling table, and the start of the trace."""

    def __init__(self, trace: Trace, table: str, progress: Progress | None) -> None:
        self._trace = trace
        self._table = table
        self._progress = progress
        self.start = -1

    def __iter__(self) -> Iterator[Rows]:
        read_pass = self._trace.reader.new_pass()
        builder = TABLES[self._table].builder(read_pass, _LENGTH)
        return (rows for _, rows in read_pass.read(self, builder, progress=self._progress))

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Keep the start of the first segment."""
        if self.start < 0:
            self.start = segment.start
        return iter(())


class _Histogram:
    """Counts of lengths in log-linear buckets, with the largest length of each bucket and where it starts."""

    def __init__(self) -> None:
        self.n = 0
        self._counts = np.zeros(65 * _STEPS, np.int64)
        self._largest = np.full(len(self._counts), -1)
        self._starts = np.zeros(len(self._counts), np.int64)

    def add(self, lengths: I8, starts: I8) -> None:
        """Count lengths, in ns, of spans with these starts."""
        mantissa, exponent = np.frexp(lengths.astype(np.float64))
        buckets = exponent * _STEPS + ((mantissa - 0.5) * 2 * _STEPS).astype(np.int64)
        self.n += len(lengths)
        self._counts += np.bincount(buckets, minlength=len(self._counts))
        order = np.lexsort((-starts, lengths))  # the last one in a bucket is its longest, the first of several
        lengths, starts, buckets = lengths[order], starts[order], buckets[order]
        last = np.ones(len(buckets), bool)
        last[:-1] = buckets[1:] != buckets[:-1]
        lengths, starts, buckets = lengths[last], starts[last], buckets[last]
        older = self._starts[buckets] <= starts
        better = (lengths > self._largest[buckets]) | ((lengths == self._largest[buckets]) & ~older)
        self._largest[buckets[better]] = lengths[better]
        self._starts[buckets[better]] = starts[better]

    def percentile(self, q: int) -> tuple[int, int]:
        """Return a length, at most 1/128 above the percentile and never below it, and where a span of it starts."""
        bucket = int(np.searchsorted(np.cumsum(self._counts), -(-self.n * q // 100)))
        return int(self._largest[bucket]), int(self._starts[bucket])
