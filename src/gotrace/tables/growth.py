"""The heaps of a trace at two instants, in one pass and with the same names of groups.

Never here: comparison of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from gotrace.dtypes import Rows
from gotrace.heap.objects import NEVER
from gotrace.heap.table import Heap
from gotrace.tables.instants import Group, HeapBuilder, HeapQuery, Instant, QueryError, end_of
from gotrace.tables.passes import Progress, ReadPass, TraceReader
from gotrace.wire.segments import Segment

_State = tuple[Rows, int, dict[str, int], int]


class HeapPair(NamedTuple):
    """The heaps of a trace at two instants."""

    before: Heap
    after: Heap

    @property
    def seen(self) -> bool:
        """True if the trace has alloc/free events."""
        return self.after.seen


class _PairBuilder(HeapBuilder):
    """Replays the heap up to the second instant, and keeps its counts at the first one."""

    def __init__(self, read_pass: ReadPass, first: HeapQuery, last: HeapQuery) -> None:
        super().__init__(read_pass, last)
        self._first = first
        self.lives.look = self._keep
        self._kept: _State | None = None

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay a segment's events."""
        if self._first.time is not None:
            self._set_end(end_of(segment.start if self.start < 0 else self.start, self._first.time))
        yield from super().feed(segment)

    def _enter(self, segment: Segment) -> None:
        super()._enter(segment)
        if self._first.cycle is not None:
            self._set_end(self.lives.begin_of(self._first.cycle))

    def _set_end(self, time: int) -> None:
        if time != NEVER and not len(self.lives.ends):
            self.lives.ends = np.array([time], np.int64)

    def _keep(self, time: int) -> None:
        """Keep the state at the first instant, before the event at ``time``."""
        counts, _, memory, cycles = self.state()
        self._kept = counts, int(self.lives.ends[0]) - (self._first.time is not None), memory, cycles

    def pair(self) -> HeapPair:
        """Return both heaps.

        Raises
        ------
        QueryError
            The trace has fewer mark phases than an instant's number, or the second instant is before the first.
        """
        after = self.heap()
        counts, time, memory, cycles = self._state(after)
        if after.seen and time > after.time:
            raise QueryError(f"{after.at} is before {self._first.at}")
        final = self.lives.counts()
        known = np.zeros(len(final), final.dtype)
        known[: len(counts)] = counts
        for name in ("type", "spanclass", "start_objects", "start_bytes"):
            known[name] = final[name]  # a snapshot is of the start, wherever it is in the trace
        return HeapPair(self.heap_of(self._first, known, time, memory, cycles), after)

    def _state(self, after: Heap) -> _State:
        """Return the state at the first instant, after the replay."""
        first, lives = self._first, self.lives
        if first.at == "start":
            return lives.counts()[:0], self.start, {}, 0
        if first.at == "peak":
            return self.state(peak=True)
        if self._kept is not None:
            return self._kept
        if first.cycle is not None and first.at != after.at and first.cycle > after.cycles:
            if after.at in ("peak", "end"):
                self.refuse(first)
            raise QueryError(f"{after.at} is before {first.at}")
        counts, time, memory, cycles = self.state(peak=after.at == "peak")
        return counts, time if first.time is None else self.start + first.time, memory, cycles


def heaps_at(
    reader: TraceReader, by: Group, first: Instant, last: Instant, progress: Progress | None = None
) -> HeapPair:
    """Replay a trace and return its heaps at two instants.

    Parameters
    ----------
    reader : TraceReader
    by : str
    first, last : str, float or timedelta
        Group and instants, as in :class:`HeapQuery`. ``"peak"`` as the first one is the peak up to the second.
    progress : callable, optional
        Called with the number of bytes read so far.

    Raises
    ------
    QueryError
        A query is invalid, the trace cannot answer it, or the second instant is before the first.
    TraceError
        The trace is damaged; the error's ``partial`` has the heap up to the fault in place of the last one.
    """
    before, after = HeapQuery(by, first), HeapQuery(by, last)
    if before.at == "end" != after.at:
        raise QueryError(f"{after.at} is before end")
    builder = _PairBuilder(reader.new_pass(), before, after)
    fault = builder.read_pass.run(builder, progress=progress)
    if fault is None:
        builder.check_time()
        return builder.pair()
    with suppress(QueryError):  # an instant may come after the fault
        fault.partial = builder.pair()
    raise fault
