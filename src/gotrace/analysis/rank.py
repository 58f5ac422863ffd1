"""Numbers by which traces are ranked: a trace comes in, a value and its instant go out. Never here: output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I8, Rows
from gotrace.spec.enums import EventKind, EventType, GoState, Resource
from gotrace.tables.builder import Builder
from gotrace.tables.catalog import TABLES
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.wire.segments import Segment

_NO_HEAP = "no alloc/free events"
_LENGTH = 1 << 16  # rows that are paired at a time, at least
_STEPS = 128  # buckets of an octave: a bucket's largest value is at most 1/128 above its smallest
_Mask: TypeAlias = "npt.NDArray[np.bool_]"
_SPAN = np.dtype([("id", "i8"), ("time", "i8"), ("opens", "?"), ("closes", "?")])


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
    read, pairs, longest, at = _Read(trace, "ranges", progress), _Pairs(), 0, -1

    def spans() -> Iterator[Rows]:
        for rows in read:
            rows = rows[rows["start"] == EventType.STW_BEGIN]
            begins, ends = rows["kind"] == EventKind.RANGE_BEGIN, rows["kind"] == EventKind.RANGE_END
            yield _spans(rows, begins, ends, begins | ends)

    for starts, lengths in pairs.of(spans()):
        length = int(lengths.max())
        if length > longest:
            longest, at = length, int(starts[lengths == length].min())
    if at < 0:
        return Measure(None, -1, read.start, "no complete stop-the-world pause")
    return Measure(longest, at, read.start)


def _sched_p99(trace: Trace, progress: Progress | None) -> Measure:
    read, pairs, waits = _Read(trace, "transitions", progress), _Pairs(), _Histogram()

    def spans() -> Iterator[Rows]:
        for rows in read:
            rows = rows[(rows["resource"] == Resource.GOROUTINE) & (rows["old"] != rows["new"])]
            became, was = rows["new"] == GoState.RUNNABLE, rows["old"] == GoState.RUNNABLE
            starts = became & (rows["old"] != GoState.UNDETERMINED)
            yield _spans(rows, starts, was & (rows["new"] == GoState.RUNNING), became | was)

    for starts, lengths in pairs.of(spans()):
        waits.add(lengths, starts)
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
    """The rows of a table of ordered events, and the start of the trace."""

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


def _spans(rows: Rows, opens: _Mask, closes: _Mask, keep: _Mask) -> Rows:
    spans = np.empty(len(rows), _SPAN)
    spans["id"], spans["time"], spans["opens"], spans["closes"] = rows["id"], rows["time"], opens, closes
    return spans[keep]


class _Pairs:
    """Rows of one id that open and close a span, paired across chunks; open spans are all that is kept."""

    def __init__(self) -> None:
        self._rows: list[Rows] = [np.empty(0, _SPAN)]
        self._n = 0

    def of(self, chunks: Iterator[Rows]) -> Iterator[tuple[I8, I8]]:
        """Yield starts and lengths of spans in which a row that opens is followed by one that closes."""
        for rows in chunks:
            self._rows.append(rows)
            self._n += len(rows)
            if self._n >= max(_LENGTH, len(self._rows[0])):
                yield from self._pair()
        yield from self._pair()

    def _pair(self) -> Iterator[tuple[I8, I8]]:
        rows = np.concatenate(self._rows)
        rows = rows[np.argsort(rows["id"], kind="stable")]
        last = np.ones(len(rows), bool)
        last[:-1] = rows["id"][1:] != rows["id"][:-1]
        at = np.flatnonzero(rows["opens"][:-1] & ~last[:-1] & rows["closes"][1:])
        self._rows, self._n = [rows[last & rows["opens"]]], 0
        if len(at):
            yield rows["time"][at], rows["time"][at + 1] - rows["time"][at]


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
        last = np.append(buckets[1:] != buckets[:-1], True)
        lengths, starts, buckets = lengths[last], starts[last], buckets[last]
        older = self._starts[buckets] <= starts
        better = (lengths > self._largest[buckets]) | ((lengths == self._largest[buckets]) & ~older)
        self._largest[buckets[better]] = lengths[better]
        self._starts[buckets[better]] = starts[better]

    def percentile(self, q: int) -> tuple[int, int]:
        """Return a length, at most 1/128 above the percentile and never below it, and where a span of it starts."""
        bucket = int(np.searchsorted(np.cumsum(self._counts), -(-self.n * q // 100)))
        return int(self._largest[bucket]), int(self._starts[bucket])
