"""The heap at an instant: a query of instant, group and ages comes in, a Heap goes out.

Never here: decoding of events, or command-line syntax.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from numbers import Real
from typing import Any, Literal, NoReturn, TypeAlias, get_args

import numpy as np

from gotrace.dtypes import HEAP, I8, Rows
from gotrace.errors import TraceError, check_choice, suggestion
from gotrace.experiments.allocfree import TypeTable
from gotrace.heap.counts import CountReplay
from gotrace.heap.objects import NEVER, Ages, ObjectReplay
from gotrace.heap.rows import HeapCounter, ReplayCounter
from gotrace.heap.table import KINDS, Heap, add_up, group_keys, summarize
from gotrace.tables.allocs import AllocBuilder, LifetimeBuilder
from gotrace.tables.owners import OWNERS, AllocationLabels
from gotrace.tables.passes import Progress, ReadPass, TraceReader
from gotrace.tables.sites import SiteLabels
from gotrace.units import human_count, human_time, nanoseconds
from gotrace.wire.segments import Segment

Group = Literal["type", "class", "package", "goroutine", "task", "region", "site"]
"""What a row of the heap sums up."""

GROUPS: tuple[str, ...] = get_args(Group)

ExactGroup = Literal["type", "class", "package", "goroutine", "task", "region"]
"""A group to which each object belongs for certain: all but sites."""

EXACT_GROUPS: tuple[str, ...] = get_args(ExactGroup)

Instant: TypeAlias = "str | float | np.floating[Any] | timedelta | np.timedelta64[Any]"
"""An instant of a trace: a text as in :class:`HeapQuery`, or the time since the start, of which numbers are seconds."""

_INSTANTS = "start, peak, end, a time such as 12.5s, or gc:17"
_COUNTERS = [f"{what}_{unit}" for what in ("alloc", "free", "start") for unit in ("objects", "bytes")]


class QueryError(ValueError):
    """A query that is invalid, or that this trace cannot answer."""


def _instant(at: object, name: str = "at") -> str:
    """Return an instant as text; ``name`` is for errors."""
    if isinstance(at, str):
        return at
    at = getattr(at, "to_timedelta64", lambda: at)()  # of pandas, whose durations have ns
    if isinstance(at, timedelta):
        at = np.timedelta64(at)
    if isinstance(at, np.timedelta64):
        return "NaT" if np.isnat(at) else _seconds(int(at.astype("m8[ns]").astype(np.int64)))
    if isinstance(at, bool | np.bool_) or not isinstance(at, Real):
        kinds = f"{_INSTANTS}, " if name == "at" else "a text such as '1.5s', "
        raise TypeError(f"{name}={at!r}: must be {kinds}a number of seconds, or a timedelta")
    seconds = float(at)
    return _seconds(round(seconds * 1e9)) if math.isfinite(seconds) else f"{seconds}s"


def since_start(time: Instant, name: str) -> int:
    """Return a time since the start in ns; ``name`` is for errors.

    Raises
    ------
    TypeError, QueryError
        This is not a time.
    """
    try:
        return nanoseconds(_instant(time, name))
    except ValueError:
        raise QueryError(f"{name}={time!r} is not a time since the start, such as '1.5s'") from None


def _seconds(ns: int) -> str:
    whole, rest = divmod(abs(ns), 10**9)
    return f"{'-' if ns < 0 else ''}{whole}.{rest:09d}".rstrip("0").rstrip(".") + "s"


def _suggestion(at: str) -> str:
    """Return a question that names an instant similar to a text that is none."""
    number = re.search(r"\d+(\.\d+)?", at)
    similar = [f"{number[0]}s", f"gc:{max(int(float(number[0])), 1)}"] if number else []
    return suggestion(at, ["start", "peak", "end", *similar])


@dataclass(frozen=True)
class HeapQuery:
    """A query of the heap.

    Attributes
    ----------
    by : str
        One of :data:`GROUPS`.
    at : str
        ``"start"`` (the snapshot), ``"peak"`` (the first instant of most bytes in use) or ``"end"``;
        ``"12.5s"``, after all events up to that time from the trace's start, which may be given as any
        :data:`Instant`;
        ``"gc:17"``, at the start of the trace's 17th mark phase.
    min_age, max_age : int, optional
        Inclusive bounds of an object's age: the number of mark phases that began while it lived.

    Raises
    ------
    QueryError
        The instant or an age is invalid.
    TypeError, ValueError
        An argument is of a wrong type, or there is no such group.
    """

    by: Group = "type"
    at: Instant = "end"
    min_age: int | None = None
    max_age: int | None = None

    def __post_init__(self) -> None:
        check_choice("by", self.by, GROUPS)
        for name, age in (("min_age", self.min_age), ("max_age", self.max_age)):
            if age is not None and not hasattr(age, "__index__"):
                raise TypeError(f"{name}={age!r}: must be a number of GC cycles")
            if age is not None and age < 0:
                raise QueryError(f"{name}={age}: must be at least 0")
        if self.min_age is not None and self.max_age is not None and self.min_age > self.max_age:
            raise QueryError(f"ages from {self.min_age} to {self.max_age}: the minimum is above the maximum")
        object.__setattr__(self, "at", _instant(self.at))
        if self.cycle is None and self.time is None and self.at not in ("start", "peak", "end"):
            raise QueryError(f"instant {self.at!r}: expected {_INSTANTS}{_suggestion(str(self.at))}")

    @property
    def time(self) -> int | None:
        """The instant in ns from the trace's start, if it is given as a time."""
        try:
            return nanoseconds(str(self.at))
        except ValueError:
            return None

    @property
    def cycle(self) -> int | None:
        """Number of the mark phase, from 1, if the instant is given as ``gc:N``."""
        word, _, number = str(self.at).partition(":")
        return int(number) if word == "gc" and number.isdecimal() and 0 < int(number) < NEVER else None

    @property
    def aged(self) -> bool:
        """True if there is a bound of ages."""
        return self.min_age is not None or self.max_age is not None

    @property
    def simple(self) -> bool:
        """True if counts by type and size class at the end suffice."""
        return self.by in KINDS and self.at == "end" and not self.aged

    @property
    def twice(self) -> bool:
        """True if two passes are needed: ages at the peak can be counted only once the peak is known."""
        return self.at == "peak" and self.aged


class HeapBuilder(LifetimeBuilder):
    """Builder without rows that replays the heap up to an instant.

    Parameters
    ----------
    read_pass : ReadPass
    query : HeapQuery
    rows : int
        Maximum number of rows of ALLOC to replay: those up to the peak, found by a first pass.
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
        stop = 0 if query.at == "start" else NEVER  # the snapshot is replayed in either case
        lives = ObjectReplay(ages=ages, stop=stop, cycle=query.cycle or NEVER, rows=rows)
        super().__init__(read_pass, 1, lives, self._owners)
        self.start = -1
        self._end = -1  # latest time of an event, if the query has a time

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay a segment's events."""
        if self.start < 0:
            self.start = segment.start
            if self._query.time is not None:
                self.lives.stop = end_of(self.start, self._query.time)
        if self._query.time is not None:
            self._end = max(self._end, int(segment.count(segment.by_thread())[1].max(initial=-1)))
        yield from super().feed(segment)

    @property
    def done(self) -> bool:
        """True if the instant is reached, so that later segments are not needed."""
        return self.lives.stopped

    def check_time(self) -> None:
        """Check that the time of the query is in the trace, which was read up to it.

        Raises
        ------
        QueryError
            It is after the end.
        """
        time, length = self._query.time, max(self._end - self.start, 0)
        if time is not None and time > length:
            raise QueryError(f"instant {self._query.at!r}: the trace ends {human_time(length)} after its start")

    def heap(self) -> Heap:
        """Return the replayed heap.

        Raises
        ------
        QueryError
            The trace has fewer mark phases than the query's number.
        """
        query, lives = self._query, self.lives
        lives.finish()
        if query.cycle is not None and lives.stop == NEVER:
            self.refuse(query)
        return self.heap_of(query, *self.state(peak=query.at == "peak"))

    def refuse(self, query: HeapQuery) -> NoReturn:
        """Raise an error: the query's mark phase does not start in the part of the trace that was replayed."""
        cycles = int(self.lives.life[ReplayCounter.CYCLE])
        raise QueryError(f"instant {query.at!r}: {human_count(cycles, 'mark phase')} started in the trace")

    def state(self, *, peak: bool = False) -> tuple[Rows, int, dict[str, int], int]:
        """Return rows of COUNTS by group, time, live memory and mark phases started, at the end or at the peak."""
        lives = self.lives
        cycles = lives.life[ReplayCounter.PEAK_CYCLE if peak else ReplayCounter.CYCLE]
        return lives.counts(peak=peak), self._time(peak), lives.memory(peak=peak), int(cycles)

    def heap_of(self, query: HeapQuery, counts: Rows, time: int, memory: dict[str, int], cycles: int) -> Heap:
        """Return the heap of rows of COUNTS, one for each group of the replay."""
        table, errors, unaged = self._table(counts)
        return Heap(
            table,
            time,
            query.by,
            start=self.start,
            seen=bool(self.allocs.heap.sizes[HeapCounter.EVENTS]),
            memory=memory,
            anomalies=self.anomaly_counts(),
            at=str(query.at),
            ages=(query.min_age, query.max_age),
            unaged=unaged,
            errors=errors,
            samples=self._owners.counts if isinstance(self._owners, SiteLabels) else None,
            cycles=cycles,
        )

    def _time(self, peak: bool) -> int:
        query, lives = self._query, self.lives
        if query.at == "start" or self.start < 0:
            return self.start
        if peak:
            return int(lives.life[ReplayCounter.PEAK_TIME]) if lives.life[ReplayCounter.PEAK_BYTES] else self.start
        if lives.stop != NEVER:
            return lives.stop - (query.time is not None)
        return self.allocs.heap.time

    def _table(self, counts: Rows) -> tuple[Rows, Rows | None, dict[str, int]]:
        """Return rows of HEAP, their rows of ESTIMATE if they are estimated, and the counts of unknown age."""
        query, lives = self._query, self.lives
        cells = np.zeros(len(counts), HEAP)
        for name in _COUNTERS:
            cells[name] = counts[name]
        for unit in ("objects", "bytes"):
            cells[f"inuse_{unit}"] = cells[f"start_{unit}"] + cells[f"alloc_{unit}"] - cells[f"free_{unit}"]
        of_any_age = cells.copy()
        unaged: dict[str, int] = {}
        if query.aged:
            living, unknown = lives.of_age()
            for i, unit in enumerate(("objects", "bytes")):
                at_start = int(cells[f"start_{unit}"].sum())
                unaged[f"inuse_{unit}"] = int(unknown[i])
                unaged[f"free_{unit}"] = at_start - unaged[f"inuse_{unit}"]
                cells[f"inuse_{unit}"] = living[:, i]
                cells[f"free_{unit}"] = lives.tallies["aged"][:, i]
        used = (cells["alloc_objects"] > 0) | (cells["start_objects"] > 0)
        cells, tallies = cells[used], lives.tallies[used]
        if isinstance(self._owners, SiteLabels):
            return *self._owners.estimate(cells, of_any_age[used], tallies["label"]), unaged
        return add_up(cells, *self.groups(tallies)), None, unaged

    def groups(self, tallies: Rows) -> tuple[list[str], I8]:
        """Return the names of exact groups, and the group of each row of TALLY."""
        if isinstance(self._owners, AllocationLabels):
            return self._owners.groups(tallies["label"])
        return group_keys(tallies, self.read_pass.types, self._query.by)


def end_of(start: int, time: int) -> int:
    """Return the first ns after ``time`` ns from the start of a trace."""
    return min(start + time + 1, NEVER)


def heap_at(reader: TraceReader, query: HeapQuery, progress: Progress | None = None) -> Heap:
    """Replay a trace and return the heap that a query asks for.

    Raises
    ------
    QueryError
        The trace cannot answer the query.
    TraceError
        The trace is damaged; the error's ``partial`` is the heap up to the fault.
    """
    if query.simple:
        return _heap_at_end(reader, query.by, progress)
    rows = NEVER
    if query.twice:
        if reader.source.once:
            raise QueryError("ages at the peak need two passes, but a stream allows only one: save it to a file first")
        rows = _rows_to_peak(reader, progress)
    builder = HeapBuilder(reader.new_pass(), query, rows)
    return replay(builder, progress)


def _rows_to_peak(reader: TraceReader, progress: Progress | None) -> int:
    peak = HeapBuilder(reader.new_pass(), HeapQuery(at="peak"))
    fault = peak.read_pass.run(peak, progress=progress)
    if fault is not None:
        raise fault  # without a partial heap: its ages would need the second pass
    return int(peak.lives.life[ReplayCounter.PEAK_ROWS])


def replay(builder: HeapBuilder, progress: Progress | None = None) -> Heap:
    """Run a builder's pass and return the replayed heap; raises like :func:`heap_at`."""
    fault = builder.read_pass.run(builder, progress=progress)
    if fault is None:
        builder.check_time()
        return builder.heap()
    with suppress(QueryError):  # the query's mark phase may come after the fault
        fault.partial = builder.heap()
    raise fault


def replay_counts(
    reader: TraceReader, progress: Progress | None = None
) -> tuple[CountReplay, TypeTable, int, TraceError | None]:
    """Replay a trace to its end or its first fault, counting objects by type and size class.

    Returns
    -------
    replay : CountReplay
    types : TypeTable
    start : int
        Time of the trace's first event in ns; -1 if there is none.
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
