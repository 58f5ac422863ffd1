"""The replay of single objects: rows of ALLOC come in through kernel ``_objects``; lifetimes, ages and the peak go out.

Never here: reading of events, names of groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I8, LIFETIME, Op, Rows, opaque
from gotrace.errors import Status
from gotrace.experiments.allocfree import ANOMALIES
from gotrace.hashing import new_map, rehashed
from gotrace.heap import _objects
from gotrace.heap.counts import GROWTH, larger
from gotrace.heap.rows import (
    CELL,
    COUNTS,
    HEAP_CYCLE,
    HELD_SPAN,
    TALLY,
    HeapLayout,
    ReplayCounter,
    SpaceCounter,
)
from gotrace.spec.sizeclasses import CLASS_BYTES
from gotrace.wire.rows import Layout

NEVER = np.iinfo(np.int64).max
"""An instant later than any event."""

MOST_CYCLES = 1 << 20
"""Maximum number of GC cycles counted: a real program takes days for more; a hostile trace seconds."""

_CLASS_BYTES = np.array(CLASS_BYTES, np.int64)
_COUNTERS = ("alloc_objects", "alloc_bytes", "free_objects", "free_bytes", "start_objects", "start_bytes")
_ROOM = 4 * 10 * HeapLayout.GROUP * HeapLayout.GROUPS  # rows of LIFETIME per call: more than one row of ALLOC ends
_DEFERRED = 1 << 20  # maximum rows of other threads deferred to the end of a snapshot


class Ages(NamedTuple):
    """Inclusive range of ages in GC cycles."""

    youngest: int = 0
    oldest: int = np.iinfo(np.int32).max


@dataclass(eq=False, repr=False)
class SegmentRows:
    """Properties shared by a segment's rows of ALLOC."""

    batches: Rows
    factors: npt.NDArray[np.float64]  # ns per tick of each generation's clock
    page_size: int  # bytes
    begins: I8  # ns: starts of mark phases, in order
    snapshots: Rows  # of PICKED: ranges of snapshot events
    type_slots: I8  # bytes of the slot of an object, by row of the type table


@dataclass(eq=False, repr=False)
class ObjectReplay:
    """The live heap object by object, with its history.

    Attributes
    ----------
    detail : bool
        True to count GC cycles and ages at death as well.
    ages : Ages
        Ages at death that are counted by group.
    stop : int
        Time in ns at which the replay stops, before any event at or after it.
    cycle : int
        Number of the mark phase at whose start the replay stops; the trace's first one is 1.
    rows : int
        Maximum number of rows to replay.
    ends : ndarray of int64
        Instants in ns, increasing, at which ``look`` is called.
    look : callable
        Called with the time in ns of the first event at or after some of ``ends``, before that event is replayed; it
        may replace ``ends``.
    marks : bool
        True if ``ends`` are the starts of mark phases.
    groups : ndarray of int32
        Groups, as rows of :attr:`tallies`, of the objects that :meth:`follow` yielded last.
    """

    detail: bool = False
    ages: Ages = field(default_factory=Ages)
    stop: int = NEVER
    cycle: int = NEVER
    rows: int = NEVER
    ends: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    look: Callable[[int], None] = lambda time: None
    marks: bool = False

    def __post_init__(self) -> None:
        self.life = np.zeros(max(ReplayCounter) + 1, np.int64)
        self.life[ReplayCounter.TIME] = -1
        self.anomalies = np.zeros(len(ANOMALIES), np.int64)
        self._spans = np.zeros(256, HELD_SPAN)
        self._pages = new_map(512)
        self._leaves = np.zeros(128 * Layout.LEAF, np.int32)
        self._cells = np.empty(256 * HeapLayout.GROUP, CELL)
        self._loose = new_map(64)
        self._loose_cells = np.empty(32, CELL)
        self._loose_bytes = np.empty(32, np.int64)
        self._stacks = new_map(512)
        self._keys = new_map(512)
        self._tallies = np.empty(256, TALLY)
        self._deaths_by_age = np.zeros((HeapLayout.AGES if self.detail else 0, 2), np.int64)
        self._cycles = np.zeros(64 if self.detail else 0, HEAP_CYCLE)
        self._out, self._groups = np.empty(0, LIFETIME), np.empty(0, np.int32)
        self.groups = self._groups
        self._begins: I8 = np.empty(0, np.int64)
        self._snapshot: np.void | None = None
        self._deferred: list[tuple[Rows, I8]] = []
        self._n_deferred = 0
        self._reached = 0
        self._kernel = _objects.Replay(
            self.life, self.anomalies, self._deaths_by_age, _CLASS_BYTES, self.ages.youngest, self.ages.oldest
        )
        self._bind()

    @property
    def stopped(self) -> bool:
        """True if the replay reached its last instant."""
        return bool(self.life[ReplayCounter.STOPPED])

    def write_rows(self) -> None:
        """Make :meth:`follow` yield rows of LIFETIME."""
        self._out, self._groups = np.zeros(_ROOM, LIFETIME), np.zeros(_ROOM, np.int32)

    # --- replay ---------------------------------------------------------------------------------------------

    def enter(self, segment: SegmentRows) -> None:
        """Start the next segment, before its rows."""
        self._segment = segment
        room = MOST_CYCLES - int(self.life[ReplayCounter.CYCLE]) - len(self._begins)
        self._begins = np.sort(np.concatenate((self._begins, segment.begins[:room])))
        need = int(self.life[ReplayCounter.CYCLE]) + len(self._begins) + 1
        if self.marks:
            self.ends, self._reached = self._begins, 0
        if self.cycle < need:
            self.stop = min(self.stop, self.begin_of(self.cycle))
        while self.detail and len(self._cycles) < need:
            self._cycles = np.concatenate((self._cycles, np.zeros(len(self._cycles), HEAP_CYCLE)))
        self._kernel.enter(
            segment.batches, segment.factors, segment.page_size.bit_length() - 1, self._cycles, segment.type_slots
        )

    def begin_of(self, cycle: int) -> int:
        """Return the start in ns of a mark phase after the replayed events; NEVER if it is not known yet."""
        place = cycle - int(self.life[ReplayCounter.CYCLE]) - 1
        return int(self._begins[place]) if 0 <= place < len(self._begins) else NEVER

    def follow(self, rows: Rows, labels: I8) -> Iterator[Rows]:
        """Replay rows of the current segment; yield objects that ended, if rows are written.

        A snapshot is replayed as a whole: other threads' events whose times lie between its events are deferred to its
        end (FORMAT 9.9).
        """
        snapshots = self._segment.snapshots
        while len(rows):
            if self._snapshot is None:
                at = len(rows)
                if len(snapshots):
                    firsts = np.flatnonzero((rows["op"] == Op.EXISTS) & np.isin(rows["offset"], snapshots["offset"]))
                    at = int(firsts[0]) if len(firsts) else at
                yield from self._replay(rows[:at], labels[:at])
                if at < len(rows):
                    self._snapshot = snapshots[snapshots["offset"] == rows["offset"][at]][0]
            else:
                snapshot = self._snapshot
                ends = np.flatnonzero(rows["offset"] == snapshot["last"])
                at = int(ends[0]) + 1 if len(ends) else len(rows)
                inside = (rows["m"][:at] == snapshot["m"]) & (rows["op"][:at] == Op.EXISTS)
                self._deferred.append((rows[:at][~inside], labels[:at][~inside] if len(labels) else labels))
                self._n_deferred += len(self._deferred[-1][0])
                yield from self._replay(rows[:at][inside], labels[:at][inside] if len(labels) else labels)
                if len(ends) or self._n_deferred > _DEFERRED:
                    yield from self.catch_up()
            rows, labels = rows[at:], labels[at:]

    def catch_up(self) -> Iterator[Rows]:
        """End the current snapshot and replay the deferred rows."""
        deferred, self._deferred, self._n_deferred, self._snapshot = self._deferred, [], 0, None
        for rows, labels in deferred:
            yield from self.follow(rows, labels)

    def _replay(self, rows: Rows, labels: I8) -> Iterator[Rows]:
        left = self.rows - int(self.life[ReplayCounter.ROWS])
        last = len(rows) > left
        rows, labels = rows[:left], labels[:left]
        while len(rows):
            if self.stopped:  # a snapshot is of the instant of its first event, whatever its other timestamps
                exists = rows["op"] == Op.EXISTS
                rows, labels = rows[exists], labels[exists] if len(labels) else labels
                if not len(rows):
                    break
            next_end = int(self.ends[self._reached]) if self._reached < len(self.ends) else NEVER
            n, begun, written, status = self._kernel.follow(
                rows, labels, self._begins, min(self.stop, next_end), self._out, self._groups
            )
            rows, labels, self._begins = rows[n:], labels[n:], self._begins[begun:]
            if written:
                self.groups = self._groups[:written].copy()
                yield opaque(self._out[:written]).copy().view(LIFETIME)
            if self.stopped and next_end < self.stop:
                self.life[ReplayCounter.STOPPED] = 0
                time = int(rows["time"][0])
                self.look(time)
                self._reached = int(np.searchsorted(self.ends, time, side="right"))
                self.life[ReplayCounter.MOST_BYTES] = self.life[ReplayCounter.INUSE_BYTES]
            if status not in (Status.OK, Status.FULL):
                self._grow(Status(status))
        if last:
            self.life[ReplayCounter.STOPPED] = 1

    def _bind(self) -> None:
        """Pass the tables to the kernel."""
        self._kernel.bind(
            spans=self._spans,
            pages=self._pages,
            leaves=self._leaves,
            cells=self._cells,
            loose=self._loose,
            loose_cells=self._loose_cells,
            loose_bytes=self._loose_bytes,
            stacks=self._stacks,
            keys=self._keys,
            tallies=self._tallies,
        )

    def finish(self) -> None:
        """Count the mark phases that start after the last event but before the replay's last instant."""
        if int(self.life[ReplayCounter.ROWS]) < self.rows:
            first, n = int(self.life[ReplayCounter.CYCLE]) + 1, int(np.searchsorted(self._begins, self.stop))
            self.life[ReplayCounter.CYCLE] += n
            self._cycles["inuse_objects"][first : first + n] = self.life[ReplayCounter.INUSE_OBJECTS]
            self._cycles["inuse_bytes"][first : first + n] = self.life[ReplayCounter.INUSE_BYTES]
            self._begins = self._begins[n:]

    def _grow(self, status: Status) -> None:
        if status == Status.GROW_SPANS:
            self._spans = larger(self._spans, GROWTH)
        elif status == Status.GROW_PAGES:
            self._pages, self._leaves = rehashed(self._pages), larger(self._leaves)
        elif status == Status.GROW_STACKS:
            self._stacks = rehashed(self._stacks)
        elif status == Status.GROW_LOOSE:
            self._loose = rehashed(self._loose)
            self._loose_cells, self._loose_bytes = larger(self._loose_cells), larger(self._loose_bytes)
        elif status == Status.GROW_CELLS:
            self._cells = larger(self._cells, GROWTH)
        else:
            self._keys, self._tallies = rehashed(self._keys), larger(self._tallies)
        self._bind()

    # --- results --------------------------------------------------------------------------------------------

    @property
    def tallies(self) -> Rows:
        """Rows of TALLY, one for each group that had an object; a view."""
        return self._tallies[: int(self.life[SpaceCounter.N_KEYS])]

    def counts(self, *, peak: bool = False) -> Rows:
        """Return rows of COUNTS by group, now or at the peak."""
        tallies = self.tallies
        now = tallies["counts"]
        if peak and not self.life[ReplayCounter.RISING]:
            kept = tallies["peak_id"] == self.life[ReplayCounter.PEAK_ID]
            now = np.where(kept[:, None], tallies["peak"], now)
        table = np.zeros(len(tallies), COUNTS)
        for name in ("type", "spanclass"):
            table[name] = tallies[name]
        for i, name in enumerate(_COUNTERS):
            table[name] = now[:, i]
        return table

    def memory(self, *, peak: bool = False) -> dict[str, int]:
        """Return the number and bytes of live spans and stacks by name, now or at the peak."""
        kept = peak and not self.life[ReplayCounter.RISING]
        first = ReplayCounter.PEAK_MEMORY if kept else SpaceCounter.HEAP_SPANS
        names = [
            SpaceCounter(place).name.lower() for place in range(SpaceCounter.HEAP_SPANS, SpaceCounter.STACK_BYTES + 1)
        ]
        return {name: int(self.life[first + i]) for i, name in enumerate(names)}

    def survivors(self) -> Rows:
        """Return rows of LIFETIME of the live objects, oldest first."""
        out = np.zeros(int(self.life[ReplayCounter.INUSE_OBJECTS]), LIFETIME)
        if len(out):
            self._kernel.survivors(out)
        return opaque(out)[np.lexsort((out["offset"], out["born"]))].view(LIFETIME)

    def of_age(self, ages: Ages | None = None) -> tuple[I8, I8]:
        """Return live objects and bytes by group in a range of ages, (groups, 2), and those of unknown age, (2,)."""
        found, _, unknown = self._tally_ages(ages or self.ages)
        return found, unknown

    def alive(self) -> I8:
        """Return live objects and bytes by age, shape (HeapLayout.AGES, 2), without those of unknown age."""
        return self._tally_ages(self.ages)[1]

    def _tally_ages(self, ages: Ages) -> tuple[I8, I8, I8]:
        found = np.zeros((max(len(self.tallies), 1), 2), np.int64)
        by_age, unknown = np.zeros((HeapLayout.AGES, 2), np.int64), np.zeros(2, np.int64)
        self._kernel.tally_ages(ages.youngest, ages.oldest, found, by_age, unknown)
        return found[: len(self.tallies)], by_age, unknown

    def deaths_by_age(self) -> I8:
        """Return freed objects and bytes by age, shape (HeapLayout.AGES, 2), without those of unknown age."""
        return self._deaths_by_age

    def cycles(self) -> Rows:
        """Return rows of HEAP_CYCLE; row 0 is the time before the first mark phase."""
        return self._cycles[: int(self.life[ReplayCounter.CYCLE]) + 1].copy()

    def reach(self) -> tuple[int, int] | None:
        """Return the lowest and the highest address in a live span; None if there is none."""
        spans = self._spans[1 : int(self.life[SpaceCounter.N_SPANS]) + 1]
        spans = spans[spans["n_pages"] > 0]
        if not len(spans):
            return None
        last = spans["base"] + (spans["bytes"] - 1).astype(np.uint64)
        last[last < spans["base"]] = np.iinfo(np.uint64).max
        return int(spans["base"].min()), int(last.max())

    def draw(self, low: int, shift: int) -> I8:
        """Return bytes of live objects and live spans by intervals of ``1 << shift`` addresses from ``low`` on.

        The shape is (2, HeapLayout.GRID).
        """
        grid = np.zeros((2, HeapLayout.GRID), np.int64)
        self._kernel.draw(low, shift, grid)
        return grid

    def live_spans(self) -> tuple[Rows, npt.NDArray[np.int32]]:
        """Return rows of HELD_SPAN of live spans, and the row of ``tallies`` of each span's first object, or -1."""
        n = int(self.life[SpaceCounter.N_SPANS]) + 1
        by = np.full(n, -1, np.int32)
        self._kernel.holders(by)
        spans = self._spans[:n]
        live = spans["n_pages"] > 0
        live[0] = False
        return spans[live].copy(), by[live]
