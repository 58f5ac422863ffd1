"""What a user holds: :func:`open`, :class:`Trace`, its tables and generations.

Never here: decoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from gotrace import header
from gotrace.clock import Clock, to_ns, wall_ns
from gotrace.dtypes import HeapSize, Life
from gotrace.errors import TraceError
from gotrace.experiments import ExperimentData, Registry, registry
from gotrace.experiments.allocfree import TypeTable
from gotrace.heap import Heap, summarize
from gotrace.lifetimes import NEVER
from gotrace.losses import Losses
from gotrace.ordering.drive import Order, time_order
from gotrace.parts import Part, read_parts
from gotrace.reader import BUILDERS, DTYPES, AllocBuilder, Builder, LifetimeBuilder, Pass
from gotrace.second import OneAhead, helper
from gotrace.slabs import Rows
from gotrace.source import open_source
from gotrace.tables import Frame, StackTable, StringTable

if TYPE_CHECKING:  # texts and people's events are imported where they are asked for
    from gotrace.events import Event, Scene
    from gotrace.instants import HeapBuilder, Question
    from gotrace.selection import Selection

_SHOWN = 10  # rows of a table in a notebook
_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30, "b": 1}


def open(source: Any, *, errors: Literal["raise", "salvage"] = "raise", jobs: int = 1) -> Trace:
    """Open a Go execution trace.

    Parameters
    ----------
    source : path, buffer, binary file object or "-"
        A path is mapped; ``"-"`` is standard input. A stream can be read only once.
    errors : {"raise", "salvage"}
        What a damaged trace does: all rows before the fault, then a :class:`TraceError`; or whatever can be read, and
        what was lost is in :attr:`Trace.losses`.
    jobs : int
        Threads in all. Rows and their order never depend on it. A second one scans what comes next in a file or buffer,
        and decodes ahead for alloc/free rows, their replay and ordered events where generations are large, both only
        where ``errors`` is ``"raise"``. That gains where a second core is free, and it leaves the first one alone where
        none is; more gain nothing so far.

    Returns
    -------
    Trace
        A context manager. Its header is read at once, the rest when asked.

    Raises
    ------
    HeaderError, UnsupportedVersionError
        The input is no trace, or one that gotrace does not read.
    OSError
        The path cannot be opened.
    """
    if errors not in ("raise", "salvage"):
        raise ValueError(f"errors={errors!r}: raise or salvage")
    if jobs < 1:
        raise ValueError(f"jobs={jobs}: at least 1")
    return Trace(source, salvage=errors == "salvage", jobs=jobs)


class Trace:
    """One trace. Make it with :func:`open`.

    A trace belongs to one thread at a time.

    Attributes
    ----------
    version : str
        Version in the header, such as ``"1.26"``.
    writers : str
        The Go releases that write this version.
    path : str
        Name of the input.
    experiments : Registry
        The experiments that this trace is read with, by number or name.
    """

    def __init__(self, source: Any, *, salvage: bool = False, jobs: int = 1) -> None:
        self._losses = Losses() if salvage else None
        self._jobs = jobs
        self._source = open_source(source)
        self.path = self._source.name
        self.experiments: Registry = registry()
        try:
            window = self._source.window()
            while len(window.data) < header.SIZE and not window.last:
                window.more()
            self._version = header.read_header(window.data, self.path)
        except BaseException:
            self._source.close()
            raise
        self._source.rewind()
        self.version = self._version.name
        self.writers = self._version.writers
        self._closed: str | None = None
        self._notes: dict[str, None] = {}
        self._anomalies: dict[str, int] = {}
        self._span: tuple[int, int] | None = None
        self._data: WeakValueDictionary[tuple[int, int], ExperimentData] = WeakValueDictionary()
        self._cache: dict[str, Rows] = {}

    def __repr__(self) -> str:
        return f"<gotrace.Trace {self.path!r}, version {self.version}>"

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield every event in order, for people: a program reads table ``events``."""
        from gotrace.events import Event

        for scene, rows in self._ordered():
            copy = rows.copy()
            for i in range(len(copy)):
                yield Event(copy[i : i + 1], scene)

    def close(self) -> None:
        """Close the input. Arrays that were handed out stay valid."""
        self._closed = self._closed or "it was closed"
        self._source.close()

    # --- one pass -------------------------------------------------------------------------------------------

    def _parts(self, progress: Callable[[int], None] | None = None) -> Iterator[Part]:
        """Yield the parts of one pass; after a fault the trace is closed, unless to salvage."""
        if self._closed:
            raise ValueError(f"the trace cannot be read: {self._closed}")
        try:
            with helper(self._jobs) as thread:
                read = (self._source, self._version, header.SIZE, self.experiments, self._losses)
                following = None
                if thread is not None and self._losses is None and not self._source.once:
                    following = OneAhead(read_parts(*read, ahead=True), thread)
                for part in following or read_parts(*read):
                    for note in part.notes:
                        self._warn(note)
                    part.helper, part.following = thread, following
                    try:
                        yield part
                    finally:
                        part.following = None  # which may hold an exception, and that holds the part
                    if progress is not None:
                        progress(part.slab.end)
        except TraceError as error:
            self._fail(error)
            raise

    def _fed(self, builder: Builder, part: Part) -> Iterator[Rows]:
        """Feed a builder; to salvage, what it cannot take is noted as lost."""
        try:
            yield from builder.feed(part)
        except TraceError as error:
            if self._losses is None:
                raise
            self._losses.add(error, builder.lose(part))

    def _fail(self, error: TraceError) -> None:
        self._closed = f"it is damaged ({error})"
        self._source.close()

    def _wire(self) -> Iterator[bytes]:
        """Yield Go's text of every record, in pieces."""
        from gotrace.wire import wire_text

        try:
            yield from wire_text(self._source, self._version, header.SIZE, self.experiments)
        except TraceError as error:
            self._fail(error)
            raise

    def _ordered(self) -> Iterator[tuple[Scene, Rows]]:
        """Yield all events as rows of ORDERED, each lot valid until the next one."""
        from gotrace.events import Scene
        from gotrace.parsed import Lines

        lines = Lines(self.experiments)
        order = Order(self.experiments, self._warn, mends=self._losses is not None, jobs=self._jobs)
        scene = Scene(None, order, lines.of(None, order), self.experiments)
        fault: TraceError | None = None
        ordered = True  # a fault in what comes next stands behind a Sync, one among the events does not
        try:
            for part in self._parts():
                if self._source.once:  # events may be kept, the window will not be
                    part.tables.data = part.tables.data.copy()
                scene = Scene(part, order, lines.of(part, order), self.experiments)
                ordered = False
                try:
                    for rows in order.run(part):
                        yield scene, rows
                except TraceError as error:
                    if self._losses is None:
                        raise
                    self._losses.add(error, order.lose(part))
                ordered = True
        except TraceError as error:
            self._fail(error)
            if not ordered:
                raise
            fault = error
        yield scene, order.finish()
        if fault is not None:
            raise fault

    def _parsed(self, selection: Selection | None = None) -> Iterator[bytes]:
        """Yield Go's text of the events in order, in pieces."""
        start = None
        for scene, rows in self._ordered():
            if start is None and scene.part is not None:
                start = scene.part.start
            chosen = rows if selection is None else selection.of(rows, start or 0)
            yield from scene.lines.write(chosen)

    def _new_pass(self) -> Pass:
        return Pass(self.experiments, self._warn, mends=self._losses is not None, jobs=self._jobs)

    def _warn(self, note: str) -> None:
        self._notes.setdefault(note)

    @overload
    def iterate(  # type: ignore[overload-overlap]
        self,
        tables: str,
        *,
        columns: Sequence[str] | None = None,
        step_size: str | int = ...,
        library: Literal["np"] = ...,
    ) -> Iterator[Rows]: ...

    @overload
    def iterate(
        self,
        tables: Sequence[str],
        *,
        columns: Sequence[str] | None = None,
        step_size: str | int = ...,
        library: Literal["np"] = ...,
    ) -> Iterator[dict[str, Rows]]: ...

    def iterate(
        self,
        tables: str | Sequence[str],
        *,
        columns: Sequence[str] | None = None,
        step_size: str | int = "32 MB",
        library: Literal["np"] = "np",
    ) -> Iterator[Rows] | Iterator[dict[str, Rows]]:
        """Yield the rows of one or several tables in chunks, in one pass.

        Parameters
        ----------
        tables : str or sequence of str
            A name gives an array at each step; a list of names gives a dict of arrays, empty where a table has
            nothing ready yet.
        columns : sequence of str, optional
            Fields to keep, in this order; a table of a list keeps those that it has.
        step_size : str or int
            About how many bytes of rows a chunk has. It never changes a row or its place.
        library : {"np"}
            The container.

        Yields
        ------
        ndarray, or dict of str to ndarray
            The caller's own; never touched again.

        Raises
        ------
        TraceError
            After all rows before the fault.
        """
        if library != "np":
            raise ValueError(f"library={library!r}: only 'np' is known")
        names = [tables] if isinstance(tables, str) else list(tables)
        for name in names:
            if name not in BUILDERS:
                raise ValueError(f"no table {name!r}; there are {', '.join(BUILDERS)}")
        keep = {name: _columns(name, columns, single=isinstance(tables, str)) for name in names}
        step = parse_size(step_size) // len(names)
        chunks = self._chunks(keep, step)
        if isinstance(tables, str):
            return (rows for _, rows in chunks)
        nothing = {name: np.empty(0, narrow(DTYPES[name], keep[name])) for name in names}
        return ({**nothing, name: rows} for name, rows in chunks)

    def _chunks(
        self,
        keep: dict[str, list[str]],
        step: int,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[str, Rows]]:
        """Yield the columns to keep of some tables in one pass, a chunk of one of them at a time."""
        with self._new_pass() as shared:
            dtypes = {name: narrow(DTYPES[name], columns) for name, columns in keep.items()}
            lengths = {name: max(step // DTYPES[name].itemsize, 1) for name in keep}
            builders = {name: BUILDERS[name](shared, lengths[name]) for name in keep}

            def ready(name: str, rows: Rows) -> Iterator[tuple[str, Rows]]:
                for at in range(0, len(rows), lengths[name]):
                    yield name, _select(rows[at : at + lengths[name]], dtypes[name])

            try:
                for part in self._parts(progress):
                    for name, builder in builders.items():
                        for rows in self._fed(builder, part):
                            yield from ready(name, rows)
                    part.drop()
            except TraceError as error:
                self._fail(error)
                for name, builder in builders.items():
                    for rows in builder.flush():
                        yield from ready(name, rows)
                raise
            finally:
                self._note(builders.values(), shared)
            for name, builder in builders.items():
                for rows in builder.flush():
                    yield from ready(name, rows)

    def _note(self, builders: Iterable[Builder], shared: Pass) -> None:
        for builder in builders:
            if isinstance(builder, AllocBuilder | LifetimeBuilder):
                self._anomalies.update(builder.anomaly_counts())
                if self._source.once:  # it cannot be read again, but what rows point to must be there
                    self._cache["types"] = shared.types.rows()

    # --- what it is about -----------------------------------------------------------------------------------

    @property
    def start(self) -> int:
        """Time of the trace's start in ns: the earliest base time of its batches."""
        return self._extent()[0]

    @property
    def end(self) -> int:
        """Time of the trace's last event in ns."""
        return self._extent()[1]

    def _extent(self) -> tuple[int, int]:
        if self._span is None:
            rows = self.generations.to_numpy(["start", "end"])
            self._span = (int(rows["start"].min()), int(rows["end"].max())) if len(rows) else (-1, -1)
        return self._span

    @property
    def anomalies(self) -> dict[str, int]:
        """What was odd about the alloc/free events read so far, with counts."""
        return dict(self._anomalies)

    @property
    def warnings(self) -> list[str]:
        """What else was odd, as far as the trace was read."""
        return list(self._notes)

    @property
    def losses(self) -> list[str]:
        """What was lost as far as the trace was read; empty unless it was opened to salvage, since damage raises."""
        return self._losses.lines() if self._losses is not None else []

    def wall(self, time: npt.ArrayLike) -> npt.NDArray[np.datetime64]:
        """Turn trace times in ns into wall-clock times.

        Parameters
        ----------
        time : array_like of int64
            ns, as in column ``time`` of any table.

        Returns
        -------
        ndarray of datetime64[ns]
            NaT for -1, and for every time of a trace without clock snapshots (Go 1.24 and earlier). A time is
            converted with the snapshot of the generation it falls into.
        """
        times = np.asarray(time, np.int64)
        rows = self._generation_rows()
        wall = np.full(times.shape, np.datetime64("NaT", "ns"))
        if not len(rows) or np.isnat(rows["wall"]).all():
            return wall
        gen = np.maximum(np.searchsorted(rows["start"], times, side="right") - 1, 0)
        known = times != -1
        wall[known] = (rows["wall"][gen] + (times - rows["start"][gen]).astype("m8[ns]"))[known]
        return wall

    def stack(self, row: int) -> list[Frame]:
        """Frames of a row of table ``stacks``, leaf first; row 0 has none."""
        if "frames" not in self._cache:
            for name in ("strings", "stacks", "frames"):
                self._cache[name] = getattr(self, name).to_numpy()
        stack = self._cache["stacks"][row]
        text = self._cache["strings"]["text"]
        first, n = int(stack["first"]), int(stack["n_frames"])
        return [
            Frame(text[frame["function"]], text[frame["file"]], int(frame["line"]), int(frame["pc"]))
            for frame in self._cache["frames"][first : first + n]
        ]

    def _generation_rows(self) -> Rows:
        if "generations" not in self._cache:
            self._cache["generations"] = self.generations.to_numpy()
        return self._cache["generations"]

    # --- tables ---------------------------------------------------------------------------------------------

    def _table(self, name: str) -> Table:
        return Table(self, name)

    @property
    def allocs(self) -> Table:
        """One row for each AllocFree event."""
        return self._table("allocs")

    @property
    def objects(self) -> Table:
        """The rows of ``allocs`` about heap objects."""
        return self._table("objects")

    @property
    def spans(self) -> Table:
        """The rows of ``allocs`` about spans."""
        return self._table("spans")

    @property
    def goroutine_stacks(self) -> Table:
        """The rows of ``allocs`` about stack memory of goroutines."""
        return self._table("goroutine_stacks")

    @property
    def lifetimes(self) -> Table:
        """One row for each heap object."""
        return self._table("lifetimes")

    @property
    def experimental(self) -> Table:
        """Events of every experiment, raw."""
        return self._table("experimental")

    @property
    def events(self) -> Table:
        """Every event, ordered and validated."""
        return self._table("events")

    @property
    def transitions(self) -> Table:
        """Goroutines and procs change their states, in order."""
        return self._table("transitions")

    @property
    def ranges(self) -> Table:
        """Begins and ends of stopped worlds, mark phases, sweeps and mark assists, in order."""
        return self._table("ranges")

    @property
    def tasks(self) -> Table:
        """Begins and ends of tasks, in order."""
        return self._table("tasks")

    @property
    def regions(self) -> Table:
        """Begins and ends of regions, in order."""
        return self._table("regions")

    @property
    def logs(self) -> Table:
        """Log messages, in order."""
        return self._table("logs")

    @property
    def labels(self) -> Table:
        """Labels of goroutines, in order."""
        return self._table("labels")

    @property
    def metrics(self) -> Table:
        """Samples of Go's metrics, in order."""
        return self._table("metrics")

    @property
    def types(self) -> Table:
        """Types of the whole trace; row 0 is untyped, row 1 unresolved."""
        return self._table("types")

    @property
    def strings(self) -> Table:
        """Strings of each generation; row 0 is the empty one."""
        return self._table("strings")

    @property
    def stacks(self) -> Table:
        """Call stacks of each generation; row 0 is none."""
        return self._table("stacks")

    @property
    def frames(self) -> Table:
        """Frames of all call stacks."""
        return self._table("frames")

    @property
    def samples(self) -> Table:
        """CPU samples."""
        return self._table("samples")

    @property
    def generations(self) -> Generations:
        """A row for each generation; iterating over it gives :class:`Generation` objects."""
        return Generations(self, "generations")

    def heap(
        self, *, by: str = "type", at: str = "end", min_age: int | None = None, max_age: int | None = None
    ) -> Heap:
        """Replay the alloc/free events and say what is on the heap.

        One pass; two for ages at the peak.

        Parameters
        ----------
        by : {"type", "class", "package", "goroutine", "task", "region", "site"}
            What a line stands for. By type, objects without one stand under their size class. Goroutine, task and
            region are of the goroutine that allocated: the function it started with, its innermost task or region at
            that time. They need the order of events; objects of which it tells nothing are ``(unknown)``, as all that
            were there at the start. By site is an estimate from CPU samples, with ``errors``.
        at : str
            The instant: ``"start"``, ``"peak"`` (the first one of most bytes in use), ``"end"``, a time from the
            trace's start such as ``"12.5s"``, or ``"gc:17"``, as the trace's 17th mark phase begins.
        min_age, max_age : int, optional
            Ages in GC cycles that count, both included. An object's age are the mark phases that began while it lived.

        Returns
        -------
        Heap

        Raises
        ------
        ValueError
            There is no such group, instant or age, or a stream would have to be read twice.
        TraceError
            The trace is damaged; ``partial`` of the error holds the heap up to the fault.
        """
        from gotrace.instants import Question

        return self._heap(Question(by, at, min_age, max_age))

    def _heap(self, question: Question, progress: Callable[[int], None] | None = None) -> Heap:
        from gotrace.instants import HeapBuilder, Question, QuestionError

        if question.simple:
            return self._heap_at_end(question.by, progress)
        if question.twice and self._source.once:
            raise QuestionError("ages at the peak need two passes, which a stream cannot: save it to a file first")
        rows = NEVER
        if question.twice:
            peak = HeapBuilder(self._new_pass(), Question(question.by, "peak"))
            try:
                self._replay(peak, progress)
            except TraceError as fault:
                fault.partial = None  # ages would need the second pass
                raise
            rows = int(peak.lives.life[Life.PEAK_ROWS])
        builder = HeapBuilder(self._new_pass(), question, rows)
        return self._replay(builder, progress)

    def _replay(self, builder: HeapBuilder, progress: Callable[[int], None] | None) -> Heap:
        from gotrace.instants import QuestionError

        fault: TraceError | None = None
        try:
            for part in self._parts(progress):
                for _ in self._fed(builder, part):
                    pass
                part.drop()
                if builder.done:
                    break
        except TraceError as error:
            self._fail(error)
            fault = error
        self._note([builder], builder.shared)
        if fault is not None:
            with suppress(QuestionError):  # the mark phase that was asked for may lie behind the fault
                fault.partial = builder.heap()
            raise fault
        return builder.heap()

    def _heap_at_end(self, by: str, progress: Callable[[int], None] | None = None) -> Heap:
        builder, types, fault = self._replayed(progress)
        live = builder.heap
        heap = Heap(
            summarize(live.used_counts(), types, by),
            *(live.time, by, builder.start, bool(live.sizes[HeapSize.EVENTS]), live.memory(), live.anomaly_counts()),
        )
        if fault is not None:
            fault.partial = heap
            raise fault
        return heap

    def _replayed(
        self, progress: Callable[[int], None] | None = None
    ) -> tuple[AllocBuilder, TypeTable, TraceError | None]:
        """Replay the alloc/free events up to the trace's end or its first fault."""
        shared = self._new_pass()
        builder = AllocBuilder(shared, 1, whats=(), replay=True)
        fault: TraceError | None = None
        try:
            for part in self._parts(progress):
                for _ in self._fed(builder, part):
                    pass
                part.drop()
        except TraceError as error:
            self._fail(error)
            fault = error
        self._note([builder], shared)
        return builder, shared.types, fault


class Table:
    """One table of a trace; nothing is read before somebody asks.

    Each access reads the trace anew, so keep the array that :meth:`to_numpy` returns.
    """

    def __init__(self, trace: Trace, name: str) -> None:
        self._trace = trace
        self.name = name

    def __repr__(self) -> str:
        return f"<gotrace.Table {self.name!r} of {self._trace.path!r}>"

    def _repr_html_(self) -> str | None:
        """First rows, for notebooks; of a stream nothing, since looking would use it up."""
        from html import escape

        if self._trace._source.once:
            return None
        names = self.dtype.names or ()
        rows = next(iter(self._trace.iterate(self.name, step_size=_SHOWN * self.dtype.itemsize)), ())[:_SHOWN]
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(row[name]))}</td>" for name in names) + "</tr>" for row in rows
        )
        caption = f"<caption>{escape(self.name)}: first rows</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Type of a row."""
        return DTYPES[self.name]

    def to_numpy(self, columns: Sequence[str] | None = None) -> Rows:
        """Read all rows into one structured array.

        Parameters
        ----------
        columns : sequence of str, optional
            Fields to keep, in this order.

        Returns
        -------
        ndarray
            The caller's own.

        Raises
        ------
        TraceError
            The trace is damaged; :meth:`Trace.iterate` gives the rows before the fault.
        """
        keep = _columns(self.name, columns, single=True)
        if self.name == "types" and "types" in self._trace._cache:
            return _select(self._trace._cache["types"].copy(), narrow(self.dtype, keep))
        chunks = list(self._trace.iterate(self.name, columns=keep))
        total = np.empty(sum(map(len, chunks)), narrow(self.dtype, keep))
        at = 0
        for i, chunk in enumerate(chunks):
            total[at : at + len(chunk)] = chunk
            at += len(chunk)
            chunks[i] = total[:0]
        return total

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Any:
        rows = self.to_numpy()
        return rows if dtype is None else rows.astype(dtype)

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        return self.to_numpy([column])[column].copy()

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._trace.iterate(self.name):
            yield from chunk

    def __len__(self) -> int:
        return sum(len(chunk) for chunk in self._trace.iterate(self.name, columns=(self.dtype.names or ())[:1]))


class Generations(Table):
    """Table ``generations``; iterating gives :class:`Generation` objects."""

    def __iter__(self) -> Iterator[Generation]:
        trace = self._trace
        for part in trace._parts():
            data = trace._source.once and part.tables.data.copy()
            if data is not False:
                part.tables.data = data
            for gen in range(part.slab.n_gens):
                yield Generation(trace, part, gen)


class Generation:
    """One generation of a trace.

    Attributes
    ----------
    number : int
        As in the file.
    offset, nbytes : int
        Absolute byte of its first batch, and bytes of all its batches.
    clock : Clock
    """

    def __init__(self, trace: Trace, part: Part, gen: int) -> None:
        slab, tables = part.slab, part.tables
        self.number = int(slab.numbers[gen])
        self.offset = int(slab.batches["offset"][slab.starts[gen]])
        after = slab.starts[gen + 1]
        self.nbytes = (int(slab.batches["offset"][after]) if after < len(slab.batches) else slab.end) - self.offset
        row = tables.clocks[gen]
        ns = 1.0 / (float(row["frequency"]) / 1e9)
        snapped = bool(row["n_snapshots"])
        self.clock = Clock(
            int(row["frequency"]),
            int(to_ns(row["time"].reshape(1), ns)[0]) if snapped else None,
            int(row["mono"]) if snapped else None,
            wall_ns(int(row["sec"]), int(row["nsec"])) if snapped else None,
        )
        self.experiments = ExperimentTable(
            trace.experiments,
            {
                number: trace._data.setdefault((self.offset, number), data)
                for (of, number), data in part.experiments().items()
                if of == gen
            },
        )
        self._tables = tables
        self._strings = np.searchsorted(tables.strings["gen"], [gen, gen + 1])
        self._stacks = np.searchsorted(tables.stacks["gen"], [gen, gen + 1])
        self._samples = np.searchsorted(tables.samples["gen"], [gen, gen + 1])
        self._factor = ns

    def __repr__(self) -> str:
        return f"<gotrace.Generation {self.number}: {self.nbytes} bytes at {self.offset}>"

    @property
    def strings(self) -> StringTable:
        """Strings by id."""
        return StringTable(self._tables, *map(int, self._strings))

    @property
    def stacks(self) -> StackTable:
        """Call stacks by id: lists of :class:`Frame`, leaf first."""
        return StackTable(self._tables, *map(int, self._stacks))

    @property
    def samples(self) -> list[tuple[int, int, int, int, int]]:
        """CPU samples by time, as in table ``samples``: time in ns, m, p, g and stack id; -1 for none."""
        args = self._tables.samples["args"][slice(*map(int, self._samples))]
        times = to_ns(args[:, 0], self._factor)
        signed = args.astype(np.int64)
        signed[:, 3][signed[:, 3] == 0] = -1
        return [
            (int(times[i]), int(signed[i, 1]), int(signed[i, 2]), int(signed[i, 3]), int(args[i, 4]))
            for i in time_order(times, np.array([0, len(times)]))
        ]


class ExperimentTable(Mapping[int | str, ExperimentData]):
    """Experiments of one generation, by number or name; only those that have batches."""

    def __init__(self, known: Registry, data: dict[int, ExperimentData]) -> None:
        self._known = known
        self._data = data

    def __getitem__(self, key: int | str) -> ExperimentData:
        return self._data[self._known[key].id if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[int]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"<experiments {', '.join(data.experiment.name for data in self._data.values()) or 'none'}>"


def parse_size(size: str | int) -> int:
    """Read a number of bytes, such as ``"32 MB"`` (decimal) or ``"32 MiB"``.

    Raises
    ------
    ValueError
        It is no such number, or not above 0.
    """
    if isinstance(size, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", size)
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError(f"step_size={size!r}: a number and a unit, such as '32 MB'")
        size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size < 1:
        raise ValueError(f"step_size={size}: at least 1")
    return size


def _columns(name: str, columns: Sequence[str] | None, *, single: bool) -> list[str]:
    known = list(DTYPES[name].names or ())
    if columns is None:
        return known
    wrong = [column for column in columns if column not in known]
    if wrong and single:
        raise ValueError(f"table {name} has no column {wrong[0]!r}; it has {', '.join(known)}")
    return [column for column in columns if column in known]


def narrow(dtype: np.dtype[np.void], keep: list[str]) -> np.dtype[np.void]:
    """Type of a row with only some of its fields, in the order given."""
    if keep == list(dtype.names or ()):
        return dtype
    assert dtype.fields is not None
    return np.dtype([(name, dtype.fields[name][0]) for name in keep], align=True)


def _select(rows: Rows, dtype: np.dtype[np.void]) -> Rows:
    if rows.dtype == dtype:
        return rows
    chosen = np.empty(len(rows), dtype)
    for name in dtype.names or ():
        chosen[name] = rows[name]
    return chosen
