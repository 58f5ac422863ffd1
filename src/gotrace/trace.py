"""The public entry points :func:`open` and :class:`Trace`: an input comes in, tables go out. Never here: decoding."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MethodType, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, NoReturn, ParamSpec, Protocol, TypeVar, overload

import numpy as np
import numpy.typing as npt

import gotrace
from gotrace.dtypes import Rows
from gotrace.errors import TraceError, check_choice
from gotrace.experiments import Registry
from gotrace.heap.table import Heap
from gotrace.tables.catalog import TABLES
from gotrace.tables.generation import Generations
from gotrace.tables.passes import Progress, TraceReader
from gotrace.tables.table import Table, reader_of_chunks
from gotrace.views import View, Viewed
from gotrace.wire.clock import to_wall
from gotrace.wire.structure import Frame

if TYPE_CHECKING:  # imported at first use: most programs need none of them
    from gotrace import Methods
    from gotrace.order.selection import Selection
    from gotrace.tables.instants import Group, Instant
    from gotrace.text.event import Event

else:
    Methods = object

P = ParamSpec("P")
R = TypeVar("R")


def open(
    source: Any,
    *,
    errors: Literal["raise", "salvage"] = "raise",
    jobs: int = 1,
    mmap: bool = True,
    storage_options: Mapping[str, Any] | None = None,
) -> Trace:
    """Open a Go execution trace.

    Parameters
    ----------
    source : path, URL, buffer, binary file object or "-"
        A path is memory-mapped; a text that contains ``://`` is a URL and is opened with fsspec; ``"-"`` is standard
        input. A file object that can seek is read from its current position, and stays open. Each may be compressed
        with gzip, zstd or xz. A stream can be read only once.
    errors : {"raise", "salvage"}
        How to treat a damaged trace: return all rows before the fault, then raise :class:`TraceError`; or read whatever
        can be read and list the rest in :attr:`Trace.losses`.
    jobs : int
        The total number of threads; rows and their order do not depend on it. With ``errors="raise"``, a second thread
        reads and decompresses ahead and, where generations are large, decodes ahead for alloc/free rows, their replay
        and ordered events; it is left idle if no second core is free. Threads beyond the second have no effect.
    mmap : bool
        Map a path into memory. If another process truncates a mapped file while it is read, the system may end this
        process (SIGBUS); False reads the file instead, a little slower.
    storage_options : mapping, optional
        Arguments of the file system of fsspec, such as credentials; for URLs only.

    Returns
    -------
    Trace
        A context manager. The header is read immediately, the rest on demand.

    Raises
    ------
    HeaderError, UnsupportedVersionError
        The input is not a trace, or its version is not supported.
    ImportError
        A library is missing for the URL or for the compression.
    OSError
        The path or URL cannot be opened.
    TypeError, ValueError
        An argument is wrong.
    """
    check_options(errors=errors, jobs=jobs)
    return Trace(source, salvage=errors == "salvage", jobs=jobs, mmap=mmap, storage_options=storage_options)


def check_options(*, errors: str, jobs: int, **others: object) -> None:
    """Raise TypeError or ValueError if an argument of :func:`open` is wrong."""
    check_choice("errors", errors, ("raise", "salvage"))
    if operator.index(jobs) < 1:
        raise ValueError(f"jobs={jobs}: must be at least 1")


class Analysis(Protocol[P, R]):
    """A function of an open trace; of a path, buffer or file, which it opens and closes; or of a list of these.

    Of a list, the result is a list of results, in order; one trace is open at a time.
    """

    @overload
    def __call__(self, trace: list[Any] | tuple[Any, ...], /, *args: P.args, **kwargs: P.kwargs) -> list[R]: ...

    @overload
    def __call__(self, trace: Any, /, *args: P.args, **kwargs: P.kwargs) -> R: ...


class AnalysedTable(Table, Generic[P, R]):
    """A table; called, it is the analysis of the same name of its trace."""

    def __init__(self, trace: Trace, name: str, analysis: Callable[Concatenate[Trace, P], R]) -> None:
        super().__init__(trace.reader, name)
        self._trace = trace
        self._analysis = analysis

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the result of the analysis."""
        return self._analysis(self._trace, *args, **kwargs)


class _Method:
    """An analysis as a method: the public function of this name, which is imported at first use.

    With a table of the same name, it is the table, which can be called.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, trace: Trace | None, owner: type[Trace]) -> Any:
        function = getattr(gotrace, self._name)
        if trace is None:
            return function
        return AnalysedTable(trace, self._name, function) if self._name in TABLES else MethodType(function, trace)


class Trace(Viewed, Methods):
    """An open trace, made by :func:`open`.

    A trace must not be used by several threads at a time. Each name in :attr:`tables` is an attribute, a
    :class:`Table`. Each analysis, such as :func:`gotrace.stats`, is also a method; where a table has its name, such as
    ``spans``, the table can be called.

    Attributes
    ----------
    version : str
        Version in the header, such as ``"1.26"``.
    writers : str
        The Go releases that write this version.
    path : str
        Name of the input; of a URL, without user and password.
    experiments : Registry
        The experiments known to this trace, by number or name.
    reader : TraceReader
        Passes over this trace, for code that defines its own builders. Not stable.
    """

    def __init__(
        self,
        source: Any,
        *,
        salvage: bool = False,
        jobs: int = 1,
        mmap: bool = True,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.reader = TraceReader(source, salvage=salvage, jobs=jobs, mapped=mmap, storage_options=storage_options)
        self.path = self.reader.source.name
        self.experiments: Registry = self.reader.experiments
        self.version = self.reader.version.name
        self.writers = self.reader.version.writers
        self._rows: dict[str, Rows] = {}  # whole tables, for lookups by row

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Table: ...

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Trace cannot be pickled or copied: pass its path, and open it there")

    def __repr__(self) -> str:
        return f"<gotrace.Trace {self.path!r}, version {self.version}>"

    def view(self) -> View:
        """Return the names of the tables, without reading the trace."""
        rows = [(name, table.doc.replace("``", "")) for name, table in TABLES.items()]
        facts = f"{self.path}: trace of {self.writers} (version {self.version})"
        return View(facts, ("table", "rows"), rows, most=len(rows))

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield every event in order, in human-readable form; programs should read table ``events``."""
        from gotrace.text.event import events

        return events(self.reader)

    def close(self) -> None:
        """Close the input. Arrays already returned stay valid."""
        self.reader.close()

    def text(self, mode: Literal["parsed", "wire"] = "parsed", selection: Selection | None = None) -> Iterator[bytes]:
        """Yield the text that ``go tool trace -d`` prints, in blocks of whole lines.

        Parameters
        ----------
        mode : {"parsed", "wire"}
            Every event in order, or every record of the file.
        selection : Selection, optional
            The events to print; for mode ``parsed`` only.

        Raises
        ------
        TypeError, ValueError
            There is no such mode.
        TraceError
            After the text of everything before the fault.
        """
        check_choice("mode", mode, ("parsed", "wire"))
        if mode == "wire":
            from gotrace.text.wire import wire_text

            return wire_text(self.reader)
        from gotrace.text.ordered import parsed_text

        return parsed_text(self.reader, selection)

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

    @overload
    def iterate(
        self,
        tables: str | Sequence[str],
        *,
        columns: Sequence[str] | None = None,
        step_size: str | int = ...,
        library: Literal["arrow", "pd", "pl"],
    ) -> Iterator[Any]: ...

    def iterate(
        self,
        tables: str | Sequence[str],
        *,
        columns: Sequence[str] | None = None,
        step_size: str | int = "32 MB",
        library: Literal["np", "arrow", "pd", "pl"] = "np",
    ) -> Iterator[Any]:
        """Yield the rows of one or several tables in chunks, in one pass.

        Parameters
        ----------
        tables : str or sequence of str
            A name yields a container at each step; a sequence yields a dict of containers, empty for a table that has
            no rows ready.
        columns : sequence of str, optional
            Columns to keep, in this order; with several tables, each keeps those that it has. For a library other than
            numpy, they are those of :meth:`Table.select`.
        step_size : str or int
            Approximate size of a chunk in bytes. It affects neither the rows nor their order.
        library : {"np", "arrow", "pd", "pl"}
            The type of a container: numpy's structured ndarray, a RecordBatch of pyarrow, or a DataFrame of pandas or
            polars.

        Yields
        ------
        container, or dict of str to container
            Owned by the caller; never modified later.

        Raises
        ------
        KeyError
            There is no such table or column.
        TypeError, ValueError
            Another argument is wrong.
        ImportError
            The library is not installed.
        TraceError
            After all rows before the fault.
        """
        return reader_of_chunks(tables, columns, step_size, library)(self.reader)

    # --- properties -----------------------------------------------------------------------------------------

    @property
    def start(self) -> int:
        """Start of the trace in ns: the earliest base time of its first generation; -1 if it has none."""
        if self.reader.start < 0 and self.reader.source.once:
            self._whole("generations")
        elif self.reader.start < 0:
            with self.reader.peek():
                next(self.reader.segments(), None)
        return self.reader.start

    @property
    def end(self) -> int:
        """Time of the last event in ns; -1 if there is none."""
        return int(self._whole("generations")["end"].max(initial=-1))

    @property
    def anomalies(self) -> dict[str, int]:
        """Anomalies of the alloc/free events read so far, with counts."""
        return dict(self.reader.anomalies)

    @property
    def warnings(self) -> list[str]:
        """Warnings about the part of the trace read so far."""
        return list(self.reader.warnings)

    @property
    def fault(self) -> TraceError | None:
        """The fault that ended the last read of a damaged trace, also one through an Arrow stream; None without one."""
        return self.reader.fault

    @property
    def losses(self) -> list[str]:
        """What was lost in the part read so far; empty unless the trace was opened with ``errors="salvage"``."""
        return self.reader.losses.lines() if self.reader.losses is not None else []

    def wall(self, time: npt.ArrayLike) -> npt.NDArray[np.datetime64]:
        """Convert trace times in ns to wall-clock times.

        Parameters
        ----------
        time : array_like of int64
            ns, as in column ``time`` of any table.

        Returns
        -------
        ndarray of datetime64[ns]
            NaT for -1, for all times of a trace without clock snapshots (Go 1.24 and earlier), and for times that
            datetime64 cannot represent. A time is converted with the snapshot of its generation.
        """
        times = np.asarray(time, np.int64)
        rows = self._whole("generations")
        wall = np.full(times.shape, np.datetime64("NaT", "ns"))
        if not len(rows) or np.isnat(rows["wall"]).all():
            return wall
        gen = np.maximum(np.searchsorted(rows["start"], times, side="right") - 1, 0)
        known = times != -1
        wall[known] = to_wall(times, rows["start"][gen], rows["wall"][gen])[known]
        return wall

    def stack(self, row: int) -> list[Frame]:
        """Return the frames of a row of table ``stacks``, leaf first; rows 0 and -1 have none.

        Raises
        ------
        IndexError
            There is no such row.
        """
        if row == -1:
            return []
        stacks = self._whole("stacks")
        if not 0 <= operator.index(row) < len(stacks):
            raise IndexError(f"table stacks has no row {row}; it has {len(stacks):,} rows")
        stack = stacks[row]
        text = self._whole("strings")["text"]
        first, n = int(stack["first"]), int(stack["n_frames"])
        return [
            Frame(text[frame["function"]], text[frame["file"]], int(frame["line"]), int(frame["pc"]))
            for frame in self._whole("frames")[first : first + n]
        ]

    def _whole(self, name: str) -> Rows:
        if name not in self._rows:
            self._rows[name] = Table(self.reader, name).to_numpy()
        return self._rows[name]

    # --- tables ---------------------------------------------------------------------------------------------

    @property
    def tables(self) -> dict[str, Table]:
        """All tables by name."""
        return {name: getattr(self, name) for name in TABLES}

    @property
    def generations(self) -> Generations:
        """Table with a row for each generation; iteration yields :class:`Generation` objects."""
        return Generations(self.reader, "generations")

    def heap(
        self,
        *,
        by: Group = "type",
        at: Instant = "end",
        min_age: int | None = None,
        max_age: int | None = None,
        progress: Progress | None = None,
    ) -> Heap:
        """Replay the alloc/free events and return what is on the heap.

        One pass; two for ages at the peak.

        Parameters
        ----------
        by : {"type", "class", "package", "goroutine", "task", "region", "site"}
            What a row groups. By type, an object without a type is listed under its size class. Goroutine, task and
            region are those of the allocating goroutine: the function it started with, and its innermost task or region
            at that time. They are derived from the ordered events; objects that cannot be attributed, among them all
            that existed at the start, are ``(unknown)``. By site is an estimate from CPU samples, with ``errors``.
        at : str, float or timedelta
            The instant: ``"start"``, ``"peak"`` (the first instant with the most bytes in use), ``"end"``, a time since
            the start of the trace such as ``"12.5s"``, ``12.5`` (seconds), a timedelta or a timedelta64, or
            ``"gc:17"``, the start of the 17th mark phase of the trace.
        min_age, max_age : int, optional
            Range of ages to include, in GC cycles, both ends inclusive. The age of an object is the number of mark
            phases that started during its life.
        progress : callable, optional
            Called with the number of bytes read so far.

        Returns
        -------
        Heap

        Raises
        ------
        TypeError, ValueError
            The group, instant or age is wrong, the instant is not in the trace, or a stream would have to be read
            twice.
        TraceError
            The trace is damaged; its attribute ``partial`` is the heap up to the fault.
        """
        from gotrace.tables.instants import HeapQuery, heap_at

        return heap_at(self.reader, HeapQuery(by, at, min_age, max_age), progress)


def _table(name: str) -> property:
    return property(lambda trace: Table(trace.reader, name), doc=TABLES[name].doc)


for _name in sorted({*TABLES, *gotrace.ANALYSES} - set(vars(Trace))):
    setattr(Trace, _name, _Method(_name) if _name in gotrace.ANALYSES else _table(_name))
