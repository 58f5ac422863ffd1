"""SQL over the tables of several traces: a query comes in, DuckDB runs it over Arrow streams, a file goes out.

Never here: how a result is shown.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Literal, TypeAlias

from gotrace.columns.batch import Batch, arrow_type, nulls
from gotrace.columns.fields import Field
from gotrace.tables.catalog import TABLES
from gotrace.tables.frames import library
from gotrace.tables.passes import Progress
from gotrace.tables.stream import STEP, TableStream, batches, every_field, rows_of
from gotrace.trace import open as open_trace
from gotrace.wire.source import is_stream

OPTIONS = {
    "csv": "format csv, header true",
    "jsonl": "format json",
    "parquet": "format parquet, compression zstd",
}
"""How DuckDB writes each format."""

NULL = "NULL"
"""A null in a file of :meth:`Query.write_text`."""


class QueryError(ValueError):
    """DuckDB rejects the query, or it would read a stream more than once."""


class Query:
    """One query over tables that hold the rows of several traces.

    Every table of a trace is one, with all its columns, also the extra ones. A column that the query does not need is
    not decoded. Nothing is read before a result is written, except for a PIVOT that must find its columns.

    Parameters
    ----------
    text : str
        One SELECT statement, or what DuckDB takes for one, such as DESCRIBE, SUMMARIZE or PIVOT.
    sources : sequence of str
        Names of the traces, in the order of their rows; ``"-"`` is standard input.
    errors : {"raise", "salvage"}
        As for :func:`gotrace.open`.
    jobs : int
        Number of DuckDB's threads. One at a time waits for rows.

    Attributes
    ----------
    scans : int
        How often the traces are read.
    reading : callable
        Returns a context manager in which one trace is read; its value is a progress callback or None.
    warnings, losses : dict of str to list of str
        Those of each trace that has been read and has any.

    Raises
    ------
    ImportError
        DuckDB is not installed.
    QueryError
        DuckDB rejects the query, or a stream would be read more than once.
    """

    def __init__(
        self, text: str, sources: Sequence[str], *, errors: Literal["raise", "salvage"] = "raise", jobs: int = 1
    ) -> None:
        self._duckdb = library("duckdb", "sql")
        self._sources = sources
        self._errors = errors
        self._needed: set[str] | None = None  # names of columns; None: all
        self._streams: list[TableStream] = []
        self.scans = 2
        self.reading: Callable[[], AbstractContextManager[Progress | None]] = nullcontext
        self._decoding = _Decoding()
        self._heads: dict[int, bytes] = {}  # of the sources that have been opened
        self.warnings: dict[str, list[str]] = {}
        self.losses: dict[str, list[str]] = {}
        self._connection = self._duckdb.connect(config={"python_enable_replacements": False, "threads": jobs})
        try:
            self._connection.execute("set TimeZone = 'UTC'")
            for name in TABLES:
                self._connection.register(name, _UnionTable(self, name))
            self._text = self._finite = ""
            self._prepare(text)
        except BaseException as error:
            self.close()
            if isinstance(error, self._duckdb.Error):
                raise QueryError(str(error)) from None
            raise

    def __enter__(self) -> Query:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close DuckDB's database."""
        self._connection.close()

    def write(self, path: Path, format: str) -> None:
        """Run the query and write its result to a new file; what does not fit into memory goes to the same folder.

        Parameters
        ----------
        path : Path
        format : {"csv", "jsonl", "parquet"}

        Raises
        ------
        TraceError
            A trace is damaged; the file is not complete.
        OSError
            A trace or a file cannot be read or written.
        QueryError
            The query fails.
        """
        self._copy(self._finite if format == "jsonl" else self._text, path, OPTIONS[format])

    def write_text(self, path: Path) -> None:
        """Run the query and write its result as CSV in which a null is :data:`NULL`; see :meth:`write`."""
        self._copy(self._text, path, f"{OPTIONS['csv']}, nullstr '{NULL}'")

    def _copy(self, query: str, path: Path, options: str) -> None:
        try:
            self._connection.execute(f"set temp_directory = {_quoted(str(path.parent / 'spill'))}")
            copy = f"copy ({query}\n) to {_quoted(str(path))} ({options})"
            self._decoding.run(lambda: self._connection.execute(copy), self._connection.interrupt)
        except Exception as error:
            self._raise_failures()
            if isinstance(error, self._duckdb.IOException):
                raise _os_error(str(error), path) from None
            if isinstance(error, self._duckdb.Error):
                raise QueryError(str(error)) from None
            raise
        self._raise_failures()

    def _raise_failures(self) -> None:
        """Raise the exception that ended a stream: DuckDB gets only its text."""
        for stream in self._streams:
            if stream.error is not None:
                raise stream.error from None

    def _prepare(self, text: str) -> None:
        """Check the query, and find the columns that it needs."""
        statements = self._connection.extract_statements(text)
        if len(statements) != 1:
            raise QueryError(f"write one query, not {len(statements)}")
        kind = statements[0].type.name
        if kind not in ("SELECT", "MULTI"):
            raise QueryError(f"{kind} is not a query: write a SELECT")
        query = self._text = self._finite = self._without_end(text)
        if kind == "MULTI":  # a PIVOT, which runs a query for its columns: there is no plan before that
            self._check_streams()
            return
        result = self._connection.sql(query)  # binds it: messages quote the query alone
        self._finite = _finite(query, result.columns, [str(type) for type in result.types])
        self.scans = sum(_scans(node) for node in self._plan(query))
        self._check_streams()
        self._connection.execute("set disabled_optimizers = 'filter_pushdown'")  # a pushed filter hides its columns
        scanned = [_projected(node) for node in self._plan(query) if "ARROW_SCAN" in node["name"]]
        self._connection.execute("reset disabled_optimizers")
        if None not in scanned:
            self._needed = {column for columns in scanned for column in columns or ()}

    def _without_end(self, text: str) -> str:
        """Return a query without semicolons and comments at its end: it becomes a part of a statement."""
        data = text.encode()
        end = len(data)
        for at, kind in reversed(self._duckdb.tokenize(text)):
            if kind != self._duckdb.token_type.comment and data[at : at + 1] != b";":
                break
            end = at
        return data[:end].decode()

    def _plan(self, query: str) -> Iterator[dict[str, Any]]:
        """Yield the operators of a query's plan."""
        ((_, plan),) = self._connection.execute(f"explain (format json)\n{query}").fetchall()
        nodes = json.loads(plan)
        while nodes:
            node = nodes.pop()
            nodes += node["children"]
            yield node

    def _check_streams(self) -> None:
        """Reject a query that would read a stream more than once."""
        for source in self._sources:
            if self.scans * self._sources.count(source) > 1 and is_stream(source):
                name = "standard input" if source == "-" else source
                raise QueryError(
                    f"{name} can be read only once, but the query scans it several times: save it to a file, "
                    "or scan it in one place (with t as materialized (select ...))"
                )

    def stream(self, table: str) -> TableStream:
        """Return a new stream of a table over all traces."""
        fields = every_field(table)
        needed = [field for field in fields if self._needed is None or field.name in self._needed]
        stream = TableStream(fields, self._decoding.proxy(self._batches(table, needed or fields[:1], fields)))
        self._streams.append(stream)
        return stream

    def _batches(self, table: str, needed: list[Field], fields: list[Field]) -> Generator[Batch, None, None]:
        """Yield the batches of a table of all traces; columns that are not needed are null."""
        unused = [field for field in fields if field not in needed]
        length = rows_of(table, STEP)
        for number, source in enumerate(self._sources):
            with open_trace(source, errors=self._errors) as trace, self.reading() as progress:
                trace.reader.source.check_head(self._heads.setdefault(number, trace.reader.source.head))
                for _, batch in batches(trace.reader, {table: needed}, {table: length}, progress=progress):
                    columns = batch.columns | nulls(unused, batch.n).columns
                    yield Batch(batch.n, {field.name: columns[field.name] for field in fields})
                for found, notes in ((self.warnings, trace.warnings), (self.losses, trace.losses)):
                    if notes:
                        found[trace.path] = notes


class _Decoding:
    """Runs a function in another thread, and generators that it reads in the thread that called :meth:`run`.

    If that is the main one, the exception of a signal is raised where traces are read, or where the thread waits, but
    never inside DuckDB, which would replace or lose it.
    """

    def __init__(self) -> None:
        self._requests: SimpleQueue[tuple[Iterator[Batch], _Replies] | None] = SimpleQueue()
        self._proxied: list[tuple[Generator[Batch, None, None], _Replies]] = []

    def proxy(self, batches: Generator[Batch, None, None]) -> Generator[Batch, None, None]:
        """Yield the batches of a generator, which is run by the other thread."""
        replies: _Replies = SimpleQueue()
        self._proxied.append((batches, replies))
        while True:
            self._requests.put((batches, replies))
            reply = replies.get()
            if reply is None:
                return
            if isinstance(reply, BaseException):
                raise reply
            yield reply

    def run(self, function: Callable[[], object], interrupt: Callable[[], object]) -> None:
        """Run a function that reads proxies, and close their generators; ``interrupt`` ends it early."""
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(function)
            running.add_done_callback(lambda _: self._requests.put(None))
            try:
                for batches, replies in iter(self._requests.get, None):
                    replies.put(_next(batches))
            except BaseException as error:
                interrupt()
                self._end(error)
                raise
            self._end(None)  # a thread of DuckDB may wait for rows that the result does not need
        running.result()

    def _end(self, reply: BaseException | None) -> None:
        for proxied, replies in self._proxied:
            proxied.close()
            replies.put(reply)


_Replies: TypeAlias = "SimpleQueue[Batch | BaseException | None]"


def _next(batches: Iterator[Batch]) -> Batch | Exception | None:
    """Return the next batch, None at the end, or the exception that ended the batches."""
    try:
        return next(batches, None)
    except Exception as error:
        return error


class _UnionTable:
    """A table over all traces of a query, which DuckDB reads as Arrow streams."""

    def __init__(self, query: Query, name: str) -> None:
        self._query = query
        self._name = name

    def __arrow_c_schema__(self) -> object:
        return arrow_type(every_field(self._name)).capsule()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._query.stream(self._name).__arrow_c_stream__()


def _scans(node: dict[str, Any]) -> int:
    """Return how many scans an operator of a plan counts as: a recursive query may repeat any."""
    name: str = node["name"]
    return 2 if name.startswith("REC") else int("ARROW_SCAN" in name)


def _projected(scan: dict[str, Any]) -> list[str] | None:
    """Return the columns that a scan of a plan reads; None if it reads all, as DuckDB 1 does without pyarrow."""
    columns: str | list[str] | None = scan["extra_info"].get("Projections")
    return [columns] if isinstance(columns, str) else columns


def _finite(query: str, names: list[str], types: list[str]) -> str:
    """Return a query for JSON: with nulls in place of NaN and infinity, and each name once."""
    columns = [f"c{i}" for i in range(len(names))]
    values = [
        f"if(isfinite({column}), {column}, null)" if type in ("DOUBLE", "FLOAT") else column
        for column, type in zip(columns, types, strict=True)
    ]
    keys = _distinct(names)
    if values == columns and keys == names:
        return query
    results = (value + " as " + _quoted(key, '"') for value, key in zip(values, keys, strict=True))
    return f"select {', '.join(results)} from ({query}\n) as result({', '.join(columns)})"


def _distinct(names: list[str]) -> list[str]:
    """Return names that differ, also without regard to case, as DuckDB 2 makes them: x, x_1, x_2."""
    found: dict[str, str] = {}
    for name in names:
        other, n = name, 0
        while other.lower() in found:
            n += 1
            other = f"{name}_{n}"
        found[other.lower()] = other
    return list(found.values())


def _os_error(text: str, path: Path) -> OSError:
    """Return the error for a message of DuckDB; ``path`` is the file that it was to write."""
    number = re.search(r'"errno":"(\d+)"', text)
    if number is None or str(path.parent) not in text:
        return OSError(text)
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path))


def _quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace(mark, 2 * mark) + mark
