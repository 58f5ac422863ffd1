"""What a user holds: :func:`open` and :class:`Trace`. Never here: decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import Rows
from gotrace.experiments import Registry
from gotrace.heap.table import Heap
from gotrace.tables.catalog import TABLES
from gotrace.tables.generation import Generations
from gotrace.tables.passes import Progress, TraceReader
from gotrace.tables.table import Table, chunks, columns_of, narrow
from gotrace.units import parse_size
from gotrace.wire.structure import Frame

if TYPE_CHECKING:  # imported when asked for: most programs never are
    from gotrace.order.selection import Selection
    from gotrace.text.event import Event


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

    A trace belongs to one thread at a time. Each table of :data:`gotrace.tables.catalog.TABLES` is an attribute of
    that name, a :class:`Table`.

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
    reader : TraceReader
        The passes over this trace, for code with builders of its own. Not stable.
    """

    def __init__(self, source: Any, *, salvage: bool = False, jobs: int = 1) -> None:
        self.reader = TraceReader(source, salvage=salvage, jobs=jobs)
        self.path = self.reader.source.name
        self.experiments: Registry = self.reader.experiments
        self.version = self.reader.version.name
        self.writers = self.reader.version.writers
        self._extent: tuple[int, int] | None = None
        self._rows: dict[str, Rows] = {}  # of tables that are asked for row by row

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Table: ...

    def __repr__(self) -> str:
        return f"<gotrace.Trace {self.path!r}, version {self.version}>"

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield every event in order, human-readable: a program reads table ``events``."""
        from gotrace.text.event import events

        return events(self.reader)

    def close(self) -> None:
        """Close the input. Arrays that were handed out stay valid."""
        self.reader.close()

    def text(self, mode: Literal["parsed", "wire"] = "parsed", selection: Selection | None = None) -> Iterator[bytes]:
        """Yield the text that ``go tool trace -d`` prints, in pieces of whole lines.

        Parameters
        ----------
        mode : {"parsed", "wire"}
            Every event in order, or every record of the file.
        selection : Selection, optional
            The events to print, of those in order.

        Raises
        ------
        TraceError
            After the text of everything before the fault.
        """
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
            if name not in TABLES:
                raise ValueError(f"no table {name!r}; there are {', '.join(TABLES)}")
        keep = {name: columns_of(name, columns, single=isinstance(tables, str)) for name in names}
        pieces = chunks(self.reader, keep, parse_size(step_size) // len(names))
        if isinstance(tables, str):
            return (rows for _, rows in pieces)
        nothing = {name: np.empty(0, narrow(TABLES[name].dtype, keep[name])) for name in names}
        return ({**nothing, name: rows} for name, rows in pieces)

    # --- what it is about -----------------------------------------------------------------------------------

    @property
    def start(self) -> int:
        """Time of the trace's start in ns: the earliest base time of its batches."""
        return self._times()[0]

    @property
    def end(self) -> int:
        """Time of the trace's last event in ns."""
        return self._times()[1]

    def _times(self) -> tuple[int, int]:
        if self._extent is None:
            rows = self.generations.to_numpy(["start", "end"])
            self._extent = (int(rows["start"].min()), int(rows["end"].max())) if len(rows) else (-1, -1)
        return self._extent

    @property
    def anomalies(self) -> dict[str, int]:
        """What was odd about the alloc/free events read so far, with counts."""
        return dict(self.reader.anomalies)

    @property
    def warnings(self) -> list[str]:
        """What else was odd, as far as the trace was read."""
        return list(self.reader.warnings)

    @property
    def losses(self) -> list[str]:
        """What was lost as far as the trace was read; empty unless it was opened to salvage, since damage raises."""
        return self.reader.losses.lines() if self.reader.losses is not None else []

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
        rows = self._kept("generations")
        wall = np.full(times.shape, np.datetime64("NaT", "ns"))
        if not len(rows) or np.isnat(rows["wall"]).all():
            return wall
        gen = np.maximum(np.searchsorted(rows["start"], times, side="right") - 1, 0)
        known = times != -1
        wall[known] = (rows["wall"][gen] + (times - rows["start"][gen]).astype("m8[ns]"))[known]
        return wall

    def stack(self, row: int) -> list[Frame]:
        """Frames of a row of table ``stacks``, leaf first; row 0 has none."""
        stack = self._kept("stacks")[row]
        text = self._kept("strings")["text"]
        first, n = int(stack["first"]), int(stack["n_frames"])
        return [
            Frame(text[frame["function"]], text[frame["file"]], int(frame["line"]), int(frame["pc"]))
            for frame in self._kept("frames")[first : first + n]
        ]

    def _kept(self, name: str) -> Rows:
        if name not in self._rows:
            self._rows[name] = Table(self.reader, name).to_numpy()
        return self._rows[name]

    # --- tables ---------------------------------------------------------------------------------------------

    @property
    def generations(self) -> Generations:
        """A row for each generation; iterating over it gives :class:`Generation` objects."""
        return Generations(self.reader, "generations")

    def heap(
        self,
        *,
        by: str = "type",
        at: str = "end",
        min_age: int | None = None,
        max_age: int | None = None,
        progress: Progress | None = None,
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
            Ages in GC cycles that count, both included. An object's age is the number of mark phases that began while
            it lived.
        progress : callable, optional
            Takes the bytes read so far.

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
        from gotrace.tables.instants import HeapQuery, heap_at

        return heap_at(self.reader, HeapQuery(by, at, min_age, max_age), progress)


def _table(name: str) -> property:
    return property(lambda trace: Table(trace.reader, name), doc=TABLES[name].doc)


for _name in TABLES:
    if _name not in vars(Trace):
        setattr(Trace, _name, _table(_name))
