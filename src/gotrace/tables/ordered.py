"""Builders of the tables of ordered events: segments come in, rows go out. Never here: a rule of the order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from gotrace.dtypes import (
    EVENT,
    LABEL,
    LOG,
    METRIC,
    RANGE,
    REGION,
    TASK,
    TRANSITION,
    Rows,
    opaque,
)
from gotrace.order import _lookahead
from gotrace.order.context import EventContext
from gotrace.order.rows import ORDERED
from gotrace.spec.enums import EventKind, EventType, Resource
from gotrace.spec.events import BY_ID
from gotrace.tables.builder import Builder, Chunks, OrderedBuilder
from gotrace.tables.passes import ReadPass
from gotrace.wire.segments import Segment

_STARTS = np.zeros(256, np.uint8)  # type of the event that starts a range, by event type
_STARTS[list(BY_ID)] = [event.start or event.id for event in BY_ID.values()]
_MORE = 3  # EVENT rows beyond a chunk's end: the machine needs room for three rows, each wider than EVENT


class ContextBuilder(Builder):
    """All events as rows of ORDERED, valid until the next ones, with their context.

    Attributes
    ----------
    context : EventContext
        Context of the rows last yielded.
    """

    def __init__(self, read_pass: ReadPass, *, copy: bool = False) -> None:
        self._pass = read_pass
        self._copy = copy
        self._broken = False
        self.context = EventContext(None, read_pass.order, read_pass.registry)

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Order a segment's events and yield them."""
        order = self._pass.order
        self.context = EventContext(segment, order, self._pass.registry, copy=self._copy)
        self._broken = True
        yield from order.run(segment)
        self._broken = False

    def flush(self) -> Iterator[Rows]:
        """Yield the Sync that ends the trace, unless the order broke."""
        if not self._broken:
            yield self._pass.order.finish()


class KindBuilder(OrderedBuilder):
    """Rows of a table of ordered events of some kinds."""

    kinds: ClassVar[tuple[EventKind, ...]]
    columns: ClassVar[dict[str, str]] = {}

    def __init__(self, read_pass: ReadPass, length: int) -> None:
        self.read_pass = read_pass
        self._pending: list[Rows] = []
        read_pass.ordered.append(self)

    def take(self, rows: Rows) -> None:
        """Select and convert this table's rows from rows of ORDERED."""
        chosen = rows["kind"] == self.kinds[0]
        for kind in self.kinds[1:]:
            chosen |= rows["kind"] == kind
        rows = rows[chosen]
        if len(rows):
            table = np.zeros(len(rows), self.dtype)
            for name in self.dtype.names or ():
                self.column(table, name, rows)
            self._pending.append(table)

    def column(self, table: Rows, name: str, rows: Rows) -> None:
        """Fill one column from the field of ORDERED of that name, or the field or argument that ``columns`` gives."""
        source = self.columns.get(name, name)
        if source.startswith("args"):
            table[name] = rows["args"][:, int(source[4:])]
        elif source in ("name", "text"):
            table[name] = self.read_pass.order.state.string_rows(rows[source])
        else:
            table[name] = rows[source]

    def ready(self) -> Iterator[Rows]:
        """Yield the rows taken so far."""
        if self._pending:
            rows = np.concatenate(list(map(opaque, self._pending))).view(self.dtype)
            self._pending = []
            yield rows


class EventBuilder(OrderedBuilder):
    """Rows of EVENT: every event in order."""

    dtype = EVENT
    places = True

    def __init__(self, read_pass: ReadPass, length: int) -> None:
        read_pass.ordered.append(self)
        self._chunks = Chunks(EVENT, length, _MORE)
        self._left: Rows = np.empty(0, ORDERED)

    def place(self) -> Rows | None:
        """Return overlapping rows of ORDERED in the current chunk, whose fields of EVENT become its rows.

        ORDERED starts with the fields of EVENT; each row overwrites the rest of the row before. Other builders need
        whole rows.
        """
        free = self._chunks.room()
        return np.ndarray(len(free) - 1, ORDERED, free, strides=(EVENT.itemsize,))

    def take(self, rows: Rows) -> None:
        """Take rows of ORDERED: those already in the current chunk, or those that ``ready`` copies to it."""
        if rows.strides[0] == EVENT.itemsize:
            self._chunks.add(len(rows))
        else:
            self._left = rows

    def ready(self) -> Iterator[Rows]:
        """Copy rows that are not in the current chunk yet, and yield full chunks."""
        yield from self._chunks.full()
        while len(self._left):
            n = min(len(self._chunks.room()), len(self._left))
            _lookahead.take_events(self._left[:n], self._chunks.room())
            self._chunks.add(n)
            self._left = self._left[n:]
            yield from self._chunks.full()

    def flush(self) -> Iterator[Rows]:
        """Yield the last chunk, partly filled."""
        yield from self._chunks.last()


class TransitionBuilder(KindBuilder):
    """Rows of TRANSITION."""

    dtype = TRANSITION
    kinds = (EventKind.STATE_TRANSITION,)
    columns: ClassVar = {"id": "args0", "resource_stack": "stack2", "reason": "name"}


class RangeBuilder(KindBuilder):
    """Rows of RANGE."""

    dtype = RANGE
    kinds = (EventKind.RANGE_BEGIN, EventKind.RANGE_ACTIVE, EventKind.RANGE_END)
    columns: ClassVar = {"id": "args0", "swept": "args1", "reclaimed": "args2", "reason": "name"}

    def column(self, table: Rows, name: str, rows: Rows) -> None:
        """Fill one column."""
        if name == "start":
            table[name] = _STARTS[rows["type"]]
            return
        super().column(table, name, rows)
        if name == "id":
            table[name][rows["resource"] == Resource.NONE] = -1
        elif name in ("swept", "reclaimed"):
            table[name][rows["type"] != EventType.GC_SWEEP_END] = -1


class TaskBuilder(KindBuilder):
    """Rows of TASK."""

    dtype = TASK
    kinds = (EventKind.TASK_BEGIN, EventKind.TASK_END)
    columns: ClassVar = {"task": "args0", "parent": "args1"}


class RegionBuilder(KindBuilder):
    """Rows of REGION."""

    dtype = REGION
    kinds = (EventKind.REGION_BEGIN, EventKind.REGION_END)
    columns: ClassVar = {"task": "args0"}


class LogBuilder(KindBuilder):
    """Rows of LOG."""

    dtype = LOG
    kinds = (EventKind.LOG,)
    columns: ClassVar = {"task": "args0", "category": "name", "message": "text"}


class LabelBuilder(KindBuilder):
    """Rows of LABEL."""

    dtype = LABEL
    kinds = (EventKind.LABEL,)
    columns: ClassVar = {"label": "name"}


class MetricBuilder(KindBuilder):
    """Rows of METRIC."""

    dtype = METRIC
    kinds = (EventKind.METRIC,)
    columns: ClassVar = {"value": "args0"}
