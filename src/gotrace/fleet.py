"""Many traces: names, folders and globs come in, answers or chunks of each trace go out, in the order of the names.

Never here: what is asked of a trace.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from threading import get_ident
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, overload

from gotrace.dtypes import Rows
from gotrace.tables.passes import TraceReader
from gotrace.tables.table import reader_of_chunks
from gotrace.trace import Trace, check_options, open
from gotrace.wire.discovery import Found, find
from gotrace.wire.helper import Worker, start_thread
from gotrace.wire.source import may_wait

if TYPE_CHECKING:
    from concurrent.futures import Future

R = TypeVar("R")
Sources: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"


def expand(
    sources: Sources, *, storage_options: Mapping[str, Any] | None = None, skipped: list[str] | None = None
) -> list[str]:
    """Return the names of all traces in folders and globs.

    Parameters
    ----------
    sources : str, path, or iterable of them
        A folder stands for all files below it that begin like a trace or a compressed trace. A glob stands for all
        files that match it, and the folders that match it; ``**`` matches any number of folders. ``~`` is the home
        folder. The same holds for URLs, if the library for the protocol can list files; the URL of a folder ends with a
        slash, or has no dot in its last part. With http, it ends with a slash, and only ``*`` is a wildcard. Any other
        name is its own trace, whether it exists or not; so is a folder that cannot be listed.
    storage_options : dict, optional
        Arguments for the file system of fsspec that opens URLs.
    skipped : list, optional
        Receives the names of files in folders that are not traces.

    Returns
    -------
    list of str
        Sorted, each name once.

    Raises
    ------
    ImportError
        fsspec, or the library for a protocol, is missing.
    OSError
        A URL cannot be listed.
    ValueError
        There is no trace.
    """
    every = [find(source, storage_options) for source in _listed(sources)]
    if skipped is not None:
        skipped += sorted({name for found in every for name in found.others})
    traces = sorted({name for found in every for name in found.traces})
    if not traces:
        raise ValueError(f"no traces: {', '.join(map(_emptiness, every)) or 'no sources are named'}")
    return traces


def _emptiness(found: Found) -> str:
    others = f" ({len(found.others):,} other files)" if found.others else ""
    return f"nothing in {found.source!r}{others}"


def _listed(sources: Sources) -> list[str | os.PathLike[str]]:
    if isinstance(sources, str | os.PathLike):
        return [sources]
    if isinstance(sources, bytes) or not isinstance(sources, Iterable):
        raise TypeError(f"sources are the names of traces, not {type(sources).__name__}")
    return list(sources)


def in_order(
    sources: Sources,
    storage_options: Mapping[str, Any] | None = None,
    report: Callable[[Found], object] = lambda found: None,
) -> list[str]:
    """Return the names of all traces, those of the first source first.

    A source that has no trace or cannot be listed is in their place: the error of opening it is reported there.

    Parameters
    ----------
    sources, storage_options
        As of :func:`expand`.
    report : callable, optional
        Called with what each source stands for, unless it cannot be listed.
    """
    names: list[str] = []
    for source in _listed(sources):
        try:
            found = find(source, storage_options)
        except (OSError, ImportError):
            names.append(os.fspath(source))
        else:
            report(found)
            names += found.traces or [found.source]
    return names


def each(
    function: Callable[[Trace], R],
    sources: Sources,
    *,
    jobs: int = 1,
    errors: Literal["raise", "salvage"] = "raise",
    storage_options: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, R | None, Exception | None]]:
    """Call a function for each of many traces, in several threads.

    Parameters
    ----------
    function : callable
        Takes an open trace and returns what to yield. The trace is closed after the call, so a table or an iterator of
        it is no useful result.
    sources : str, path, or iterable of them
        Files, folders, globs and URLs, as for :func:`expand`.
    jobs : int
        The total number of threads. They are divided over traces first; what is left is for each trace, as ``jobs`` of
        :func:`gotrace.open`. With one, the function is called in the thread of the caller.
    errors : {"raise", "salvage"}
        As of :func:`gotrace.open`.
    storage_options : dict, optional
        As of :func:`gotrace.open`.

    Yields
    ------
    source : str
        Name of the trace. They come in the order of the sources, and sorted for a folder or a glob. A source that has
        no trace is yielded itself, with an error.
    value : object
        What the function returned; None if there is an error.
    error : Exception or None
        What opening the trace or the function raised: a :class:`TraceError`, an :class:`OSError`, or any other
        exception. It does not affect the other traces.

    Raises
    ------
    ValueError
        An argument is wrong, or there is no source.

    Notes
    -----
    At most ``2 * jobs`` results are computed in advance. The end of the iteration, also an early one by ``break`` or
    ``close``, stops the calls for traces that are still read, and ends all threads, if need be later: one that waits
    for bytes of a URL or a pipe cannot be stopped.
    """
    names = in_order(sources, storage_options)
    if not names:
        raise ValueError("no sources are named")
    options = {"jobs": jobs, "errors": errors, "storage_options": storage_options}
    return answers(lambda name, trace: function(trace), names, jobs, **options)


def answers(
    function: Callable[[str, Trace], R], names: Sequence[str], at_once: int, **options: Any
) -> Generator[tuple[str, R | None, Exception | None], None, None]:
    """Do what :func:`each` does, for the names of traces.

    Parameters
    ----------
    function : callable
        Takes the name of a trace and the open trace.
    names : sequence of str
    at_once : int
        Number of traces that are read at a time.
    options
        Those of :func:`gotrace.open`; ``jobs`` is the total number of threads.
    """
    check_options(**options)
    threads = min(at_once, max(len(names), 1))
    calls = _Calls(function, {**options, "jobs": options["jobs"] // threads})
    return calls.in_turn(names) if threads == 1 else calls.in_threads(names, threads)


class _Calls(Generic[R]):
    """Calls of a function for traces."""

    def __init__(self, function: Callable[[str, Trace], R], options: dict[str, Any]) -> None:
        self._function = function
        self._options = options
        self._traces: set[Trace] = set()  # that are being read
        self._names: dict[int, str] = {}  # of the trace that each thread opens or reads
        self._cancelled = False

    def _answer(self, name: str) -> tuple[str, R | None, Exception | None]:
        self._names[get_ident()] = name
        try:
            return name, self._call(name), None
        except Exception as error:
            _forget_locals(error)
            return name, None, error
        finally:
            del self._names[get_ident()]

    def _call(self, name: str) -> R:
        with open(name, **self._options) as trace:
            self._traces.add(trace)
            try:
                if self._cancelled:
                    trace.reader.cancel()
                return self._function(name, trace)
            finally:
                self._traces.discard(trace)

    def in_turn(self, names: Iterable[str]) -> Generator[tuple[str, R | None, Exception | None], None, None]:
        """Yield the answers, each computed when it is requested."""
        yield from map(self._answer, names)

    def in_threads(
        self, names: Iterable[str], threads: int
    ) -> Generator[tuple[str, R | None, Exception | None], None, None]:
        """Yield the answers, computed by threads, twice their number ahead."""
        pool = Worker(threads)
        rest = iter(names)
        coming = deque(pool.submit(self._answer, name) for name in islice(rest, 2 * threads))
        try:
            while coming:
                answer = coming.popleft().result()
                coming.extend(pool.submit(self._answer, name) for name in islice(rest, 1))
                yield answer
        finally:
            self._cancelled = True
            for future in coming:
                future.cancel()
            for trace in list(self._traces):
                trace.reader.cancel()
            pool.stop(wait=not any(map(may_wait, list(self._names.values()))))


def _forget_locals(error: BaseException | None) -> None:
    """Release what the frames of an exception refer to: a list of errors must not keep all traces in memory."""
    from traceback import clear_frames

    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


@overload
def iterate(
    sources: Sources,
    tables: str,
    *,
    columns: Sequence[str] | None = None,
    step_size: str | int = ...,
    library: Literal["np"] = ...,
    jobs: int = 1,
    errors: Literal["raise", "salvage"] = "raise",
    storage_options: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, Rows]]: ...


@overload
def iterate(
    sources: Sources,
    tables: str | Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    step_size: str | int = ...,
    library: Literal["np", "arrow", "pd", "pl"] = ...,
    jobs: int = 1,
    errors: Literal["raise", "salvage"] = "raise",
    storage_options: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, Any]]: ...


def iterate(
    sources: Sources,
    tables: str | Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    step_size: str | int = "32 MB",
    library: Literal["np", "arrow", "pd", "pl"] = "np",
    jobs: int = 1,
    errors: Literal["raise", "salvage"] = "raise",
    storage_options: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, Any]]:
    """Yield the rows of one or several tables of many traces in chunks, one trace after the other.

    Parameters
    ----------
    sources : str, path, or iterable of them
        Files, folders, globs and URLs, as for :func:`expand`.
    tables, columns, step_size, library
        As of :meth:`gotrace.Trace.iterate`.
    jobs : int
        The total number of threads. They read the current trace, as ``jobs`` of :func:`gotrace.open`; one opens the
        next trace meanwhile.
    errors, storage_options
        As of :func:`gotrace.open`.

    Yields
    ------
    source : str
        Name of the trace. They come in the order of the sources, and sorted for a folder or a glob.
    chunk : container, or dict of str to container
        As :meth:`gotrace.Trace.iterate` yields them; a chunk never has rows of two traces.

    Raises
    ------
    TraceError, OSError
        Of a trace that is damaged or cannot be opened, after all rows before the fault. This ends the iteration. To go
        on with the next trace, use ``errors="salvage"``, or :func:`each`, which treats every trace on its own.
    ImportError
        The library is not installed.
    ValueError
        An argument is wrong, or there is no source.
    """
    read = reader_of_chunks(tables, columns, step_size, library)
    names = in_order(sources, storage_options)
    if not names:
        raise ValueError("no sources are named")
    options: dict[str, Any] = {"jobs": jobs, "errors": errors, "storage_options": storage_options}
    check_options(**options)
    return _chunks(read, names, options)


def _chunks(
    read: Callable[[TraceReader], Iterator[Any]], names: list[str], options: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    with closing(_opened(names, options)) as traces:
        for name, trace in traces:
            for chunk in read(trace.reader):
                yield name, chunk


def _opened(names: list[str], options: dict[str, Any]) -> Generator[tuple[str, Trace], None, None]:
    """Yield each trace, open until the next request; with a second thread, the next one is opened meanwhile."""
    with start_thread(options["jobs"], wait=not any(map(may_wait, names))) as thread:
        coming: Future[Trace] | None = None
        try:
            for i, name in enumerate(names):
                trace = open(name, **options) if coming is None else coming.result()
                coming = None
                if thread is not None and i + 1 < len(names):
                    coming = thread.submit(partial(open, names[i + 1], **options))
                with trace:
                    yield name, trace
        finally:
            if coming is not None and not coming.cancel():
                coming.add_done_callback(_close_opened)


def _close_opened(opening: Future[Trace]) -> None:
    if opening.exception() is None:
        opening.result().close()
