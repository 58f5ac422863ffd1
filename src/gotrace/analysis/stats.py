"""Heap statistics of a trace, in one pass: totals, peak, sizes, rate, GC cycles, ages. Never here: output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from gotrace.analysis.spans import SPANS, occupancy
from gotrace.analysis.traces import analysis
from gotrace.dtypes import HEAP, I8, Rows
from gotrace.errors import check_choice
from gotrace.experiments.allocfree import UNRESOLVED, UNTYPED, TypeTable
from gotrace.heap.objects import NEVER, ObjectReplay
from gotrace.heap.rows import HEAP_CYCLE, HeapCounter, HeapLayout, ReplayCounter
from gotrace.heap.table import KINDS, SampleCounts, summarize
from gotrace.tables.allocs import LifetimeBuilder
from gotrace.tables.instants import GROUPS, Group, HeapBuilder, HeapQuery
from gotrace.tables.passes import ReadPass
from gotrace.trace import Trace
from gotrace.views import View, Viewed, cells
from gotrace.wire.segments import Segment

BINS = 128
"""Largest number of time steps; at least half as many are used unless the trace is shorter than 4 ms."""

_MIN_STEP = 1 << 15  # ns


@dataclass(repr=False)
class Stats(Viewed):
    """Statistics of the heap of a trace.

    Attributes
    ----------
    table, classes : ndarray of HEAP
        The heap at the end by type, or as requested, and by size class, most ``alloc_bytes`` first.
    by : str
        What a row of ``table`` groups.
    errors : ndarray of ESTIMATE or None
        With ``by="site"``, samples and errors of each row of ``table``, as in :class:`Heap`.
    samples : SampleCounts or None
        With ``by="site"``, counts of the CPU samples.
    totals : dict of str to int
        Sums over all objects: ``alloc_objects``, ``alloc_bytes``, the same for ``free``, ``start`` (the snapshot),
        ``inuse`` (at the end).
    peak : dict of str to int
        The first instant with the most bytes in use: ``objects``, ``bytes``, ``time`` (ns, -1 if there is none),
        ``cycle`` (mark phases started), and ``heap_spans`` to ``stack_bytes`` as in ``memory``.
    untyped : dict of str to int
        Bytes of objects of unknown type: ``alloc_bytes``, ``inuse_bytes``.
    cycles : ndarray of HEAP_CYCLE
        A row before the first mark phase, then one from each start of a mark phase to the next.
    ages : ndarray of int64, shape (64, 2)
        Objects and bytes freed by age in GC cycles, known ages only. The last row has all larger ages.
    step : int
        ns, length of a time step.
    rate : ndarray of int64
        Bytes allocated in each time step, from ``start`` on.
    spans : ndarray of SPANS
        Spans at the end.
    memory : dict
        Live spans and goroutine stacks at the end: numbers and bytes.
    start, end : int
        ns, the first and the last event of the trace; -1 if there is none.
    seen : bool
        True if the trace has alloc/free events.
    anomalies : dict
        Anomalies by name, with counts.
    """

    table: Rows = field(default_factory=lambda: np.empty(0, HEAP))
    classes: Rows = field(default_factory=lambda: np.empty(0, HEAP))
    by: str = "type"
    errors: Rows | None = None
    samples: SampleCounts | None = None
    totals: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    untyped: dict[str, int] = field(default_factory=dict)
    cycles: Rows = field(default_factory=lambda: np.empty(0, HEAP_CYCLE))
    ages: I8 = field(default_factory=lambda: np.zeros((HeapLayout.AGES, 2), np.int64))
    step: int = _MIN_STEP
    rate: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    spans: Rows = field(default_factory=lambda: np.empty(0, SPANS))
    memory: dict[str, int] = field(default_factory=dict)
    start: int = -1
    end: int = -1
    seen: bool = False
    anomalies: dict[str, int] = field(default_factory=dict)

    def view(self) -> View:
        """Return totals, and the groups that were allocated most."""
        inuse, alloc, peak = (
            *(self.totals.get(name, 0) for name in ("inuse_bytes", "alloc_bytes")),
            self.peak.get("bytes", 0),
        )
        columns = ("name", "alloc_objects", "alloc_bytes", "inuse_objects", "inuse_bytes")
        facts = f"{alloc:,} bytes allocated, {inuse:,} bytes in use at the end, {peak:,} at the peak"
        return View(facts, columns, cells(self.table, columns), len(self.table))


@analysis
def stats(trace: Trace, *, by: Group = "type", progress: Callable[[int], None] | None = None) -> Stats:
    """Return statistics of the heap of a trace.

    One pass. Memory is bounded by the live heap.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    by : {"type", "class", "package", "goroutine", "task", "region", "site"}
        What a row of the table groups, as for :meth:`gotrace.Trace.heap`.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Stats

    Raises
    ------
    TypeError, ValueError
        There is no such group.
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    check_choice("by", by, GROUPS)
    read_pass = trace.reader.new_pass()
    rate = _Rate()
    builder = _RateBuilder(read_pass, rate)
    groups = None if by in KINDS else HeapBuilder(read_pass, HeapQuery(by))
    fault = read_pass.run(builder, *([] if groups is None else [groups]), progress=progress)
    heap = builder.allocs.heap
    result = _result(rate.replay, read_pass.types)
    if groups is None:
        result.table = _most_allocated(summarize(rate.replay.counts(), read_pass.types, by))
    else:
        grouped = groups.heap()
        order = np.argsort(-grouped.table["alloc_bytes"], kind="stable")
        result.table, result.samples = grouped.table[order], grouped.samples
        result.errors = grouped.errors if grouped.errors is None else grouped.errors[order]
    result.by = by
    result.start, result.end = builder.allocs.start, heap.time
    result.step, result.rate = rate.step, rate.finish(result.end)
    result.seen = bool(heap.sizes[HeapCounter.EVENTS])
    result.anomalies = builder.anomaly_counts()
    if fault is not None:
        fault.partial = result
        raise fault
    return result


class _Rate:
    """Bytes allocated by time step; the step doubles when :data:`BINS` steps no longer reach."""

    def __init__(self) -> None:
        self.replay = ObjectReplay(detail=True, look=self._reach)
        self.start: int | None = None
        self.step = _MIN_STEP
        self._sums: list[int] = []  # bytes allocated up to the end of each step

    def open(self, start: int) -> None:
        """Start the first step at this time."""
        self.start = start
        self._set_ends(start)

    def _set_ends(self, start: int) -> None:
        ends = [min(start + self.step * i, NEVER) for i in range(1, BINS + 1)]
        self.replay.ends = np.array(ends, np.int64)

    def _reach(self, time: int) -> None:
        """Record the steps that end up to ``time``."""
        start = time if self.start is None else self.start
        while time >= start + self.step * BINS:
            self.step *= 2
            self._sums = self._sums[1::2]
            self._set_ends(start)
        self._sums += [self._allocated()] * ((time - start) // self.step - len(self._sums))

    def _allocated(self) -> int:
        return int(self.replay.tallies["counts"][:, 1].sum())

    def finish(self, end: int) -> I8:
        """Return the bytes of each step up to the one that contains ``end``."""
        if self.start is None:
            return np.empty(0, np.int64)
        self._reach(max(end, self.start))
        sums = np.array([0, *self._sums, self._allocated()], np.int64)
        return sums[1:] - sums[:-1]


class _RateBuilder(LifetimeBuilder):
    """Replays a trace and starts the rate at its start."""

    def __init__(self, read_pass: ReadPass, rate: _Rate) -> None:
        super().__init__(read_pass, 1, rate.replay)
        self._rate = rate

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay the events of a segment."""
        if self._rate.start is None:
            self._rate.open(segment.start)
        yield from super().feed(segment)


def _result(replay: ObjectReplay, types: TypeTable) -> Stats:
    counts, peak, counters = replay.counts(), replay.counts(peak=True), replay.life
    classes = _most_allocated(summarize(counts, types, "class"))
    untyped = summarize(counts[np.isin(counts["type"], (UNTYPED, UNRESOLVED))], types, "class")
    has_peak = bool(counters[ReplayCounter.PEAK_BYTES])
    return Stats(
        classes=classes,
        totals={name: int(classes[name].sum()) for name in classes.dtype.names or () if name != "name"},
        peak={
            "objects": int((peak["start_objects"] + peak["alloc_objects"] - peak["free_objects"]).sum()),
            "bytes": int(counters[ReplayCounter.PEAK_BYTES]),
            "time": int(counters[ReplayCounter.PEAK_TIME]) if has_peak else -1,
            "cycle": int(counters[ReplayCounter.PEAK_CYCLE]),
            **replay.memory(peak=True),
        },
        untyped={name: int(untyped[name].sum()) for name in ("alloc_bytes", "inuse_bytes")},
        cycles=replay.cycles(),
        ages=replay.deaths_by_age(),
        spans=occupancy(replay),
        memory=replay.memory(),
    )


def _most_allocated(table: Rows) -> Rows:
    return table[np.argsort(-table["alloc_bytes"], kind="stable")]
