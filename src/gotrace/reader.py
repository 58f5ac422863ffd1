"""From parts to rows: one builder for each table, fed part by part.

Never here: a decision that a stage could take, or what a user holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from gotrace import _allocfree, _blocks, _decode, _pool, _walk, clock
from gotrace.dtypes import (
    ALLOC,
    BRIEF,
    CTX,
    EVENT,
    EXPERIMENTAL,
    FRAME,
    GENERATION,
    LABEL,
    LEAST_AHEAD,
    LIFETIME,
    LOG,
    METRIC,
    ORDERED,
    RANGE,
    REGION,
    SAMPLE,
    STACK,
    STRING,
    TASK,
    TRANSITION,
    TYPE,
    Layout,
    State,
    What,
)
from gotrace.errors import Status, new_fault
from gotrace.experiments import Registry
from gotrace.experiments.allocfree import ANOMALIES, DEFAULT_INFO, AllocFreeData, Info, TypeTable
from gotrace.heap import LiveHeap
from gotrace.lifetimes import Lives, Slice
from gotrace.ordering.drive import Order, time_order
from gotrace.parts import Part
from gotrace.second import Second, is_worth, may_help
from gotrace.slabs import Rows, Runs, decoded_rows
from gotrace.spec import tables as spec_tables
from gotrace.spec.enums import EventKind, EventType, Resource
from gotrace.spec.events import EVENTS
from gotrace.spec.limits import CLASS_BYTES
from gotrace.tables import MULTIPLIER, make_index, min_times, sample_times

_CLASS_BYTES = np.array(CLASS_BYTES, np.int64)
_REPLAYED = 1 << 14  # rows of ALLOC that are replayed at a time: they stay in the cache
_SNAPSHOT = (128, 131, 134)  # Span, HeapObject, GoroutineStack
_MARK_BEGIN = 29  # GCBegin
_KEPT = range(1 << 20, 1 << 26)  # bytes of a chunk whose memory is kept for the next pass
_MORE = 3  # EVENT rows behind a chunk's end: the machine wants room for three rows, the last one over another
_DECODED = 4096  # events decoded ahead, over all threads


class Pass:
    """What one pass over a trace keeps from slab to slab."""

    def __init__(self, registry: Registry, warn: Callable[[str], None], *, mends: bool, jobs: int) -> None:
        self.registry = registry
        self.warn = warn
        self._mends = mends
        self._jobs = jobs
        self.two = may_help(jobs) and not mends  # salvage decides part by part what goes on
        self.types = TypeTable()
        self.ordered: list[OrderedBuilder] = []
        self.refused = False  # the order broke, or its rows were not fetched to the end

    def __enter__(self) -> Pass:
        return self

    def __exit__(self, *how: object) -> None:
        self.ordered.clear()  # they know the pass: nothing would be let go until such circles are looked for

    @cached_property
    def order(self) -> Order:
        """The state machine of this pass."""
        return Order(self.registry, self.warn, mends=self._mends, jobs=self._jobs)


class Threads:
    """Goroutine and proc of each thread, as its own events tell, kept from slab to slab."""

    def __init__(self) -> None:
        self.rows = np.empty(0, CTX)
        self._row_of: dict[int, int] = {}

    def rows_of(self, runs: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the row of each run's thread; threads not seen before get new ones."""
        ms = runs.tolist()
        rows = [self._row_of.setdefault(m, len(self._row_of)) for m in ms]
        fresh = list(self._row_of)[len(self.rows) :]
        if fresh:
            new = np.zeros(len(fresh), CTX)
            new["m"] = fresh
            new["g"] = new["p"] = -1
            self.rows = np.concatenate((self.rows, new))
        return np.array(rows, np.int32)


class Builder:
    """Makes the rows of one table.

    ``feed`` takes the next part and yields rows that are complete; ``flush`` yields what is left at the end, or
    before a fault. Rows handed out are never touched again.
    """

    dtype: ClassVar[np.dtype[np.void]]

    def feed(self, part: Part) -> Iterator[Rows]:
        """Yield the rows that a part completes."""
        raise NotImplementedError

    def lose(self, part: Part) -> str:
        """Take notice that a part could not be fed to its end and the next one comes; say how much was lost."""
        return ""

    def flush(self) -> Iterator[Rows]:
        """Yield the rows still held back."""
        return iter(())


class _Chunks:
    """Rows that gather in arrays of a fixed length; ``more`` rows may stand behind its end, and begin the next one.

    Memory that nobody holds serves again, in the next pass, too: systems take long to clear new one.
    """

    _spare: ClassVar[list[_blocks.Block]] = []  # of the last pass

    def __init__(self, dtype: np.dtype[np.void], length: int, more: int = 0) -> None:
        self._dtype = dtype
        self._length = max(length, 1)
        self._more = more
        self._rows: Rows | None = None
        self._n = 0
        self._blocks: list[_blocks.Block] = []

    def room(self) -> Rows:
        """The part of the current array that is still free."""
        if self._rows is None:
            self._rows = np.frombuffer(memoryview(self._block()), self._dtype)
        return self._rows[self._n :]

    def _block(self) -> _blocks.Block:
        """Return memory that nobody holds: while one chunk is looked at, the next one takes the place of the last."""
        for block in self._blocks:
            if block.free():
                return block
        nbytes = (self._length + self._more) * self._dtype.itemsize
        block = self._of_last_pass(nbytes) or _blocks.Block(np.empty(nbytes, np.uint8))
        self._blocks = [*self._blocks[-1:], block]
        return block

    def _of_last_pass(self, nbytes: int) -> _blocks.Block | None:
        """Return memory of that size, if some was kept; what does not fit is given up."""
        while nbytes in _KEPT:
            try:
                block = self._spare.pop()  # another thread may do the same
            except IndexError:
                break
            if block.free() and memoryview(block).nbytes == nbytes:
                return block
        return None

    def add(self, n: int) -> None:
        """Note that n rows of ``room()`` were filled."""
        self._n += n

    def full(self) -> Iterator[Rows]:
        """Yield the current array if it is full; the next one is made when that one is out of hands."""
        while self._rows is not None and self._n >= self._length:
            n = self._n - self._length
            rest = self._rows[self._length : self._n].tobytes() if n else b""
            yield self.take()
            if n:  # as bytes: to find out how to copy rows takes numpy longer than to copy them
                self.room()[:n].view(np.uint8)[:] = np.frombuffer(rest, np.uint8)
                self.add(n)

    def take(self) -> Rows:
        """Return what there is, up to the length, and begin anew."""
        rows = np.empty(0, self._dtype) if self._rows is None else self._rows[: min(self._n, self._length)]
        if len(rows) * 2 < self._length:
            rows = rows.view(np.uint8).copy().view(self._dtype)  # with what lies between columns
        self._rows, self._n = None, 0
        return rows

    def last(self) -> Iterator[Rows]:
        """Yield what is left, and leave the memory to the next pass."""
        rows = self.take()
        if len(rows):
            yield rows
        if self._blocks and memoryview(self._blocks[0]).nbytes in _KEPT:
            self._spare[:] = self._blocks
        self._blocks = []


class _Walks:
    """Makes walks over the events of parts by time; all of them decode into the same pool."""

    def __init__(self, shared: Pass) -> None:
        self._n_args = spec_tables.timed_args(shared.registry.events)
        self._two = shared.two
        self._parts = Layout.PARTS if self._two else 1  # of each run
        self.pool = decoded_rows(_DECODED * self._parts, BRIEF)
        self._threads = Threads()

    def begin(self, part: Part, runs: Runs, gens: Rows) -> tuple[Second, _walk.Walk]:
        """Return a thread that works ahead, and the walk; the pool has room for at least a few events of each run."""
        ctx_of = self._threads.rows_of(runs.runs["m"])
        most = int(gens["n_runs"].max())
        if len(self.pool) < LEAST_AHEAD * most * self._parts:
            self.pool = decoded_rows(LEAST_AHEAD * most * self._parts, BRIEF)
        slab, ctxs = part.slab, self._threads.rows
        two = self._two and is_worth(slab)
        walk = _walk.Walk(
            *(slab.data, slab.base, slab.batches, runs.order, self._n_args, gens, runs.runs, ctxs, ctx_of),
            *(np.empty(most, np.int32), self.pool, two),
        )
        return Second(walk if two else None, part), walk


class AllocBuilder(Builder):
    """Rows of ALLOC, for the kinds in ``whats``, and the replayed heap if asked."""

    dtype = ALLOC

    def __init__(self, shared: Pass, length: int, whats: tuple[What, ...] = tuple(What), replay: bool = False) -> None:
        self._shared = shared
        self._flags = sum(1 << what for what in whats) + (Layout.REPLAY if replay else 0)
        self._chunks = _Chunks(ALLOC, length)
        self._walks = _Walks(shared)
        self.registry = shared.registry
        self._info: Info | None = None
        self.heap = LiveHeap()
        self.start = -1

    def feed(self, part: Part) -> Iterator[Rows]:
        """Merge a part's events and yield full chunks of rows."""
        runs = part.runs()
        gens = part.gens(runs)
        if self.start < 0:
            self.start = part.start
        keys, vals = self._tables_of(part, gens)
        if not len(runs.runs):
            return
        second, walk = self._walks.begin(part, runs, gens)
        fault = new_fault()
        extractor = _allocfree.Extractor(walk, keys, vals, MULTIPLIER, _CLASS_BYTES, self._flags, fault)
        extractor.tables(*self.heap.arrays())
        with second:
            while True:
                second.wake()
                self._chunks.add(extractor.take(self._chunks.room()))
                yield from self._chunks.full()
                status = int(fault["status"][0])
                if status == Status.OK:
                    break
                if status < 0:
                    if not part.pass_over(fault[0], self._walks.pool):
                        raise part.error(fault[0])
                elif status != Status.FULL:
                    self.heap.grow(Status(status))
                    extractor.tables(*self.heap.arrays())

    @property
    def page_size(self) -> int:
        """Bytes of a page, as the info batch says."""
        return (self._info or DEFAULT_INFO).page_size

    def flush(self) -> Iterator[Rows]:
        """Yield the last, partly filled chunk."""
        yield from self._chunks.last()

    def anomaly_counts(self) -> dict[str, int]:
        """What was odd, without the zeros."""
        return self.heap.anomaly_counts()

    @property
    def info(self) -> Info:
        """Scales, as far as they are known."""
        return self._info or DEFAULT_INFO

    def _tables_of(self, part: Part, gens: Rows) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """Fill in what the experiment's batches say: scales, and the index of type ids."""
        tables: list[AllocFreeData] = []
        of: list[int] = []
        self._scale(gens)
        for gen, data in part.alloc_free():
            if data.info is not None and data.info != self._info:
                if self._info is not None:
                    self._shared.warn(f"{part.place(gen)}: an info batch with other values")
                self._info = data.info
                self._scale(gens[gen:])
            for note in data.notes:
                self._shared.warn(f"{part.place(gen)}: {note}")
            tables.append(data)
            of.append(gen)
        rows = self._shared.types.enter(tables)
        if not len(rows):
            return np.empty(1, np.uint64), np.zeros(1, np.int32)
        ids = np.concatenate([data.types["id"] for data in tables])
        gen_of = np.repeat(np.array(of, np.int32), [len(data.types) for data in tables])
        index = make_index(ids, gen_of, len(gens))
        gens["type_at"], gens["type_bits"] = index.at, index.bits
        return index.keys, np.concatenate((np.zeros(1, np.int32), rows))[index.vals]

    def _scale(self, gens: Rows) -> None:
        """Note in rows of GEN what ids count in."""
        info = self.info
        for name in ("heap_base", "object_align", "stack_align"):
            gens[name] = getattr(info, name)
        gens["page_shift"] = info.page_size.bit_length() - 1
        gens["relative"] = self._info is None


class LifetimeBuilder(Builder):
    """Rows of LIFETIME: objects as they end, then those that live on, oldest first; or only what they add up to."""

    dtype = LIFETIME

    def __init__(self, shared: Pass, length: int, lives: Lives | None = None) -> None:
        self.allocs = AllocBuilder(shared, _REPLAYED)
        self.lives = lives or Lives()
        self._writes = lives is None
        if self._writes:
            self.lives.write_rows()

    def feed(self, part: Part) -> Iterator[Rows]:
        """Replay a part's events and yield the objects that end."""
        self._entered = False
        try:
            for rows in self.allocs.feed(part):
                yield from self._take(rows, part)
            if not self._entered:
                self._enter(part)  # its mark phases count without any object, too
        finally:
            for rows in self.allocs.flush():
                yield from self._take(rows, part)
            yield from self.lives.catch_up()

    def _take(self, rows: Rows, part: Part) -> Iterator[Rows]:
        if not self._entered:  # only now the part's scales are known
            self._enter(part)
        yield from self.take(rows)

    def _enter(self, part: Part) -> None:
        self._entered = True
        marks = part.marks(self.allocs.registry, (*_SNAPSHOT, _MARK_BEGIN))
        begins = marks["type"] == _MARK_BEGIN
        factors = clock.factor(part.tables.clocks["frequency"])
        page_size = self.allocs.info.page_size
        self.lives.enter(Slice(part.slab.batches, factors, page_size, np.sort(marks["time"][begins]), marks[~begins]))

    def take(self, rows: Rows) -> Iterator[Rows]:
        """Replay rows of ALLOC."""
        yield from self.lives.follow(rows, np.empty(0, np.int64))

    def flush(self) -> Iterator[Rows]:
        """Yield what lives."""
        self.lives.finish()
        if self._writes:
            yield self.lives.survivors()

    def anomaly_counts(self) -> dict[str, int]:
        """What was odd, without the zeros."""
        odd = self.allocs.heap.anomalies + self.lives.odd
        return {name: int(odd[kind]) for kind, name in ANOMALIES.items() if odd[kind]}


class ExperimentalBuilder(Builder):
    """Rows of EXPERIMENTAL: the events of every experiment, raw; or those of the wire types asked for."""

    dtype = EXPERIMENTAL

    def __init__(self, shared: Pass, length: int, types: Sequence[int] = ()) -> None:
        self._chunks = _Chunks(EXPERIMENTAL, length)
        self._walks = _Walks(shared)
        self._experiments = spec_tables.experiments(shared.registry.events)
        if types:
            self._experiments[:] = 0
            self._experiments[list(types)] = 1

    def feed(self, part: Part) -> Iterator[Rows]:
        """Merge a part's events and yield full chunks of rows."""
        runs = part.runs()
        if not len(runs.runs):
            return
        second, walk = self._walks.begin(part, runs, part.gens(runs))
        fault = new_fault()
        with second:
            while True:
                second.wake()
                self._chunks.add(_decode.experimental(walk, self._experiments, self._chunks.room(), fault))
                yield from self._chunks.full()
                if fault[0]["status"] == Status.OK:
                    break
                if fault[0]["status"] < 0 and not part.pass_over(fault[0], self._walks.pool):
                    raise part.error(fault[0])

    def flush(self) -> Iterator[Rows]:
        """Yield the last, partly filled chunk."""
        yield from self._chunks.last()


class OrderedBuilder(Builder):
    """Rows of a table that is made of ordered events.

    The builders of one pass share one state machine: ``events`` runs it, or the first one if it is not asked for;
    the others hand on what they were given meanwhile.
    """

    kinds: ClassVar[tuple[EventKind, ...]]
    columns: ClassVar[dict[str, str]] = {}

    def __init__(self, shared: Pass, length: int) -> None:
        self.shared = shared
        self._waiting: list[Rows] = []
        shared.ordered.append(self)

    @property
    def _drives(self) -> bool:
        ordered = self.shared.ordered
        return self is next((b for b in ordered if isinstance(b, EventBuilder)), ordered[0])

    def feed(self, part: Part) -> Iterator[Rows]:
        """Order a part's events and yield rows of this table."""
        if self._drives:
            self.shared.refused = True
            for rows in self.shared.order.run(part, self.place):
                self._share(rows)
                yield from self.ready()
            self.shared.refused = False
        yield from self.ready()

    def place(self) -> Rows | None:
        """Where ordered rows shall stand; None: anywhere."""
        return None

    def lose(self, part: Part) -> str:
        """Let the machine forget what a broken part made it believe."""
        self.shared.refused = False
        return self.shared.order.lose(part)

    def flush(self) -> Iterator[Rows]:
        """Yield what is left; the Sync that ends the trace stands only where its events got that far."""
        if self._drives and not self.shared.refused:
            self._share(self.shared.order.finish())
        yield from self.ready()

    def _share(self, rows: Rows) -> None:
        for builder in self.shared.ordered:
            builder.take(rows)

    def take(self, rows: Rows) -> None:
        """Pick this table's rows out of rows of ORDERED."""
        chosen = rows["kind"] == self.kinds[0]
        for kind in self.kinds[1:]:
            chosen |= rows["kind"] == kind
        rows = rows[chosen]
        if len(rows):
            table = np.empty(len(rows), self.dtype)
            for name in self.dtype.names or ():
                self.column(table, name, rows)
            self._waiting.append(table)

    def column(self, table: Rows, name: str, rows: Rows) -> None:
        """Fill one column; ``columns`` says which field of ORDERED, or which argument, has another name."""
        source = self.columns.get(name, name)
        if source.startswith("args"):
            table[name] = rows["args"][:, int(source[4:])]
        elif source in ("name", "text"):
            table[name] = self.shared.order.state.string_rows(rows[source])
        else:
            table[name] = rows[source]

    def ready(self) -> Iterator[Rows]:
        """Yield the rows that wait."""
        if self._waiting:
            rows = np.concatenate(self._waiting)
            self._waiting = []
            yield rows


class EventBuilder(OrderedBuilder):
    """Rows of EVENT: every event in order."""

    dtype = EVENT

    def __init__(self, shared: Pass, length: int) -> None:
        super().__init__(shared, length)
        self._chunks = _Chunks(EVENT, length, _MORE)
        self._left: Rows = np.empty(0, ORDERED)

    def place(self) -> Rows | None:
        """Where ordered rows stand so that what EVENT has of them is the current chunk: each overlaps the next one."""
        if len(self.shared.ordered) > 1:
            return None
        free = self._chunks.room()
        return np.ndarray(len(free) - 1, ORDERED, free, strides=(EVENT.itemsize,))

    def take(self, rows: Rows) -> None:
        """Take rows of ORDERED: what stands in its place already, or what ``ready`` copies before there are others."""
        if rows.strides[0] == EVENT.itemsize:
            self._chunks.add(len(rows))
        else:
            self._left = rows

    def ready(self) -> Iterator[Rows]:
        """Copy what was taken and stands elsewhere, and yield chunks that are full."""
        yield from self._chunks.full()
        while len(self._left):
            n = min(len(self._chunks.room()), len(self._left))
            _pool.take_events(self._left[:n], self._chunks.room())
            self._chunks.add(n)
            self._left = self._left[n:]
            yield from self._chunks.full()

    def flush(self) -> Iterator[Rows]:
        """Yield the last, partly filled chunk, too."""
        yield from super().flush()
        yield from self._chunks.last()


class TransitionBuilder(OrderedBuilder):
    """Rows of TRANSITION."""

    dtype = TRANSITION
    kinds = (EventKind.STATE_TRANSITION,)
    columns: ClassVar = {"id": "args0", "resource_stack": "stack2", "reason": "name"}


class RangeBuilder(OrderedBuilder):
    """Rows of RANGE."""

    dtype = RANGE
    kinds = (EventKind.RANGE_BEGIN, EventKind.RANGE_ACTIVE, EventKind.RANGE_END)
    columns: ClassVar = {"id": "args0", "swept": "args1", "reclaimed": "args2", "reason": "name"}
    _STARTS = np.array([event.start or event.id for event in EVENTS], np.uint8)

    def column(self, table: Rows, name: str, rows: Rows) -> None:
        """Fill one column."""
        if name == "start":
            table[name] = self._STARTS[rows["type"] - 1]
            return
        super().column(table, name, rows)
        if name == "id":
            table[name][rows["resource"] == Resource.NONE] = -1
        elif name in ("swept", "reclaimed"):
            table[name][rows["type"] != EventType.GC_SWEEP_END] = -1


class TaskBuilder(OrderedBuilder):
    """Rows of TASK."""

    dtype = TASK
    kinds = (EventKind.TASK_BEGIN, EventKind.TASK_END)
    columns: ClassVar = {"task": "args0", "parent": "args1"}


class RegionBuilder(OrderedBuilder):
    """Rows of REGION."""

    dtype = REGION
    kinds = (EventKind.REGION_BEGIN, EventKind.REGION_END)
    columns: ClassVar = {"task": "args0"}


class LogBuilder(OrderedBuilder):
    """Rows of LOG."""

    dtype = LOG
    kinds = (EventKind.LOG,)
    columns: ClassVar = {"task": "args0", "category": "name", "message": "text"}


class LabelBuilder(OrderedBuilder):
    """Rows of LABEL."""

    dtype = LABEL
    kinds = (EventKind.LABEL,)
    columns: ClassVar = {"label": "name"}


class MetricBuilder(OrderedBuilder):
    """Rows of METRIC."""

    dtype = METRIC
    kinds = (EventKind.METRIC,)
    columns: ClassVar = {"value": "args0"}


class GenerationBuilder(Builder):
    """Rows of GENERATION; counts every event on the way."""

    dtype = GENERATION

    def __init__(self, shared: Pass, length: int) -> None:
        self._n_args = spec_tables.timed_args(shared.registry.events)
        self._warn = shared.warn
        self._events = [event for event in shared.registry.events if event.timed]
        self.counts = np.zeros(256, np.int64)

    def feed(self, part: Part) -> Iterator[Rows]:
        """Yield a row for each generation of a part."""
        slab, tables = part.slab, part.tables
        runs = part.runs()
        gens = part.gens(runs)
        counts = np.zeros((slab.n_gens, 256), np.int64)
        ends = np.full(slab.n_gens, np.iinfo(np.int64).min)
        fault = new_fault()
        if len(runs.runs):
            _decode.count(
                slab.data, slab.base, slab.batches, runs.order, self._n_args, gens, runs.runs, counts, ends, fault
            )  # fmt: skip
        self.counts += counts.sum(axis=0)
        for event in (event for event in self._events if event.since > slab.version.number):
            for newer in np.flatnonzero(counts[:, event.id]).tolist():
                self._warn(f"{part.place(newer)}: {event.name} events, which header 1.{slab.version.number} has not")
        table = np.zeros(slab.n_gens, GENERATION)
        factors = gens["factor"]
        first = slab.batches["offset"][slab.starts[:-1]]
        table["number"] = slab.numbers
        table["offset"] = first
        table["nbytes"] = np.diff(np.concatenate((first, [slab.end])))
        table["start"] = clock.to_ns(min_times(slab), factors)
        table["end"] = np.maximum(ends, table["start"])
        table["frequency"] = tables.clocks["frequency"]
        table["events"] = counts.sum(axis=1)
        table["batches"] = np.diff(slab.starts)
        if slab.version.end_marks:
            table["batches"] -= 1
        table["threads"] = np.bincount(
            np.repeat(np.arange(slab.n_gens), np.diff(runs.first))[runs.runs["m"] != -1], minlength=slab.n_gens
        )
        for name, rows in (("strings", tables.strings), ("stacks", tables.stacks), ("samples", tables.samples)):
            table[name] = np.bincount(rows["gen"], minlength=slab.n_gens)
        for gen, data in part.alloc_free():
            table["types"][gen] = len(data.types)
        table["wall"] = wall_at(tables.clocks, factors, table["start"])
        if slab.cut:
            table["state"][-1] = State.CUT
        if fault[0]["status"] < 0:
            whole = int(slab.batches[fault[0]["batch"]]["gen"])
            yield table[:whole]
            raise part.error(fault[0])
        yield table


def wall_at(clocks: Rows, factors: npt.NDArray[np.float64], times: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """Wall-clock time of trace times in ns, each by the clock snapshot of its own generation; NaT without one."""
    snapped = clock.to_ns(clocks["time"], factors)
    wall = np.full(len(times), np.datetime64("NaT", "ns"))
    for i in np.flatnonzero(clocks["n_snapshots"]):
        wall[i] = clock.wall_ns(int(clocks["sec"][i]), int(clocks["nsec"][i]) + int(times[i]) - int(snapped[i]))
    return wall  # type: ignore[return-value]


class _LookupBuilder(Builder):
    """A table that other tables point into: row 0 is none, rows count over the whole trace."""

    def __init__(self, shared: Pass, length: int) -> None:
        self._shared = shared
        self._none_given = False

    def feed(self, part: Part) -> Iterator[Rows]:
        """Yield a part's rows, before the first ones a row of zeros."""
        yield from self.flush()
        yield self.rows(part)

    def flush(self) -> Iterator[Rows]:
        """Yield row 0 if nothing else did."""
        if not self._none_given:
            self._none_given = True
            yield self.none()

    def none(self) -> Rows:
        """Row 0."""
        return np.zeros(1, self.dtype)

    def rows(self, part: Part) -> Rows:
        """Return the rows of a part."""
        raise NotImplementedError


class StringBuilder(_LookupBuilder):
    """Rows of STRING."""

    dtype = STRING

    def none(self) -> Rows:
        """Row 0 is the empty string."""
        row = super().none()
        row["text"] = ""
        return row

    def rows(self, part: Part) -> Rows:
        """Decode the strings of a part."""
        strings = part.tables.strings
        table = np.zeros(len(strings), STRING)
        table["text"] = [part.tables.text(row) for row in range(len(strings))]
        table["id"] = strings["id"]
        table["generation"] = part.slab.numbers[strings["gen"]]
        return table


class StackBuilder(_LookupBuilder):
    """Rows of STACK."""

    dtype = STACK

    def __init__(self, shared: Pass, length: int) -> None:
        super().__init__(shared, length)
        self._n_frames = 0

    def rows(self, part: Part) -> Rows:
        """Point into the table of frames."""
        stacks = part.tables.stacks
        table = np.zeros(len(stacks), STACK)
        table["id"] = stacks["id"]
        table["first"] = stacks["first"] + self._n_frames
        table["n_frames"] = stacks["n_frames"]
        table["generation"] = part.slab.numbers[stacks["gen"]]
        self._n_frames += len(part.tables.frames)
        return table


class FrameBuilder(Builder):
    """Rows of FRAME, stack by stack, leaf first."""

    dtype = FRAME

    def __init__(self, shared: Pass, length: int) -> None:
        self._n_strings = self._n_stacks = 1

    def feed(self, part: Part) -> Iterator[Rows]:
        """Yield a part's frames; strings and stacks are rows of their tables."""
        tables = part.tables
        pcs = tables.pcs[tables.frames]
        table = np.zeros(len(pcs), FRAME)
        table["pc"] = pcs["pc"]
        table["line"] = pcs["line"]
        for name, rows in (("function", tables.functions[tables.frames]), ("file", tables.files[tables.frames])):
            table[name] = np.where(rows < 0, 0, rows + self._n_strings)
        table["stack"] = np.repeat(np.arange(len(tables.stacks)), tables.stacks["n_frames"]) + self._n_stacks
        self._n_strings += len(tables.strings)
        self._n_stacks += len(tables.stacks)
        yield table


class SampleBuilder(Builder):
    """Rows of SAMPLE: CPU samples of each generation by time, those of one time in Go's order."""

    dtype = SAMPLE

    def __init__(self, shared: Pass, length: int) -> None:
        self._n_stacks = 1

    def feed(self, part: Part) -> Iterator[Rows]:
        """Yield a part's samples."""
        tables = part.tables
        samples = tables.samples
        args = samples["args"].astype(np.int64)
        table = np.zeros(len(samples), SAMPLE)
        table["time"] = sample_times(tables)
        table["offset"] = samples["offset"]
        table["m"] = args[:, 1]
        table["p"] = np.clip(args[:, 2], -(2**31), 2**31 - 1)
        table["g"] = np.where(args[:, 3] == 0, -1, args[:, 3])
        rows = tables.stack_index.find(samples["args"][:, 4], samples["gen"])
        table["stack"] = np.where(rows < 0, 0, rows + self._n_stacks)
        table["generation"] = part.slab.numbers[samples["gen"]]
        self._n_stacks += len(tables.stacks)
        firsts = np.searchsorted(samples["gen"], np.arange(part.slab.n_gens + 1))
        yield table[time_order(table["time"], firsts)]


class TypeBuilder(Builder):
    """Rows of TYPE: 0 untyped, 1 unresolved, then each descriptor as it first appears."""

    dtype = TYPE

    def __init__(self, shared: Pass, length: int) -> None:
        self._shared = shared
        self._given = 0

    def feed(self, part: Part) -> Iterator[Rows]:
        """Yield the types that a part adds."""
        self._shared.types.enter([data for _, data in part.alloc_free()])
        yield from self.flush()

    def flush(self) -> Iterator[Rows]:
        """Yield what was not handed out yet."""
        if self._given < len(self._shared.types):
            rows = self._shared.types.rows(self._given)
            self._given = len(self._shared.types)
            yield rows


BUILDERS: dict[str, Callable[[Pass, int], Builder]] = {
    "allocs": AllocBuilder,
    "lifetimes": LifetimeBuilder,
    "objects": lambda shared, length: AllocBuilder(shared, length, (What.OBJECT,)),
    "spans": lambda shared, length: AllocBuilder(shared, length, (What.SPAN,)),
    "goroutine_stacks": lambda shared, length: AllocBuilder(shared, length, (What.STACK,)),
    "experimental": ExperimentalBuilder,
    "events": EventBuilder,
    "transitions": TransitionBuilder,
    "ranges": RangeBuilder,
    "tasks": TaskBuilder,
    "regions": RegionBuilder,
    "logs": LogBuilder,
    "labels": LabelBuilder,
    "metrics": MetricBuilder,
    "types": TypeBuilder,
    "generations": GenerationBuilder,
    "strings": StringBuilder,
    "stacks": StackBuilder,
    "frames": FrameBuilder,
    "samples": SampleBuilder,
}


def _without(dtype: np.dtype[np.void], *names: str) -> np.dtype[np.void]:
    fields = dtype.fields
    assert fields is not None
    return np.dtype([(name, fields[name][0]) for name in dtype.names or () if name not in names], align=True)


DTYPES: dict[str, np.dtype[np.void]] = {
    "allocs": ALLOC,
    "lifetimes": LIFETIME,
    "objects": _without(ALLOC, "what"),
    "spans": _without(ALLOC, "what", "type", "inset"),
    "goroutine_stacks": _without(ALLOC, "what", "type", "spanclass", "inset"),
    "experimental": EXPERIMENTAL,
    "events": EVENT,
    "transitions": TRANSITION,
    "ranges": RANGE,
    "tasks": TASK,
    "regions": REGION,
    "logs": LOG,
    "labels": LABEL,
    "metrics": METRIC,
    "types": TYPE,
    "generations": GENERATION,
    "strings": STRING,
    "stacks": STACK,
    "frames": FRAME,
    "samples": SAMPLE,
}
