"""Segments: slabs become slabs with their tables, and event batches grouped by thread.

Never here: rows of public tables, the order of events, experiments, or threads of this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I4, I8, Rows
from gotrace.errors import Status, TraceError, new_fault
from gotrace.spec.lookup import TimedEvents
from gotrace.spec.versions import Version
from gotrace.units import human_count
from gotrace.wire import _scan, clock
from gotrace.wire._cursor import EventBatches
from gotrace.wire.losses import Losses
from gotrace.wire.rows import GENERATION_ROW, PICKED
from gotrace.wire.slabs import Slab, ThreadBatches, group_by_thread, read_slabs
from gotrace.wire.source import Source
from gotrace.wire.structure import Tables, min_times, read_tables

_MOST_GENS = 1 << 20  # of a slab
_MAX_REPORTED = 64  # damaged batches of a segment that are reported one by one


class Segment:
    """A slab with its tables: the unit in which a trace is read.

    Attributes
    ----------
    slab : Slab
    tables : Tables
    losses : Losses or None
        Where losses are reported; None unless the trace is salvaged.
    torn : bool
        Events before this segment were lost.
    notes : list of str
        Warnings to report when the segment is read.
    derived : dict
        Data that higher layers keep for the lifetime of the segment.
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
        self._by_thread: ThreadBatches | None = None
        self._batches: EventBatches | None = None
        self._n_events: npt.NDArray[np.int64] | None = None
        self._left_out: dict[int, set[int]] = {}  # by offset of an event, ids of the pools that leave it out

    @property
    def start(self) -> int:
        """Earliest time of the first generation, in ns; the trace's start for its first segment."""
        return int(clock.to_ns(min_times(self.slab)[:1], clock.factor(self.tables.clocks["frequency"][:1]))[0])

    def by_thread(self) -> ThreadBatches:
        """Return the event batches by thread; each call copies the CURSOR rows, since kernels modify them."""
        if self._by_thread is None:
            self._by_thread = group_by_thread(self.slab)
        return ThreadBatches(self._by_thread.order, self._by_thread.cursors.copy(), self._by_thread.first)

    def event_batches(self) -> EventBatches:
        """Return the event batches for kernels; the segment must have a batch."""
        if self._batches is None:
            slab, order = self.slab, self.by_thread().order
            if not len(order):  # kernels take the address of the first element
                order = np.zeros(1, np.int32)
            self._batches = EventBatches(slab.data, slab.base, slab.batches, order, self._events.n_args)
        return self._batches

    def gens(self, by_thread: ThreadBatches) -> Rows:
        """Return rows of GENERATION_ROW with number, clock and cursors."""
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
            Latest time of each generation in ns; the lowest number for one without events.
        fault : void of FAULT
            The fault that ended the count, if any.
        """
        counts = np.zeros((self.slab.n_gens, 256), np.int64)
        ends = np.full(self.slab.n_gens, np.iinfo(np.int64).min)
        fault = new_fault()
        if len(by_thread.cursors):
            _scan.count(self.event_batches(), self.gens(by_thread), by_thread.cursors, counts, ends, fault)
        return counts, ends, fault[0]

    def footprint(self, groups: I4, n_groups: int) -> I8:
        """Return number and bytes of events by group and type, in shape (n_groups, 256, 2).

        ``groups`` is the group of each cursor of :meth:`by_thread`.
        """
        sums = np.zeros((n_groups, 256, 2), np.int64)
        cursors = self.by_thread().cursors
        if len(cursors):
            fault = new_fault()
            _scan.footprint(self.event_batches(), cursors, groups, sums, fault)
            if fault[0]["status"] < 0:
                raise self.error(fault[0])
        return sums

    def n_events(self, gen: int) -> int:
        """Return the number of events of a generation that can be decoded."""
        if self._n_events is None:
            self._n_events = self.count(self.by_thread())[0].sum(axis=1)
        return int(self._n_events[gen])

    def trim(self) -> int:
        """End batches before events that cannot be decoded; return the number of batches that were cut."""
        by_thread = self.by_thread()
        if not len(by_thread.cursors) or self.losses is None:
            return 0
        faults = np.repeat(new_fault(), _MAX_REPORTED)
        n, nbytes = _scan.trim(self.event_batches(), by_thread.cursors, faults)
        for fault in faults[:n]:
            lost = human_count(int(fault["limit"]), "byte of a batch is lost", "bytes of a batch are lost")
            self.losses.add(self.error(fault), lost)
        if n > _MAX_REPORTED:
            more = nbytes - int(faults["limit"].sum())
            self.losses.note(f"{self.place(0)}: {human_count(more, 'byte')} of {n - _MAX_REPORTED:,} more batches lost")
        return n

    def marks(self, kinds: tuple[int, ...]) -> Rows:
        """Return the events of some types, by thread; consecutive snapshot events of a thread are one row of PICKED."""
        by_thread = self.by_thread()
        if not len(by_thread.cursors):
            return np.empty(0, PICKED)
        mask = np.zeros(256, np.uint8)
        mask[list(kinds)] = 1
        gens = self.gens(by_thread)
        marks = np.empty(64, PICKED)
        while True:
            n = _scan.marks(self.event_batches(), gens, by_thread.cursors.copy(), mask, marks)
            if n <= len(marks):
                return marks[:n]
            marks = np.empty(n, PICKED)

    def leave_out(self, fault: np.void, compact: Rows) -> bool:
        """When salvaging, turn an invalid event into one without effect; True if this was done."""
        if self.losses is None:
            return False
        pools = self._left_out.setdefault(int(fault["offset"]), set())
        if id(compact) in pools:
            raise self.changed()
        if not pools:
            self.losses.add(self.error(fault), "an event is left out")
        pools.add(id(compact))
        compact["place"][compact["place"] >> 8 == int(fault["offset"]) - self.slab.base] &= ~0xFF
        return True

    def place(self, gen: int) -> str:
        """Describe where a generation is, for warnings."""
        offset = int(self.slab.batches["offset"][self.slab.starts[gen]])
        return f"generation {int(self.slab.numbers[gen])} (byte {offset})"

    def drop(self) -> None:
        """Release the input's bytes, so that a stream's block is freed before the next one is filled."""
        self.slab.data = self.tables.data = np.empty(0, np.uint8)
        self._batches = None

    def changed(self) -> TraceError:
        """Make the exception of an input that changes while it is read."""
        fault = new_fault()
        fault["status"], fault["offset"] = Status.INPUT_CHANGED, -1
        return self.slab.error(fault[0])

    def error(self, fault: np.void) -> TraceError:
        """Return the exception for a fault of an event."""
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
    """Yield the segments of a trace; after the last one, raise the fault that ends it, or add it to ``losses``.

    With ``ahead``, a segment is still in use when the next one is requested.
    """
    last: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
    frequency = 0
    torn = False
    slabs = read_slabs(source, version, start, losses, ahead=ahead)
    pieces = ((slab, None) for slab in slabs) if losses is None else _intact_pieces(slabs, events, losses)
    for slab, intact in pieces:
        ends = slab.fault is not None
        tables = read_tables(slab, losses, frequency) if intact is None else intact
        if losses is not None and slab.fault is not None and not ends:
            losses.add(slab.hand_over(), "the generation is lost")
            torn = True
        if slab.n_gens:
            numbers = np.concatenate((last, slab.numbers))
            jumps = np.flatnonzero(numbers[1:] != numbers[:-1] + np.uint64(1))
            torn |= 0 in slab.gaps or (len(jumps) > 0 and not version.end_marks)
            segment = Segment(slab, tables, events, losses, torn=torn)
            segment.notes += slab.notes
            for jump in jumps.tolist():
                gen = jump + 1 - len(last)
                note = losses.note if losses is not None and torn else segment.notes.append
                note(f"{segment.place(gen)}: follows generation {int(numbers[jump])}")
            last = slab.numbers[-1:]
            frequency = int(tables.clocks["frequency"][-1])
            torn = intact is None and bool(segment.trim() or any(slab.gaps))
            yield segment
        if slab.fault is not None:
            if losses is None:
                raise slab.hand_over()
            losses.add(slab.fault, "the rest of the trace is lost")
            torn = True


def _intact_pieces(slabs: Iterator[Slab], events: TimedEvents, losses: Losses) -> Iterator[tuple[Slab, Tables | None]]:
    """Split slabs until each piece is one generation, or intact: these come with their tables.

    Pieces become longer while nothing is lost, so that a slab whose generations are all damaged is not checked again
    and again.
    """
    size = _MOST_GENS
    for slab in slabs:
        first, n = 0, slab.n_gens
        if n == 0:
            yield slab, None
        while first < n:
            last = min(first + size, n)
            piece = slab if last - first == n else slab.part(first, last)
            tables = _intact_tables(piece, events) if last - first > 1 else None
            if tables is None and last - first > 1:
                size = max((last - first) // 4, 1)
                continue
            before = losses.n_found
            yield piece, tables
            size = min(2 * size, _MOST_GENS) if losses.n_found == before else 1
            first = last


def _intact_tables(slab: Slab, events: TimedEvents) -> Tables | None:
    """Return the tables of a slab without any fault, otherwise None."""
    copy = replace(slab)
    tables = read_tables(copy)
    if slab.fault is not None or copy.fault is not None:
        return None
    segment = Segment(slab, tables, events)
    return None if segment.count(segment.by_thread())[2]["status"] else tables
