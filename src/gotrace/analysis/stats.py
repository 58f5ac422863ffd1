"""A trace's heap in numbers: totals, peak, sizes, rate, GC cycles, ages. One pass. Never here: output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from gotrace.analysis.spans import SPANS, occupancy
from gotrace.dtypes import HEAP, I8, Rows
from gotrace.experiments.allocfree import UNRESOLVED, UNTYPED, TypeTable
from gotrace.heap.objects import ObjectReplay
from gotrace.heap.rows import CYCLE, HeapCounter, HeapLayout, ReplayCounter
from gotrace.heap.table import summarize
from gotrace.tables.allocs import LifetimeBuilder
from gotrace.tables.passes import ReadPass
from gotrace.trace import Trace
from gotrace.wire.segments import Segment

BINS = 128
"""Stretches of time at most; at least half as many, unless the trace is shorter than 4 ms."""

_SHORTEST = 1 << 15  # ns, a stretch


@dataclass
class Stats:
    """What a trace says of its heap, in numbers.

    Attributes
    ----------
    table, classes : ndarray of HEAP
        The heap at the end by type and by size class, most ``alloc_bytes`` first.
    totals : dict of str to int
        Sums over all types: ``alloc_objects``, ``alloc_bytes``, the same for ``free``, ``start`` (the snapshot),
        ``inuse`` (at the end).
    peak : dict of str to int
        Where most bytes were in use for the first time: ``objects``, ``bytes``, ``time`` (ns, -1 never), ``cycle``
        (mark phases that had begun), and ``heap_spans`` to ``stack_bytes`` as in ``memory``.
    untyped : dict of str to int
        Bytes of objects whose type is not known: ``alloc_bytes``, ``inuse_bytes``.
    cycles : ndarray of CYCLE
        Before the first mark phase began, then from each begin to the next.
    ages : ndarray of int64, shape (64, 2)
        Objects and bytes that died by age in GC cycles; none of unknown age. The last row has all above.
    step : int
        ns, length of a stretch of time.
    rate : ndarray of int64
        Bytes allocated in each, from ``start`` on.
    spans : ndarray of SPANS
        Spans at the end.
    memory : dict
        Live spans and goroutine stacks at the end: numbers and bytes.
    start, end : int
        ns, the trace's first and last event; -1 when there is none.
    seen : bool
        Whether there was any alloc/free event.
    anomalies : dict
        What was odd on the way, with counts.
    """

    table: Rows = field(default_factory=lambda: np.empty(0, HEAP))
    classes: Rows = field(default_factory=lambda: np.empty(0, HEAP))
    totals: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    untyped: dict[str, int] = field(default_factory=dict)
    cycles: Rows = field(default_factory=lambda: np.empty(0, CYCLE))
    ages: I8 = field(default_factory=lambda: np.zeros((HeapLayout.AGES, 2), np.int64))
    step: int = _SHORTEST
    rate: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    spans: Rows = field(default_factory=lambda: np.empty(0, SPANS))
    memory: dict[str, int] = field(default_factory=dict)
    start: int = -1
    end: int = -1
    seen: bool = False
    anomalies: dict[str, int] = field(default_factory=dict)


def stats(trace: Trace, progress: Callable[[int], None] | None = None) -> Stats:
    """Say what a trace's heap comes to.

    One pass, in memory for the live heap.

    Parameters
    ----------
    trace : Trace

    Returns
    -------
    Stats

    Raises
    ------
    TraceError
        The trace is damaged; ``partial`` of the error holds what came before the fault.
    """
    read_pass = trace.reader.new_pass()
    rate = _Rate()
    builder = _RateBuilder(read_pass, rate)
    fault = read_pass.run(builder, progress=progress)
    heap = builder.allocs.heap
    found = _concluded(rate.lives, read_pass.types)
    found.start, found.end = rate.start, heap.time
    found.step, found.rate = rate.step, rate.finish(found.end)
    found.seen = bool(heap.sizes[HeapCounter.EVENTS])
    found.anomalies = builder.anomaly_counts()
    if fault is not None:
        fault.partial = found
        raise fault
    return found


class _Rate:
    """Bytes allocated in stretches of time, which become twice as long when they no longer reach."""

    def __init__(self) -> None:
        self.lives = ObjectReplay(detail=True, look=self._look)
        self.start = -1
        self.step = _SHORTEST
        self._sums: list[int] = []  # allocated up to the end of each stretch

    def begin(self, start: int) -> None:
        """Count from this time on."""
        self.start = start
        self._cut()

    def _cut(self) -> None:
        self.lives.ends = self.start + self.step * np.arange(1, BINS + 1)

    def _look(self, time: int) -> None:
        while time >= self.start + self.step * BINS:
            self.step *= 2
            self._sums = self._sums[1::2]
            self._cut()
        self._sums += [self._allocated()] * ((time - self.start) // self.step - len(self._sums))

    def _allocated(self) -> int:
        return int(self.lives.tallies["counts"][:, 1].sum())

    def finish(self, end: int) -> I8:
        """Bytes in each stretch up to the one that holds ``end``."""
        if self.start < 0:
            return np.empty(0, np.int64)
        self._look(max(end, self.start))
        sums = np.array([0, *self._sums, self._allocated()], np.int64)
        return sums[1:] - sums[:-1]


class _RateBuilder(LifetimeBuilder):
    """Replays a trace, counted from its start."""

    def __init__(self, read_pass: ReadPass, rate: _Rate) -> None:
        super().__init__(read_pass, 1, rate.lives)
        self._rate = rate

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay a segment's events."""
        if self._rate.start < 0:
            self._rate.begin(segment.start)
        yield from super().feed(segment)


def _concluded(lives: ObjectReplay, types: TypeTable) -> Stats:
    counts, peak, life = lives.counts(), lives.counts(peak=True), lives.life
    table, classes = (_most_allocated(summarize(counts, types, by)) for by in ("type", "class"))
    untyped = summarize(counts[np.isin(counts["type"], (UNTYPED, UNRESOLVED))], types, "class")
    there = bool(life[ReplayCounter.PEAK_BYTES])
    return Stats(
        table,
        classes,
        totals={name: int(table[name].sum()) for name in table.dtype.names or () if name != "name"},
        peak={
            "objects": int((peak["start_objects"] + peak["alloc_objects"] - peak["free_objects"]).sum()),
            "bytes": int(life[ReplayCounter.PEAK_BYTES]),
            "time": int(life[ReplayCounter.PEAK_TIME]) if there else -1,
            "cycle": int(life[ReplayCounter.PEAK_CYCLE]),
            **lives.memory(peak=True),
        },
        untyped={name: int(untyped[name].sum()) for name in ("alloc_bytes", "inuse_bytes")},
        cycles=lives.cycles(),
        ages=lives.deaths_by_age(),
        spans=occupancy(lives, types)[0],
        memory=lives.memory(),
    )


def _most_allocated(table: Rows) -> Rows:
    return table[np.argsort(-table["alloc_bytes"], kind="stable")]
