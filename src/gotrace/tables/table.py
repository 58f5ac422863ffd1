"""Tables of a trace, read on demand: names of tables and columns come in, arrays go out. Never here: decoding."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, overload

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import Rows, narrow, select
from gotrace.errors import check_choice, check_names, unknown_name
from gotrace.order.selection import Bounds
from gotrace.tables.catalog import TABLES
from gotrace.tables.passes import Progress, TraceReader
from gotrace.units import parse_size
from gotrace.views import ROWS, View, html

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from gotrace.tables.stream import TableStream

STEP = 32_000_000
"""Default size of a chunk in bytes."""

Library = Literal["np", "arrow", "pd", "pl"]

_SHOWN = 10  # rows shown in a notebook


class Table:
    """One table of a trace, read on access.

    Each access reads the trace again, so keep the array that :meth:`to_numpy` returns. Libraries that read Arrow
    streams, such as pyarrow, polars and DuckDB, take a table as it is.

    Attributes
    ----------
    name : str
    """

    def __init__(
        self, reader: TraceReader, name: str, columns: Sequence[str] | None = None, *, limit: int | None = None
    ) -> None:
        self._reader = reader
        self._selected = columns
        self._limit = limit
        self.name = name
        if columns is not None:
            _ = self.columns  # raises an exception for a wrong one

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Table cannot be pickled or copied: pass the path of its trace, or the array of to_numpy()")

    def __repr__(self) -> str:
        first = "" if self._limit is None else f", first {self._limit:,} rows"
        return f"<gotrace.Table {self.name!r} of {self._reader.source.name!r}{first}: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str | None:
        """Return the first rows as HTML; None for a stream, which can be read only once."""
        if self._reader.source.once:
            return None
        stream = self._stream(limit=_SHOWN if self._limit is None else min(self._limit, ROWS))
        rows: list[tuple[str | int, ...]] = []
        note = ""
        try:
            for batch in stream.batches():
                columns = [[_cell(value, name) for value in batch.objects(name)] for name in batch.columns]
                rows += zip(*columns, strict=True)
        except ValueError as error:  # it is damaged, or was closed
            note = f"{type(error).__name__}: {error}"
        return html(View(f"{self.name}: first rows", self.columns, rows, note=note))

    def _ipython_key_completions_(self) -> list[str]:
        return self.columns

    @property
    def columns(self) -> list[str]:
        """Columns of Arrow streams and data frames.

        Those of arrays are the same, except that they have no column ``row``, and ``args`` is one field.
        """
        return [field.name for field in self._stream().fields]

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Type of a row.

        Raises
        ------
        ValueError
            A column that :meth:`select` names is no field of the rows.
        """
        return narrow(TABLES[self.name].dtype, columns_of(self.name, self._selected, single=True))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, for which the trace is read, and of columns."""
        return len(self), len(self.columns)

    def head(self, n: int = 5) -> Table:
        """Return the table with only its first rows; nothing is read yet.

        Parameters
        ----------
        n : int
            Number of rows; the table may have fewer.

        Raises
        ------
        ValueError
            ``n`` is negative.
        """
        if operator.index(n) < 0:
            raise ValueError(f"n={n}: must be at least 0")
        return Table(self._reader, self.name, self._selected, limit=n if self._limit is None else min(n, self._limit))

    def select(self, columns: Sequence[str]) -> Table:
        """Return the table with only some columns, in this order; nothing is read yet.

        Parameters
        ----------
        columns : sequence of str
            Names in ``columns``, or of the extra columns of Arrow streams and data frames: ``trace``, the name of the
            input; ``wall``, the wall-clock time, where there is a column ``time``; ``type_row``, the row of ``types``,
            where ``type`` is the name.

        Raises
        ------
        ValueError
            The table lacks a column, or one is named twice.
        """
        return Table(self._reader, self.name, columns, limit=self._limit)

    def _stream(self, columns: Sequence[str] | None = None, *, limit: int | None = None) -> TableStream:
        from gotrace.tables.stream import TableStream, fields_to_read, own_batches  # imported when used: it is slow

        chosen = fields_to_read(self.name, self._selected if columns is None else columns)
        limit = self._limit if limit is None else limit
        return TableStream(chosen, own_batches(self._reader, self.name, chosen, limit))

    def __arrow_c_schema__(self) -> object:
        """Return the schema as a capsule of Arrow; nothing is read."""
        return self._stream().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows as a capsule of an Arrow stream, which reads the trace when its first batch is requested.

        Each stream reads on its own, and its batches stay valid without it. After all rows before a fault, its consumer
        gets the text of the :class:`TraceError`, which :attr:`Trace.fault` holds. ``requested_schema`` is not applied.
        """
        return self._stream().__arrow_c_stream__()

    def to_arrow(self, columns: Sequence[str] | None = None) -> pyarrow.Table:
        """Read all rows into a pyarrow table.

        Parameters
        ----------
        columns : sequence of str, optional
            Columns to keep, in this order, as for :meth:`select`.

        Raises
        ------
        ImportError
            pyarrow is not installed.
        TraceError
            The trace is damaged.
        ValueError
            The table lacks a column, or one is named twice.
        """
        from gotrace.tables import frames

        return frames.to_arrow(self._stream(columns))

    def to_pandas(self, columns: Sequence[str] | None = None) -> pandas.DataFrame:
        """Read all rows into a pandas data frame; pyarrow is not needed.

        Columns that can have nulls are masked (``Int64``, ``Int32``), names are categories.

        Parameters
        ----------
        columns : sequence of str, optional
            Columns to keep, in this order, as for :meth:`select`.

        Raises
        ------
        ImportError
            pandas is not installed.
        TraceError
            The trace is damaged.
        ValueError
            The table lacks a column, or one is named twice.
        """
        from gotrace.tables import frames

        return frames.to_pandas(self._stream(columns))

    @overload
    def to_polars(self, columns: Sequence[str] | None = None, *, lazy: Literal[False] = ...) -> polars.DataFrame: ...

    @overload
    def to_polars(self, columns: Sequence[str] | None = None, *, lazy: Literal[True]) -> polars.LazyFrame: ...

    def to_polars(
        self, columns: Sequence[str] | None = None, *, lazy: bool = False
    ) -> polars.DataFrame | polars.LazyFrame:
        """Read all rows into a polars data frame; pyarrow is not needed.

        Parameters
        ----------
        columns : sequence of str, optional
            Columns to keep, in this order, as for :meth:`select`.
        lazy : bool
            Return a lazy frame. Each ``collect`` reads the trace again: only the columns that the query needs, and no
            further than it needs.

        Raises
        ------
        ImportError
            polars is not installed.
        TraceError
            The trace is damaged.
        ValueError
            The table lacks a column, or one is named twice.
        """
        from gotrace.tables import frames

        stream = self._stream(columns)
        return frames.to_lazy_polars(stream, self._stream) if lazy else frames.to_polars(stream)

    def _chunks(self, keep: list[str], limit: int | None = None) -> Iterator[Rows]:
        left = min(sys.maxsize if most is None else most for most in (limit, self._limit))
        if not left:
            return
        step = min(STEP, left * TABLES[self.name].dtype.itemsize)
        for _, rows in chunks(self._reader, {self.name: keep}, step):
            yield rows[:left]
            left -= len(rows)
            if left <= 0:
                return

    def to_numpy(self, columns: Sequence[str] | None = None) -> Rows:
        """Read all rows into one structured array.

        Parameters
        ----------
        columns : sequence of str, optional
            Fields to keep, in this order.

        Returns
        -------
        ndarray
            A new array.

        Raises
        ------
        TraceError
            The trace is damaged; :meth:`Trace.iterate` yields the rows before the fault.
        ValueError
            The table lacks a column.
        """
        keep = columns_of(self.name, self._selected if columns is None else columns, single=True)
        return self._read(keep, None)

    def _read(self, keep: list[str], limit: int | None) -> Rows:
        dtype = narrow(TABLES[self.name].dtype, keep)
        if self.name == "types" and self._reader.types is not None:
            return select(self._reader.types[: self._limit][:limit].copy(), dtype)
        parts = list(self._chunks(keep, limit))
        total = np.zeros(sum(map(len, parts)), dtype)
        at = 0
        for i, part in enumerate(parts):
            total[at : at + len(part)] = part
            at += len(part)
            parts[i] = total[:0]
        return total

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Any:
        rows = self.to_numpy()
        return rows if dtype is None else rows.astype(dtype)

    @overload
    def __getitem__(self, key: str) -> npt.NDArray[Any]: ...

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> np.void: ...

    @overload
    def __getitem__(self, key: list[str]) -> Table: ...

    @overload
    def __getitem__(self, key: slice | npt.NDArray[Any]) -> Rows: ...

    def __getitem__(self, key: str | int | np.integer[Any] | list[str] | slice | npt.NDArray[Any]) -> Any:
        """Return a column, a row, some rows as an array, or the table with only a list of columns."""
        if isinstance(key, str):
            return self.to_numpy([key])[key].copy()
        if isinstance(key, list):
            return self.select(key)
        keep = list(self.dtype.names or ())
        if isinstance(key, slice):
            few = key.stop is not None and all(part is None or part >= 0 for part in (key.start, key.stop, key.step))
            return self._read(keep, key.stop if few else None)[key]
        if isinstance(key, np.ndarray) and key.ndim:
            return self._read(keep, None)[key]
        if isinstance(key, bool | np.bool_) or not hasattr(key, "__index__"):
            raise TypeError(f"{key!r}: must be a column, a list of columns, a row, a slice of rows or an array")
        row = operator.index(key)
        rows = self._read(keep, None if row < 0 else row + 1)
        if not -len(rows) <= row < len(rows):
            raise IndexError(f"table {self.name} has no row {row}; it has {len(rows):,} rows")
        return rows[row]

    def __iter__(self) -> Iterator[Any]:
        for rows in self._chunks(list(self.dtype.names or ())):
            yield from rows

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._chunks(list((self.dtype.names or ())[:1])))


def _cell(value: Any, column: str) -> str | int:
    if column in ("address", "pc"):
        return f"{value:#x}"
    return value if isinstance(value, int) else "" if value is None else str(value)


def chunks(
    reader: TraceReader,
    keep: dict[str, list[str]],
    step: int,
    progress: Progress | None = None,
    time: Bounds = (None, None),
) -> Iterator[tuple[str, Rows]]:
    """Yield the name and a chunk of one table at a time, for several tables in one pass.

    Parameters
    ----------
    reader : TraceReader
    keep : dict of str to list of str
        Columns to keep, by table.
    step : int
        Size of a chunk in bytes, counted with all columns.
    progress : callable, optional
    time : Bounds
        As of :class:`gotrace.tables.passes.ReadPass`.
    """
    read_pass = reader.new_pass(time)
    dtypes = {name: narrow(TABLES[name].dtype, columns) for name, columns in keep.items()}
    lengths = {name: max(step // TABLES[name].dtype.itemsize, 1) for name in keep}
    builders = {TABLES[name].builder(read_pass, lengths[name]): name for name in keep}
    for builder, rows in read_pass.read(*builders, progress=progress):
        name = builders[builder]
        for at in range(0, len(rows), lengths[name]):
            yield name, select(rows[at : at + lengths[name]], dtypes[name])


def reader_of_chunks(
    tables: str | Sequence[str], columns: Sequence[str] | None, step_size: str | int, library: Library
) -> Callable[[TraceReader], Iterator[Any]]:
    """Return a function that reads tables in chunks, as :meth:`gotrace.Trace.iterate` yields them.

    The arguments are those of that method; wrong ones are found here, before a trace is read.

    Raises
    ------
    ImportError
        The library is not installed.
    UnknownNameError
        A table or a column does not exist.
    TypeError, ValueError
        The columns, the size or the library are wrong.
    """
    names = [tables] if isinstance(tables, str) else list(tables)
    for name in names:
        if name not in TABLES:
            raise unknown_name("a trace has no table", name, TABLES)
    if not names:
        raise ValueError("no table is named")
    check_choice("library", library, ("np", "arrow", "pd", "pl"))
    single, step = isinstance(tables, str), parse_size(step_size) // len(names)
    empty: dict[str, Any]
    if library == "np":
        keep = {name: columns_of(name, columns, single=single) for name in names}
        empty = {name: np.empty(0, narrow(TABLES[name].dtype, keep[name])) for name in names}

        def read(reader: TraceReader) -> Iterator[tuple[str, Any]]:
            return chunks(reader, keep, step)

    else:
        from gotrace.columns.batch import empty as empty_batch
        from gotrace.tables import frames
        from gotrace.tables.stream import batches, fields_to_read, rows_of

        make = frames.containers(library)
        fields = {name: fields_to_read(name, columns, single=single) for name in names}
        lengths = {name: rows_of(name, step) for name in names}
        empty = {name: make(empty_batch(fields[name])) for name in names} if not single else {}

        def read(reader: TraceReader) -> Iterator[tuple[str, Any]]:
            return ((name, make(batch)) for name, batch in batches(reader, fields, lengths))

    if single:
        return lambda reader: (chunk for _, chunk in read(reader))
    return lambda reader: ({**empty, name: chunk} for name, chunk in read(reader))


def columns_of(name: str, columns: Sequence[str] | None, *, single: bool) -> list[str]:
    """Return the requested columns that a table has; with ``single``, a column that it lacks is an error."""
    known = list(TABLES[name].dtype.names or ())
    if columns is None:
        return known
    check_names("columns", columns)
    wrong = [column for column in columns if column not in known]
    if wrong and single:
        raise unknown_name(f"table {name} has no column", wrong[0], known)
    return [column for column in columns if column in known]
