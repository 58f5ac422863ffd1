"""An event for people: a readable view of one row. Never here: use in bulk code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gotrace.spec.enums import EventKind, GoState, ProcState, Resource
from gotrace.spec.events import ATTRIBUTES, EVENTS, METRICS, RANGES
from gotrace.tables import Frame

if TYPE_CHECKING:
    from gotrace.experiments import ExperimentData, Registry
    from gotrace.ordering.drive import Order
    from gotrace.parsed import PartLines
    from gotrace.parts import Part


class Transition(NamedTuple):
    """A goroutine or proc changes its state.

    ``resource`` says which of the two ``id`` names; ``stack`` is the resource's own, ``reason`` may be empty.
    """

    resource: Resource
    id: int
    old: GoState | ProcState
    new: GoState | ProcState
    reason: str
    stack: list[Frame]


class Range(NamedTuple):
    """A range begins, goes on or ends; ``id`` names a goroutine or proc, or is -1. Ends may have ``attributes``."""

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
    """An experiment's event; ``data`` are its generation's batches, None without any."""

    name: str
    arg_names: tuple[str, ...]
    args: tuple[int, ...]
    data: ExperimentData | None


class Scene:
    """What the events of one part have in common."""

    def __init__(self, part: Part | None, order: Order, lines: PartLines, registry: Registry) -> None:
        self.part = part
        self.lines = lines
        self.registry = registry
        self.state = order.state
        self.string_base = order.string_base
        self.stack_base = order.stack_base

    def text(self, row: int) -> str:
        """Return a row of strings, or of names."""
        if row < 0:
            return self.state.name(-1 - row).decode("utf-8", "surrogateescape")
        return self.part.tables.text(row - self.string_base) if row and self.part else ""

    def frames(self, row: int) -> list[Frame]:
        """Return a row of stacks."""
        return self.part.tables.stack(row - self.stack_base) if row and self.part else []


class Event:
    """One event, in the words of Go's API. ``str(event)`` is Go's line.

    Attributes
    ----------
    kind : EventKind
    time : int
        ns on the trace's clock.
    goroutine, proc, thread : int
        Where it happened, before its own effect; -1 for none.
    offset : int
        Its byte in the file; -1 for a Sync.
    generation : int
        Low 32 bits of its generation's number.
    """

    def __init__(self, row: np.ndarray[tuple[int], np.dtype[np.void]], scene: Scene) -> None:
        self._rows = row
        self._row = row[0]
        self._scene = scene
        self.kind = EventKind(int(self._row["kind"]))
        self.time = int(self._row["time"])
        self.goroutine = int(self._row["g"])
        self.proc = int(self._row["p"])
        self.thread = int(self._row["m"])
        self.offset = int(self._row["offset"])
        self.generation = int(self._row["generation"])

    def __str__(self) -> str:
        text = b"".join(self._scene.lines.write(self._rows))
        return text[:-1].decode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return f"<gotrace.Event {str(self).partition(chr(10))[0]}>"

    def _arg(self, place: int) -> int:
        return int(self._row["args"][place]) % 2**64

    @property
    def stack(self) -> list[Frame]:
        """Call stack of the goroutine it happened on, leaf first."""
        return self._scene.frames(int(self._row["stack"]))

    @property
    def transition(self) -> Transition | None:
        """What changed its state, of a STATE_TRANSITION."""
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
            self._scene.text(int(row["name"])),
            self._scene.frames(int(row["stack2"])),
        )

    @property
    def range(self) -> Range | None:
        """What begins, goes on or ends, of a RANGE event."""
        if self.kind not in (EventKind.RANGE_BEGIN, EventKind.RANGE_ACTIVE, EventKind.RANGE_END):
            return None
        row, spec = self._row, EVENTS[int(self._row["type"]) - 1]
        name = RANGES[EVENTS[spec.start - 1].name if spec.start else spec.name]
        if name.endswith("("):
            name += self._scene.text(int(row["name"])) + ")"
        attributes = {label: self._arg(i) for i, label in enumerate(ATTRIBUTES.get(spec.name, ()), 1)}
        resource = Resource(int(row["resource"]))
        return Range(name, resource, int(row["args"][0]) if resource else -1, attributes)

    @property
    def task(self) -> Task | None:
        """The task, of a TASK event."""
        if self.kind not in (EventKind.TASK_BEGIN, EventKind.TASK_END):
            return None
        return Task(self._arg(0), int(self._row["args"][1]), self._scene.text(int(self._row["name"])))

    @property
    def region(self) -> Region | None:
        """The region, of a REGION event."""
        if self.kind not in (EventKind.REGION_BEGIN, EventKind.REGION_END):
            return None
        return Region(self._arg(0), self._scene.text(int(self._row["name"])))

    @property
    def log(self) -> Log | None:
        """The message, of a LOG event."""
        if self.kind != EventKind.LOG:
            return None
        text = self._scene.text
        return Log(self._arg(0), text(int(self._row["name"])), text(int(self._row["text"])))

    @property
    def label(self) -> str | None:
        """The label of the goroutine, of a LABEL event."""
        return self._scene.text(int(self._row["name"])) if self.kind == EventKind.LABEL else None

    @property
    def metric(self) -> Metric | None:
        """The sample, of a METRIC event."""
        if self.kind != EventKind.METRIC:
            return None
        return Metric(METRICS[EVENTS[int(self._row["type"]) - 1].name], self._arg(0))

    @property
    def experimental(self) -> ExperimentalEvent | None:
        """Name, argument names, arguments and its generation's data, of an EXPERIMENTAL event."""
        if self.kind != EventKind.EXPERIMENTAL:
            return None
        kind = int(self._row["type"])
        spec = next(spec for spec in self._scene.registry.events if spec.id == kind)
        args = tuple(self._arg(i) for i in range(len(spec.arg_names)))
        return ExperimentalEvent(spec.name, spec.arg_names, args, self._data(spec.experiment))

    def _data(self, experiment: int) -> ExperimentData | None:
        part = self._scene.part
        assert part is not None
        batch = int(np.searchsorted(part.slab.batches["offset"], self.offset, side="right")) - 1
        return part.experiments().get((int(part.slab.batches["gen"][batch]), experiment))
