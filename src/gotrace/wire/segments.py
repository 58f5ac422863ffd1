"""Segments: slabs with their tables, and the events of a segment by thread.

Never here: rows of a user's table, the order of events, experiments, or threads of this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import Rows
from gotrace.errors import TraceError, new_fault
from gotrace.spec.lookup import TimedEvents
from gotrace.spec.versions import Version
from gotrace.wire import _scan, clock
from gotrace.wire._cursor import EventBatches
from gotrace.wire.losses import Losses
from gotrace.wire.rows import GENERATION_ROW, PICKED
from gotrace.wire.slabs import Slab, ThreadBatches, group_by_thread, read_slabs
from gotrace.wire.source import Source
from gotrace.wire.structure import Tables, min_times, read_tables

_MAX_REPORTED = 64  # damaged batches of a segment that are reported one by one


class Segment:
    """A slab with its tables: what builders are fed.

    Attributes
    ----------
    slab : Slab
    tables : Tables
    losses : Losses or None
        Where to note what is lost; None unless the trace is salvaged.
    torn : bool
        Something before it was lost.
    notes : list of str
        Warnings, to report when its turn comes.
    derived : dict
        What layers above keep for as long as the segment lives.
    """

    def __init__(
        self, slab: Slab, tables: Tables, events: TimedEvents, losses: Losses | None = None, *, torn: bool = False
    ) -> None:
        self.slab = slab
        self.tables = tables
        self.losses = losses
        self.torn = torn
        self.notes: list[str] = []
        self.derived: dict[str, Any] = {}
        self._events = events
        self._runs: ThreadBatches | None = None
        self._batches: EventBatches | None = None

    @property
    def start(self) -> int:
        """Earliest time of its first generation, in ns; of a trace's first segment, its start."""
        return int(clock.to_ns(min_times(self.slab)[:1], clock.factor(self.tables.clocks["frequency"][:1]))[0])

    def by_thread(self) -> ThreadBatches:
        """Event batches by thread; the CURSOR rows are a fresh copy at each call, since kernels write in them."""
        if self._runs is None:
            self._runs = group_by_thread(self.slab)
        return ThreadBatches(self._runs.order, self._runs.cursors.copy(), self._runs.first)

    def event_batches(self) -> EventBatches:
        """Event batches as kernels take them; the segment must have one."""
        if self._batches is None:
            slab = self.slab
            self._batches = EventBatches(
                slab.data, slab.base, slab.batches, self.by_thread().order, self._events.n_args
            )
        return self._batches

    def gens(self, by_thread: ThreadBatches) -> Rows:
        """Rows of GENERATION_ROW with clock and runs."""
        gens = np.zeros(self.slab.n_gens, GENERATION_ROW)
        gens["number"] = self.slab.numbers
        gens["factor"] = clock.factor(self.tables.clocks["frequency"])
        gens["first_cursor"] = by_thread.first[:-1]
        gens["n_cursors"] = np.diff(by_thread.first)
        return gens

    def count(self, by_thread: ThreadBatches) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], np.void]:
        """Count events by generation and type.

        Returns
        -------
        counts : ndarray of int64, shape (n_gens, 256)
        ends : ndarray of int64
            Latest time of each generation in ns, the lowest number without events.
        fault : void of FAULT
            Why it stopped.
        """
        counts = np.zeros((self.slab.n_gens, 256), np.int64)
        ends = np.full(self.slab.n_gens, np.iinfo(np.int64).min)
        fault = new_fault()
        if len(by_thread.cursors):
            _scan.count(self.event_batches(), self.gens(by_thread), by_thread.cursors, counts, ends, fault)
        return counts, ends, fault[0]

    def n_events(self) -> int:
        """Number of events that can be decoded."""
        return int(self.count(self.by_thread())[0].sum())

    def trim(self) -> int:
        """Leave out events that cannot be decoded, and what comes after them; from how many batches."""
        by_thread = self.by_thread()
        if not len(by_thread.cursors) or self.losses is None:
            return 0
        faults = np.repeat(new_fault(), _MAX_REPORTED)
        n, nbytes = _scan.trim(self.event_batches(), by_thread.cursors, faults)
        for fault in faults[:n]:
            self.losses.add(self.error(fault), f"{int(fault['limit']):,} bytes of a batch are lost")
        if n > _MAX_REPORTED:
            more = nbytes - int(faults["limit"].sum())
            self.losses.note(f"{self.place(0)}: {more:,} bytes of {n - _MAX_REPORTED:,} more batches are lost")
        return n

    def marks(self, kinds: tuple[int, ...]) -> Rows:
        """Pick out the events of some types, thread by thread; the snapshot events of a thread are one row."""
        by_thread = self.by_thread()
        if not len(by_thread.cursors):
            return np.empty(0, PICKED)
        wanted = np.zeros(256, np.uint8)
        wanted[list(kinds)] = 1
        gens = self.gens(by_thread)
        marks = np.empty(64, PICKED)
        while True:
            n = _scan.marks(self.event_batches(), gens, by_thread.cursors.copy(), wanted, marks)
            if n <= len(marks):
                return marks[:n]
            marks = np.empty(n, PICKED)

    def leave_out(self, fault: np.void, briefs: Rows) -> bool:
        """To salvage, turn an event that makes no sense into one without effect; True if that was done."""
        if self.losses is None:
            return False
        self.losses.add(self.error(fault), "an event is left out")
        briefs["place"][briefs["place"] >> 8 == int(fault["offset"]) - self.slab.base] &= ~0xFF
        return True

    def place(self, gen: int) -> str:
        """Say where a generation is, for warnings."""
        offset = int(self.slab.batches["offset"][self.slab.starts[gen]])
        return f"generation {int(self.slab.numbers[gen])} (byte {offset})"

    def drop(self) -> None:
        """Release the input's bytes, so that a stream's block is free before the next one fills."""
        self.slab.data = self.tables.data = np.empty(0, np.uint8)
        self._batches = None

    def error(self, fault: np.void) -> TraceError:
        """Make the exception of an event's fault."""
        return self.slab.error(fault, self._events.names.get(int(fault["type"])))


def read_segments(
    source: Source,
    version: Version,
    start: int,
    events: TimedEvents,
    losses: Losses | None = None,
    *,
    ahead: bool = False,
) -> Iterator[Segment]:
    """Yield the segments of a trace; raises what ends it after the last one, or notes ``losses`` and goes on.

    With ``ahead``, a segment is still in use when the next one is asked for.
    """
    last: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
    frequency = 0
    torn = False
    for slab in read_slabs(source, version, start, losses, ahead=ahead):
        tables = read_tables(slab, losses, frequency)
        if slab.n_gens:
            numbers = np.concatenate((last, slab.numbers))
            leaps = np.flatnonzero(numbers[1:] != numbers[:-1] + np.uint64(1))
            torn |= bool(len(leaps)) and not version.end_marks
            segment = Segment(slab, tables, events, losses, torn=torn)
            for leap in leaps.tolist():
                gen = leap + 1 - len(last)
                note = losses.note if losses is not None and torn else segment.notes.append
                note(f"{segment.place(gen)}: follows generation {int(numbers[leap])}")
            last = slab.numbers[-1:]
            frequency = int(tables.clocks["frequency"][-1])
            torn = segment.trim() + slab.gaps > 0
            yield segment
        if slab.fault is not None:
            if losses is None:
                raise slab.hand_over()
            losses.add(slab.fault, "what comes next is lost")
            torn = True
