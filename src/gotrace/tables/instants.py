"""The heap at an instant, by any group, of any age: what may be asked, and the replay that answers.

Never here: reading of events, or how a query is spelled on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from gotrace.dtypes import HEAP, Rows
from gotrace.errors import TraceError
from gotrace.experiments.allocfree import TypeTable
from gotrace.heap.counts import CountReplay
from gotrace.heap.objects import NEVER, Ages, ObjectReplay
from gotrace.heap.rows import HeapCounter, ReplayCounter
from gotrace.heap.table import KINDS, Heap, add_up, group_keys, summarize
from gotrace.tables.allocs import AllocBuilder, LifetimeBuilder
from gotrace.tables.owners import OWNERS, AllocationLabels
from gotrace.tables.passes import Progress, ReadPass, TraceReader
from gotrace.tables.sites import SiteLabels
from gotrace.units import nanoseconds
from gotrace.wire.segments import Segment

GROUPS = (*KINDS, *OWNERS, "site")
"""What a line of a heap can stand for."""

_INSTANTS = "start, peak, end, a time such as 12.5s, or gc:17"
_COUNTERS = [f"{what}_{unit}" for what in ("alloc", "free", "start") for unit in ("objects", "bytes")]


class QueryError(ValueError):
    """There is no answer to what was asked, whatever the trace holds or because of what it lacks."""


@dataclass(frozen=True)
class HeapQuery:
    """What of the heap is asked.

    Raises
    ------
    QueryError
        There is no such group, instant or age.

    Attributes
    ----------
    by : str
        One of :data:`GROUPS`.
    at : str
        ``"start"`` (the snapshot), ``"peak"`` (the first instant of most bytes in use), ``"end"``;
        ``"12.5s"``, just after what happened up to that time from the trace's start;
        ``"gc:17"``, as the trace's 17th mark phase begins.
    min_age, max_age : int, optional
        Ages in GC cycles, both included: mark phases that began while an object lived.
    """

    by: str = "type"
    at: str = "end"
    min_age: int | None = None
    max_age: int | None = None

    def __post_init__(self) -> None:
        if self.by not in GROUPS:
            raise QueryError(f"by={self.by!r}: {', '.join(GROUPS)}")
        for name, age in (("min_age", self.min_age), ("max_age", self.max_age)):
            if age is not None and age < 0:
                raise QueryError(f"{name}={age}: at least 0")
        if self.cycle is None and self.time is None and self.at not in ("start", "peak", "end"):
            raise QueryError(f"at={self.at!r}: {_INSTANTS}")

    @property
    def time(self) -> int | None:
        """The instant in ns from the trace's start, if it is given so."""
        try:
            return nanoseconds(self.at)
        except ValueError:
            return None

    @property
    def cycle(self) -> int | None:
        """Number of the mark phase, if the instant is given so; the trace's first one is 1."""
        word, _, number = self.at.partition(":")
        return int(number) if word == "gc" and number.isdecimal() and 0 < int(number) < NEVER else None

    @property
    def aged(self) -> bool:
        """Whether ages matter."""
        return self.min_age is not None or self.max_age is not None

    @property
    def simple(self) -> bool:
        """Whether counts by type and size class at the end are all that is needed."""
        return self.by in KINDS and self.at == "end" and not self.aged

    @property
    def twice(self) -> bool:
        """Whether the trace must be read twice: ages at the peak are known when the peak is."""
        return self.at == "peak" and self.aged


class HeapBuilder(LifetimeBuilder):
    """Replays the heap up to an instant; no rows.

    Parameters
    ----------
    rows : int
        Rows of ALLOC to replay at most: where the peak is, known from a first pass.
    """

    def __init__(self, read_pass: ReadPass, query: HeapQuery, rows: int = NEVER) -> None:
        self._query = query
        self.read_pass = read_pass
        self._owners: AllocationLabels | SiteLabels | None = None
        if query.by == "site":
            self._owners = SiteLabels(read_pass)
        elif query.by in OWNERS:
            self._owners = OWNERS[query.by](read_pass)
        oldest = NEVER if query.max_age is None else query.max_age
        ages = Ages(min(query.min_age or 0, NEVER), min(oldest, NEVER))
        stop = 0 if query.at == "start" else NEVER  # the snapshot is replayed nevertheless
        super().__init__(read_pass, 1, ObjectReplay(ages=ages, stop=stop, cycle=query.cycle or NEVER, rows=rows))
        self.start = -1

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay a segment's events."""
        if self.start < 0:
            self.start = segment.start
            if self._query.time is not None:
                self.lives.stop = min(self.start + self._query.time + 1, NEVER)
        if self._owners is not None:
            self._owners.learn(segment)
        yield from super().feed(segment)

    def take(self, rows: Rows) -> Iterator[Rows]:
        """Replay rows of ALLOC."""
        yield from self.lives.follow(rows, self._owners.labels(rows) if self._owners else np.empty(0, np.int64))

    @property
    def done(self) -> bool:
        """Whether what comes next does not matter."""
        return self.lives.stopped

    def heap(self) -> Heap:
        """Say what the replay came to.

        Raises
        ------
        QueryError
            There are not so many mark phases.
        """
        query, lives, life = self._query, self.lives, self.lives.life
        lives.finish()
        if query.cycle is not None and lives.stop == NEVER:
            raise QueryError(f"at={query.at!r}: only {int(life[ReplayCounter.CYCLE])} mark phases begin in this trace")
        peak = query.at == "peak"
        table, errors, unaged = self._table(peak)
        return Heap(
            table,
            self._time(),
            query.by,
            start=self.start,
            seen=bool(self.allocs.heap.sizes[HeapCounter.EVENTS]),
            memory=lives.memory(peak=peak),
            anomalies=self.anomaly_counts(),
            at=query.at,
            ages=(query.min_age, query.max_age),
            unaged=unaged,
            errors=errors,
            samples=self._owners.counts if isinstance(self._owners, SiteLabels) else None,
        )

    def _time(self) -> int:
        query, lives = self._query, self.lives
        if query.at == "start" or self.start < 0:
            return self.start
        if query.at == "peak":
            return int(lives.life[ReplayCounter.PEAK_TIME]) if lives.life[ReplayCounter.PEAK_BYTES] else self.start
        if lives.stop != NEVER:
            return lives.stop - (query.time is not None)
        return self.allocs.heap.time

    def _table(self, peak: bool) -> tuple[Rows, Rows | None, dict[str, int]]:
        """Rows of HEAP, of ESTIMATE if they are estimated, and what has no known age."""
        query, lives = self._query, self.lives
        counts = lives.counts(peak=peak)
        parts = np.zeros(len(counts), HEAP)
        for name in _COUNTERS:
            parts[name] = counts[name]
        for unit in ("objects", "bytes"):
            parts[f"inuse_{unit}"] = parts[f"start_{unit}"] + parts[f"alloc_{unit}"] - parts[f"free_{unit}"]
        of_any_age = parts.copy()
        unaged: dict[str, int] = {}
        if query.aged:
            living, unknown = lives.of_age()
            for i, unit in enumerate(("objects", "bytes")):
                at_start = int(parts[f"start_{unit}"].sum())
                unaged[f"inuse_{unit}"] = int(unknown[i])
                unaged[f"free_{unit}"] = at_start - unaged[f"inuse_{unit}"]
                parts[f"inuse_{unit}"] = living[:, i]
                parts[f"free_{unit}"] = lives.tallies["aged"][:, i]
        there = (parts["alloc_objects"] > 0) | (parts["start_objects"] > 0)
        parts, tallies = parts[there], lives.tallies[there]
        if isinstance(self._owners, SiteLabels):
            return *self._owners.estimate(parts, of_any_age[there], tallies["label"]), unaged
        if self._owners is None:
            return add_up(parts, *group_keys(tallies, self.read_pass.types, query.by)), None, unaged
        labels = [self._owners.name(label) for label in tallies["label"].tolist()]
        names = sorted(set(labels))
        row = {name: i for i, name in enumerate(names)}
        return add_up(parts, names, np.array([row[name] for name in labels], np.int64)), None, unaged


def heap_at(reader: TraceReader, query: HeapQuery, progress: Progress | None = None) -> Heap:
    """Replay a trace and say what is on the heap.

    Raises
    ------
    QueryError
        The trace cannot answer the query.
    TraceError
        The trace is damaged; ``partial`` of the error holds the heap up to the fault.
    """
    if query.simple:
        return _heap_at_end(reader, query.by, progress)
    rows = NEVER
    if query.twice:
        if reader.source.once:
            raise QueryError("ages at the peak need two passes, which a stream cannot: save it to a file first")
        rows = _rows_to_peak(reader, progress)
    builder = HeapBuilder(reader.new_pass(), query, rows)
    return replay(builder, progress)


def _rows_to_peak(reader: TraceReader, progress: Progress | None) -> int:
    peak = HeapBuilder(reader.new_pass(), HeapQuery(at="peak"))
    fault = peak.read_pass.run(peak, progress=progress)
    if fault is not None:
        raise fault  # without a heap up to it: ages would need the second pass
    return int(peak.lives.life[ReplayCounter.PEAK_ROWS])


def replay(builder: HeapBuilder, progress: Progress | None = None) -> Heap:
    """Run a builder's pass, and say what the replay came to; raises as :func:`heap_at`."""
    fault = builder.read_pass.run(builder, progress=progress)
    if fault is None:
        return builder.heap()
    with suppress(QueryError):  # the mark phase that was asked for may come after the fault
        fault.partial = builder.heap()
    raise fault


def replay_counts(
    reader: TraceReader, progress: Progress | None = None
) -> tuple[CountReplay, TypeTable, int, TraceError | None]:
    """Replay a trace up to its end or its first fault, counting objects by type and size class.

    Returns
    -------
    replay : CountReplay
    types : TypeTable
    start : int
        ns, the trace's first event; -1 when there is none.
    fault : TraceError or None
    """
    read_pass = reader.new_pass()
    builder = AllocBuilder(read_pass, 1, whats=(), replay=True)
    fault = read_pass.run(builder, progress=progress)
    return builder.heap, read_pass.types, builder.start, fault


def _heap_at_end(reader: TraceReader, by: str, progress: Progress | None) -> Heap:
    counts, types, start, fault = replay_counts(reader, progress)
    heap = Heap(
        summarize(counts.used_counts(), types, by),
        counts.time,
        by,
        start=start,
        seen=bool(counts.sizes[HeapCounter.EVENTS]),
        memory=counts.memory(),
        anomalies=counts.anomaly_counts(),
    )
    if fault is not None:
        fault.partial = heap
        raise fault
    return heap
