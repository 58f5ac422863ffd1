"""Passes over one trace: a source comes in, segments go to builders, and the builders' rows go out.

:class:`TraceReader` opens the input and keeps the results of all passes; :class:`ReadPass` is one pass. Faults,
salvage, warnings, progress and the background thread are handled here. Never here: the rows of a table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from gotrace.dtypes import Rows
from gotrace.errors import TraceError
from gotrace.experiments import ExperimentData, Registry, registry
from gotrace.experiments.allocfree import TypeTable
from gotrace.order.driver import Order
from gotrace.order.selection import Bounds
from gotrace.spec.enums import EventKind, GoState
from gotrace.tables.builder import Builder, OrderedBuilder
from gotrace.wire import header
from gotrace.wire.helper import Background, OneAhead, check_process, start_thread, use_two_threads
from gotrace.wire.losses import Losses
from gotrace.wire.segments import Segment, read_segments
from gotrace.wire.source import open_source

Progress = Callable[[int], None]
"""Callback that takes the number of bytes read so far."""


class TraceReader:
    """Reader of one trace, in any number of passes; a stream allows only one.

    Attributes
    ----------
    source : Source
    version : Version
    experiments : Registry
        Experiments known when the trace was opened.
    losses : Losses or None
        Input that was lost; None unless the trace is salvaged.
    jobs : int
        Maximum number of threads.
    warnings : dict of str to None
        Warnings, in order.
    anomalies : dict of str to int
        Nonzero counts of anomalies in alloc/free events.
    types : ndarray of TYPE or None
        Types of a stream, which cannot be read again.
    experiment_data : mapping
        Experimental batches that are still referenced, by offset of the generation and number of the experiment.
    fault : TraceError or None
        The fault that ended the last pass over a damaged trace.
    start : int
        Start of the trace in ns; -1 before its first segment is read.
    """

    def __init__(
        self,
        source: Any,
        *,
        salvage: bool,
        jobs: int,
        mapped: bool = True,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.losses = Losses() if salvage else None
        self.jobs = jobs
        self.experiments: Registry = registry()
        self.source = open_source(source, mapped=mapped, storage_options=storage_options)
        try:
            window = self.source.window()
            failure = self.source.failure()
            if failure is not None and len(window.data) < header.SIZE:
                raise failure
            self.version = header.read_header(window.data, self.source.name)
        except BaseException:
            self.source.close()
            raise
        self.source.rewind()
        self.warnings: dict[str, None] = {}
        self.anomalies: dict[str, int] = {}
        self.types: Rows | None = None
        self.experiment_data: WeakValueDictionary[tuple[int, int], ExperimentData] = WeakValueDictionary()
        self.fault: TraceError | None = None
        self.start = -1
        self._closed: str | None = None
        self._keep_open = False
        self._process = os.getpid()

    def close(self, why: str = "it was closed") -> None:
        """Close the input; later passes raise ValueError with the first reason given."""
        self._closed = self._closed or why
        self.source.close()

    def cancel(self) -> None:
        """End the current pass after its current rows with a ValueError; may be called from any thread."""
        self._closed = self._closed or "it was cancelled"

    def again(self) -> TraceReader:
        """Return a reader of the same input from its start; for a stream, this one.

        Warnings, anomalies and losses of both are the same. A fault that one finds does not close the other.

        Raises
        ------
        ValueError
            The trace was closed.
        """
        if self.source.once:
            return self
        if self._closed and self.fault is None:
            raise ValueError(f"the trace cannot be read: {self._closed}")
        other = copy(self)
        other.source = self.source.again()
        other._closed = None
        return other

    @contextmanager
    def peek(self) -> Iterator[None]:
        """Read in the block without closing the input of a damaged trace."""
        self._keep_open = True
        try:
            yield
        finally:
            self._keep_open = False

    def fail(self, error: TraceError) -> None:
        """Record a fault, and close the input because the trace is damaged."""
        self.fault = copy(error)  # without the traceback, which would keep memory of the pass
        if not self._keep_open:
            self._closed = f"it is damaged ({error})"
            self.source.close()

    def warn(self, note: str) -> None:
        """Keep a warning; duplicates are dropped."""
        self.warnings.setdefault(note)

    def _check_process(self, threaded: bool) -> None:
        """Refuse to read on in a forked process what it shares with its parent: a stream, or a second thread."""
        if threaded or self.source.once:
            check_process(self._process)

    def check_open(self) -> None:
        """Raise ValueError if the input was closed, or its pass cancelled."""
        if self._closed:
            raise ValueError(f"the trace cannot be read: {self._closed}")

    def new_pass(self, time: Bounds = (None, None)) -> ReadPass:
        """Return a new pass, of events and scheduling tables only in a range of time."""
        return ReadPass(self, *time)

    def segments(self, progress: Progress | None = None, background: Background | None = None) -> Iterator[Segment]:
        """Yield the segments of one pass; after a fault the input is closed, unless the trace is salvaged."""
        self.check_open()
        self._check_process(self.jobs > 1)
        process = os.getpid()
        background = background or Background()
        try:
            with start_thread(self.jobs, wait=not self.source.waits) as thread:
                read = (self.source, self.version, header.SIZE, self.experiments.timed, self.losses)
                upcoming = None
                if thread is not None and self.losses is None:
                    upcoming = OneAhead(read_segments(*read, ahead=True), thread)
                background.thread = thread
                for segment in upcoming or read_segments(*read):
                    if self.start < 0:
                        self.start = segment.start
                    for note in segment.notes:
                        self.warn(note)
                    background.upcoming = upcoming
                    if upcoming is not None and self.source.moves:  # reading takes long: do not wait for a kernel
                        upcoming.begin()
                    try:
                        yield segment
                    finally:
                        background.upcoming = None  # it may hold an exception that refers to the segment
                    self._check_process(thread is not None)
                    if self.source.moves:
                        check_process(process)
                    self.check_open()
                    if self.source.shrank():
                        raise segment.changed()
                    if progress is not None:
                        progress(segment.slab.end)
        except TraceError as error:
            self.fail(error)
            raise
        finally:
            background.thread = None


class ReadPass:
    """One pass over a trace, and the state that its builders share.

    Ordered events are those before ``until``, as if the trace ended there. The pass goes on to the end of that
    generation, whose first mentions of goroutines and others state what was so before; they have the time ``until``.
    Events before ``since`` are ordered too, since the state at that time follows from them; the scheduling tables count
    from then on.

    Attributes
    ----------
    since, until : int or None
        ns.
    cut : bool
        True once the pass has reached ``until``.
    registry : Registry
        Experiments known when the trace was opened.
    threaded : bool
        True if a background thread may decode ahead.
    background : Background
    types : TypeTable
        Types read so far.
    ordered : list of OrderedBuilder
        Builders that take rows of ORDERED. They share one run of the state machine.
    """

    def __init__(self, reader: TraceReader, since: int | None = None, until: int | None = None) -> None:
        self._reader = reader
        self.since, self.until = since, until
        self.cut = False
        self._last = 0  # generation of ``until``
        self.registry = reader.experiments
        self.warn = reader.warn
        self.threaded = use_two_threads(reader.jobs) and reader.losses is None  # salvage decides segment by segment
        self.background = Background()
        self.types = TypeTable()
        self._order_broken = False  # or the rows of a segment were not consumed to the end
        self.ordered: list[OrderedBuilder] = []

    @cached_property
    def order(self) -> Order:
        """The state machine of this pass."""
        return Order(self.registry, self.warn, mends=self._reader.losses is not None, background=self._order_background)

    @property
    def _order_background(self) -> Background | None:
        return self.background if self.threaded else None

    def read(self, *builders: Builder, progress: Progress | None = None) -> Iterator[tuple[Builder, Rows]]:
        """Feed the segments of the trace to builders and yield each builder with its completed rows.

        The pass ends with the trace, or when a builder is done. Builders define how long their rows are valid. Those of
        lookups are first in each segment, so that rows before a fault refer to rows that are complete.

        Raises
        ------
        TraceError
            After all rows before the fault. When salvaging, only if the input changed.
        """
        ordered = sorted(builders, key=lambda builder: not builder.lookup)
        try:
            yield from self._read(ordered, progress)
            yield from self._flush(ordered)
        except TraceError as error:
            self._reader.fail(error)
            yield from self._flush(ordered)
            raise
        finally:
            self._close(builders)

    def _read(self, builders: Sequence[Builder], progress: Progress | None) -> Iterator[tuple[Builder, Rows]]:
        for segment in self._reader.segments(progress, self.background):
            for builder in builders:
                if self.ordered and builder is self._first:
                    yield from self._run(segment)
                for rows in builder.feed(segment):
                    yield builder, rows
                    self._reader.check_open()
            segment.drop()
            if self.cut or any(builder.done for builder in builders):
                return

    @property
    def _first(self) -> OrderedBuilder:
        """The builder in whose place the events of a segment are ordered."""
        return next((builder for builder in self.ordered if builder.places), self.ordered[0])

    def _run(self, segment: Segment) -> Iterator[tuple[Builder, Rows]]:
        """Order the events of a segment, and yield the rows that builders make of them."""
        for builder in self.ordered:
            builder.begin(segment)
        self._order_broken = True
        until = self.until
        alone = until is None and len(self.ordered) == 1
        for rows in self.order.run(segment, self.ordered[0].place if alone else None):
            yield from self._share(rows if until is None else self._before(until, rows))
            if self.cut and rows["generation"][-1] != self._last:
                return
        self._order_broken = False

    def _before(self, until: int, rows: Rows) -> Rows:
        """Return the rows before a time, and the later ones of its generation that state what has been so before."""
        n = int(np.searchsorted(rows["time"], until))
        if n == len(rows):
            return rows
        if not self.cut:
            self.cut, self._last = True, int(rows["generation"][n])
        late = rows[n:]
        mentions = (late["kind"] == EventKind.STATE_TRANSITION) & (late["old"] == GoState.UNDETERMINED)
        late = late[(mentions | (late["kind"] == EventKind.RANGE_ACTIVE)) & (late["generation"] == self._last)]
        late["time"] = until
        return np.concatenate((rows[:n], late))

    def _share(self, rows: Rows) -> Iterator[tuple[Builder, Rows]]:
        for builder in self.ordered:
            builder.take(rows)
        yield from self._ready()

    def _ready(self) -> Iterator[tuple[Builder, Rows]]:
        for builder in self.ordered:
            for rows in builder.ready():
                yield builder, rows

    def _flush(self, builders: Sequence[Builder]) -> Iterator[tuple[Builder, Rows]]:
        """Yield the remaining rows; the Sync that ends the trace is among them unless the order broke."""
        if self.ordered and not self._order_broken and not self.cut:
            yield from self._share(self.order.finish())
        for ordered in self.ordered:
            for _ in ordered.end():
                yield from self._ready()
        for builder in builders:
            for rows in builder.flush():
                yield builder, rows

    def run(self, *builders: Builder, progress: Progress | None = None) -> TraceError | None:
        """Read with builders that yield no rows; return the fault instead of raising it."""
        try:
            for _ in self.read(*builders, progress=progress):
                pass
        except TraceError as error:
            return error
        return None

    def _close(self, builders: Sequence[Builder]) -> None:
        self.ordered.clear()  # builders refer back to the pass: leave no cycle to the garbage collector
        reader = self._reader
        for builder in builders:
            reader.anomalies.update(builder.anomaly_counts())
            if builder.refers_to_types and reader.source.once:
                reader.types = self.types.rows()
