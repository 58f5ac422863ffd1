"""Builders of the tables of alloc/free and other experimental events: segments come in, rows go out.

Never here: the replay itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import (
    ALLOC,
    EXPERIMENTAL,
    I8,
    LIFETIME,
    Rows,
    What,
)
from gotrace.errors import Status, new_fault
from gotrace.experiments.allocfree import ANOMALIES, DEFAULT_INFO, AllocFreeData, Info
from gotrace.experiments.batches import alloc_free
from gotrace.hashing import MULTIPLIER, make_index
from gotrace.heap import _allocs
from gotrace.heap.counts import CountReplay
from gotrace.heap.objects import ObjectReplay, SegmentRows
from gotrace.heap.rows import HeapLayout
from gotrace.spec import lookup as spec_tables
from gotrace.spec.enums import EventType
from gotrace.spec.sizeclasses import CLASS_BYTES
from gotrace.tables.builder import Builder, Chunks
from gotrace.tables.passes import ReadPass
from gotrace.wire import _merge, _scan, clock
from gotrace.wire.helper import Prefetch, large_enough
from gotrace.wire.rows import COMPACT, CONTEXT, LEAST_DECODED, Layout
from gotrace.wire.segments import Segment
from gotrace.wire.slabs import ThreadBatches, decoded_rows

_CLASS_BYTES = np.array(CLASS_BYTES, np.int64)
_REPLAYED = 1 << 14  # rows of ALLOC replayed at a time: few enough to stay in the cache
_SNAPSHOT = (EventType.SPAN, EventType.HEAP_OBJECT, EventType.GOROUTINE_STACK)
_DECODED = 4096  # events decoded ahead, over all threads


class Threads:
    """Goroutine and proc of each thread according to its own events, kept from slab to slab."""

    def __init__(self) -> None:
        self.rows = np.empty(0, CONTEXT)
        self._row_of: dict[int, int] = {}

    def rows_of(self, by_thread: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the row of each cursor's thread, adding rows of new threads."""
        ms = by_thread.tolist()
        rows = [self._row_of.setdefault(m, len(self._row_of)) for m in ms]
        fresh = list(self._row_of)[len(self.rows) :]
        if fresh:
            new = np.zeros(len(fresh), CONTEXT)
            new["m"] = fresh
            new["g"] = new["p"] = -1
            self.rows = np.concatenate((self.rows, new))
        return np.array(rows, np.int32)


class _Merges:
    """Merges the events of segments by time; all of them decode into the same pool."""

    def __init__(self, read_pass: ReadPass) -> None:
        self._background = read_pass.background
        self._threaded = read_pass.threaded
        self._rings = Layout.RING if self._threaded else 1  # lots per cursor
        self.pool = decoded_rows(_DECODED * self._rings, COMPACT)
        self._threads = Threads()

    def begin(self, segment: Segment, by_thread: ThreadBatches, gens: Rows) -> tuple[Prefetch, _merge.Merge]:
        """Return the prefetch and the merge of a segment; the pool has room for a few events of each cursor."""
        thread_row = self._threads.rows_of(by_thread.cursors["m"])
        most = int(gens["n_cursors"].max())
        if len(self.pool) < LEAST_DECODED * most * self._rings:
            self.pool = decoded_rows(LEAST_DECODED * most * self._rings, COMPACT)
        threaded = self._threaded and large_enough(segment.slab)
        merge = _merge.Merge(
            source=segment.event_batches(),
            gens=gens,
            cursors=by_thread.cursors,
            threads=self._threads.rows,
            thread_row=thread_row,
            heap=np.empty(most, np.int32),
            pool=self.pool,
            two=threaded,
        )
        return self._background.run(merge if threaded else None), merge


class AllocBuilder(Builder):
    """Rows of ALLOC of the kinds in ``whats``; with ``replay``, also the replayed heap."""

    dtype = ALLOC
    refers_to_types = True

    def __init__(
        self, read_pass: ReadPass, length: int, whats: tuple[What, ...] = tuple(What), replay: bool = False
    ) -> None:
        self._pass = read_pass
        self._flags = sum(1 << what for what in whats) + (HeapLayout.REPLAY if replay else 0)
        self._chunks = Chunks(ALLOC, length)
        self._merges = _Merges(read_pass)
        self.registry = read_pass.registry
        self._info: Info | None = None
        self.heap = CountReplay()
        self.start = -1

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Merge a segment's events and yield full chunks of rows."""
        by_thread = segment.by_thread()
        gens = segment.gens(by_thread)
        if self.start < 0:
            self.start = segment.start
        keys, vals = self._tables_of(segment, gens)
        if not len(by_thread.cursors):
            return
        prefetch, merge = self._merges.begin(segment, by_thread, gens)
        fault = new_fault()
        extractor = _allocs.Extractor(
            merge, keys, vals, MULTIPLIER, _CLASS_BYTES, self._pass.types.slots, self._flags, fault
        )
        extractor.bind(self.heap.tables())
        with prefetch:
            while True:
                prefetch.wake()
                self._chunks.add(extractor.take(self._chunks.room()))
                yield from self._chunks.full()
                status = int(fault["status"][0])
                if status == Status.OK:
                    break
                if status < 0:
                    if not segment.leave_out(fault[0], self._merges.pool):
                        raise segment.error(fault[0])
                elif status != Status.FULL:
                    self.heap.grow(Status(status))
                    extractor.bind(self.heap.tables())

    def flush(self) -> Iterator[Rows]:
        """Yield the last, partly filled chunk."""
        yield from self._chunks.last()

    def anomaly_counts(self) -> dict[str, int]:
        """Return the nonzero counts of anomalies by name."""
        return self.heap.anomaly_counts()

    @property
    def info(self) -> Info:
        """The experiment's scales; defaults until the trace gives them."""
        return self._info or DEFAULT_INFO

    def _tables_of(self, segment: Segment, gens: Rows) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """Apply the experiment's batches to ``gens``: scales and types; return keys and values of the type index."""
        tables: list[AllocFreeData] = []
        of: list[int] = []
        self._scale(gens)
        for gen, data in alloc_free(segment, self.registry, self._pass.warn):
            if data.info is not None and data.info != self._info:
                if self._info is not None:
                    self._pass.warn(f"{segment.place(gen)}: an info batch changes the values of the previous one")
                self._info = data.info
                self._scale(gens[gen:])
            tables.append(data)
            of.append(gen)
        rows = self._pass.types.enter(tables)
        if not len(rows):
            return np.empty(1, np.uint64), np.zeros(1, np.int32)
        ids = np.concatenate([data.types["id"] for data in tables])
        gen_of = np.repeat(np.array(of, np.int32), [len(data.types) for data in tables])
        index = make_index(ids, gen_of, len(gens))
        gens["type_at"], gens["type_bits"] = index.at, index.bits
        return index.keys, np.concatenate((np.zeros(1, np.int32), rows))[index.vals]

    def _scale(self, gens: Rows) -> None:
        """Set the scales of ids in rows of GENERATION_ROW."""
        info = self.info
        for name in ("heap_base", "object_align", "stack_align"):
            gens[name] = getattr(info, name)
        gens["page_shift"] = info.page_size.bit_length() - 1
        gens["relative"] = self._info is None


class Labels(Protocol):
    """Labels of allocations, by which a replay groups objects."""

    def learn(self, segment: Segment) -> None:
        """Read what labels depend on, before the allocations of the segment."""

    def labels(self, rows: Rows) -> I8:
        """Return the labels of rows of ALLOC of the segment."""


class LifetimeBuilder(Builder):
    """Rows of LIFETIME: objects as they end, then the survivors, oldest first.

    With ``lives``, there are no rows; that replay only counts. It groups objects by ``labels``, if given, else by
    type and size class.
    """

    dtype = LIFETIME
    refers_to_types = True

    def __init__(
        self, read_pass: ReadPass, length: int, lives: ObjectReplay | None = None, labels: Labels | None = None
    ) -> None:
        self.allocs = AllocBuilder(read_pass, _REPLAYED)
        self._types = read_pass.types
        self.lives = lives or ObjectReplay()
        self._labels = labels
        self._writes = lives is None
        if self._writes:
            self.lives.write_rows()

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay a segment's events and yield the objects that end."""
        self._entered = False
        if self._labels is not None:
            self._labels.learn(segment)
        try:
            for rows in self.allocs.feed(segment):
                yield from self._take(rows, segment)
            if not self._entered:
                self._enter(segment)  # mark phases count even in a segment without objects
        finally:
            for rows in self.allocs.flush():
                yield from self._take(rows, segment)
            yield from self.lives.catch_up()

    def _take(self, rows: Rows, segment: Segment) -> Iterator[Rows]:
        if not self._entered:  # the segment's scales are known from its first rows on
            self._enter(segment)
        labels = np.empty(0, np.int64) if self._labels is None else self._labels.labels(rows)
        yield from self.lives.follow(rows, labels)

    def _enter(self, segment: Segment) -> None:
        self._entered = True
        marks = segment.marks((*_SNAPSHOT, EventType.GC_BEGIN))
        begins = marks["type"] == EventType.GC_BEGIN
        factors = clock.factor(segment.tables.clocks["frequency"])
        page_size = self.allocs.info.page_size
        self.lives.enter(
            SegmentRows(
                batches=segment.slab.batches,
                factors=factors,
                page_size=page_size,
                begins=np.sort(marks["time"][begins]),
                snapshots=marks[~begins],
                type_slots=self._types.slots,
            )
        )

    def flush(self) -> Iterator[Rows]:
        """Yield the surviving objects."""
        self.lives.finish()
        if self._writes:
            self._writes = False
            yield self.lives.survivors()

    def anomaly_counts(self) -> dict[str, int]:
        """Return the nonzero counts of anomalies by name."""
        counts = self.allocs.heap.anomalies + self.lives.anomalies
        return {name: int(counts[kind]) for kind, name in ANOMALIES.items() if counts[kind]}


class ExperimentalBuilder(Builder):
    """Rows of EXPERIMENTAL: the raw events of every experiment, or those of the given wire types."""

    dtype = EXPERIMENTAL

    def __init__(self, read_pass: ReadPass, length: int, types: Sequence[int] = ()) -> None:
        self._chunks = Chunks(EXPERIMENTAL, length)
        self._merges = _Merges(read_pass)
        self._experiments = spec_tables.experiments(read_pass.registry.events)
        if types:
            self._experiments[:] = 0
            self._experiments[list(types)] = 1

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Merge a segment's events and yield full chunks of rows."""
        by_thread = segment.by_thread()
        if not len(by_thread.cursors):
            return
        prefetch, merge = self._merges.begin(segment, by_thread, segment.gens(by_thread))
        fault = new_fault()
        with prefetch:
            while True:
                prefetch.wake()
                self._chunks.add(_scan.experimental(merge, self._experiments, self._chunks.room(), fault))
                yield from self._chunks.full()
                if fault[0]["status"] == Status.OK:
                    break
                if fault[0]["status"] < 0 and not segment.leave_out(fault[0], self._merges.pool):
                    raise segment.error(fault[0])

    def flush(self) -> Iterator[Rows]:
        """Yield the last, partly filled chunk."""
        yield from self._chunks.last()
