"""Readable events: a row of ORDERED comes in, an Event with attributes as in Go's API goes out.

Never here: bulk processing, which uses tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import NamedTuple, NoReturn

import numpy as np

from gotrace.experiments import ExperimentData
from gotrace.order.context import EventContext
from gotrace.spec.enums import EventKind, GoState, ProcState, Resource
from gotrace.spec.events import ATTRIBUTES, BY_ID, METRICS, RANGES
from gotrace.tables.ordered import ContextBuilder
from gotrace.tables.passes import TraceReader
from gotrace.text.ordered import SegmentWriter, TextWriter
from gotrace.wire.structure import Frame


class Transition(NamedTuple):
    """A state transition of a goroutine or proc.

    ``id`` is a goroutine's or a proc's, as given by ``resource``; ``stack`` is the resource's; ``reason`` may be empty.
    """

    resource: Resource
    id: int
    old: GoState | ProcState
    new: GoState | ProcState
    reason: str
    stack: list[Frame]


class Range(NamedTuple):
    """A range that starts, is active or ends; ``id`` is a goroutine's, a proc's or -1. Ends may have ``attributes``."""

    name: str
    resource: Resource
    id: int
    attributes: dict[str, int]


class Task(NamedTuple):
    """A user's task; ``parent`` is -1 for none."""

    id: int
    parent: int
    type: str


class Region(NamedTuple):
    """A user's region; task 0 is the background task."""

    task: int
    type: str


class Log(NamedTuple):
    """A user's log message."""

    task: int
    category: str
    message: str


class Metric(NamedTuple):
    """A sample of one of Go's metrics."""

    name: str
    value: int


class ExperimentalEvent(NamedTuple):
    """An experiment's event; ``data`` are the experiment's batches of the same generation, None if there are none."""

    name: str
    arg_names: tuple[str, ...]
    args: tuple[int, ...]
    data: ExperimentData | None


class Event:
    """One event, with the terms of Go's API. ``str(event)`` is the text that Go prints.

    Attributes
    ----------
    kind : EventKind
    time : int
        Time on the trace's clock in ns.
    goroutine, proc, thread : int
        Context of the event, before its own effect; -1 for none.
    offset : int
        Absolute byte of the event; -1 for a Sync.
    generation : int
        Low 32 bits of the generation's number.
    """

    def __init__(
        self, row: np.ndarray[tuple[int], np.dtype[np.void]], context: EventContext, writer: SegmentWriter
    ) -> None:
        self._rows = row
        self._row = row[0]
        self._context = context
        self._writer = writer
        self.kind = EventKind(int(self._row["kind"]))
        self.time = int(self._row["time"])
        self.goroutine = int(self._row["g"])
        self.proc = int(self._row["p"])
        self.thread = int(self._row["m"])
        self.offset = int(self._row["offset"])
        self.generation = int(self._row["generation"])

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Event cannot be pickled or copied: take its attributes, or str(event)")

    def __str__(self) -> str:
        text = b"".join(self._writer.write(self._rows))
        return text[:-1].decode("utf-8", "surrogateescape")

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def __repr__(self) -> str:
        return f"<gotrace.Event {str(self).partition(chr(10))[0]}>"

    def _arg(self, place: int) -> int:
        return int(self._row["args"][place]) % 2**64

    @property
    def stack(self) -> list[Frame]:
        """Call stack of the event's goroutine, leaf first."""
        return self._context.frames(int(self._row["stack"]))

    @property
    def transition(self) -> Transition | None:
        """Transition of a STATE_TRANSITION event, otherwise None."""
        if self.kind != EventKind.STATE_TRANSITION:
            return None
        row = self._row
        resource = Resource(int(row["resource"]))
        states = ProcState if resource == Resource.PROC else GoState
        return Transition(
            resource,
            int(row["args"][0]),
            states(int(row["old"])),
            states(int(row["new"])),
            self._context.text(int(row["name"])),
            self._context.frames(int(row["stack2"])),
        )

    @property
    def range(self) -> Range | None:
        """Range of a RANGE_BEGIN, RANGE_ACTIVE or RANGE_END event, otherwise None."""
        if self.kind not in (EventKind.RANGE_BEGIN, EventKind.RANGE_ACTIVE, EventKind.RANGE_END):
            return None
        row, spec = self._row, BY_ID[int(self._row["type"])]
        name = RANGES[BY_ID[spec.start].name if spec.start else spec.name]
        if name.endswith("("):
            name += self._context.text(int(row["name"])) + ")"
        attributes = {label: self._arg(i) for i, label in enumerate(ATTRIBUTES.get(spec.name, ()), 1)}
        resource = Resource(int(row["resource"]))
        return Range(name, resource, int(row["args"][0]) if resource else -1, attributes)

    @property
    def task(self) -> Task | None:
        """Task of a TASK_BEGIN or TASK_END event, otherwise None."""
        if self.kind not in (EventKind.TASK_BEGIN, EventKind.TASK_END):
            return None
        return Task(self._arg(0), int(self._row["args"][1]), self._context.text(int(self._row["name"])))

    @property
    def region(self) -> Region | None:
        """Region of a REGION_BEGIN or REGION_END event, otherwise None."""
        if self.kind not in (EventKind.REGION_BEGIN, EventKind.REGION_END):
            return None
        return Region(self._arg(0), self._context.text(int(self._row["name"])))

    @property
    def log(self) -> Log | None:
        """Message of a LOG event, otherwise None."""
        if self.kind != EventKind.LOG:
            return None
        text = self._context.text
        return Log(self._arg(0), text(int(self._row["name"])), text(int(self._row["text"])))

    @property
    def label(self) -> str | None:
        """Goroutine label of a LABEL event, otherwise None."""
        return self._context.text(int(self._row["name"])) if self.kind == EventKind.LABEL else None

    @property
    def metric(self) -> Metric | None:
        """Sample of a METRIC event, otherwise None."""
        if self.kind != EventKind.METRIC:
            return None
        return Metric(METRICS[BY_ID[int(self._row["type"])].name], self._arg(0))

    @property
    def experimental(self) -> ExperimentalEvent | None:
        """Name, arguments and experimental batches of an EXPERIMENTAL event, otherwise None."""
        if self.kind != EventKind.EXPERIMENTAL:
            return None
        kind = int(self._row["type"])
        spec = next(spec for spec in self._context.registry.events if spec.id == kind)
        args = tuple(self._arg(i) for i in range(len(spec.arg_names)))
        return ExperimentalEvent(spec.name, spec.arg_names, args, self._data(spec.experiment))

    def _data(self, experiment: int) -> ExperimentData | None:
        segment = self._context.segment
        assert segment is not None
        batches = segment.slab.batches
        batch = int(np.searchsorted(batches["offset"], self.offset, side="right")) - 1
        return self._context.experiments().get((int(batches["gen"][batch]), experiment))


def events(reader: TraceReader) -> Iterator[Event]:
    """Yield every event of a trace, in order."""
    read_pass = reader.new_pass()
    builder = ContextBuilder(read_pass, copy=reader.source.once)
    texts = TextWriter(reader.experiments)
    context: EventContext | None = None
    for _, rows in read_pass.read(builder):
        if context is not builder.context:
            context = builder.context
            writer = texts.for_segment(context)
            if context.segment is not None:
                context.experiments()  # parsed now, while the segment's bytes are in the window
        copy = rows.copy()
        for i in range(len(copy)):
            yield Event(copy[i : i + 1], context, writer)
