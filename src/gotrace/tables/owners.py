"""Label allocations by goroutine, task or region: ordered events come in, labels of allocations go out.

Never here: replay, or guesses: an allocation that the order of events does not attribute is unknown.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I8, Op, Rows, What
from gotrace.errors import TraceError
from gotrace.hashing import new_map, rehashed
from gotrace.order.context import EventContext
from gotrace.spec.enums import EventKind, EventType, GoState, Resource
from gotrace.spec.limits import MAX_FRAMES
from gotrace.tables._owners import OpenWork
from gotrace.tables.passes import ReadPass
from gotrace.tables.rows import OPEN_WORK
from gotrace.wire.segments import Segment

UNKNOWN, NONE = "(unknown)", "(none)"
"""Names of groups: not known from the trace; known to be none."""

I4 = npt.NDArray[np.int32]

_UNKNOWN, _NONE = 0, 1  # labels; those below 0 are goroutines whose start function may appear later
_SHORTEST = 4  # minimum bytes of an allocation's event: type, time, id and id of its type
_PLACES = 1024  # of an empty hash table or list


class AllocationLabels:
    """Labels of allocations, segment by segment.

    Subclasses map an allocation's goroutine to a label. Objects of the snapshot are unknown, and so are all
    allocations after the order breaks.
    """

    def __init__(self, read_pass: ReadPass) -> None:
        self._pass = read_pass
        self._labels: dict[str, int] = {UNKNOWN: _UNKNOWN, NONE: _NONE}
        self._names = [UNKNOWN, NONE]
        self._lost = False
        self._breaks = 0
        self._first = 0
        self._by_place: I4 = np.zeros(0, np.int32)  # labels by offset from _first, in units of the shortest event

    def learn(self, segment: Segment) -> None:
        """Order the events of a segment and label its allocations.

        If the order breaks, allocations after the fault have no labels, and a warning is issued.
        """
        self._first = int(segment.slab.batches["offset"].min())
        self._by_place = np.zeros((segment.slab.end - self._first) // _SHORTEST + 1, np.int32)
        if segment.torn:
            self._lost |= segment.losses is None
            self.forget()
        if self._lost:
            return
        order = self._pass.order
        context = EventContext(segment, order, self._pass.registry)
        self.begin()
        try:
            for rows in order.run(segment):
                if order.breaks != self._breaks:
                    self._breaks = order.breaks
                    self.forget()
                new = np.flatnonzero(rows["type"] == EventType.HEAP_OBJECT_ALLOC)
                self._by_place[(rows["offset"][new] - self._first) // _SHORTEST] = self.take(rows, new, context)
        except TraceError as error:
            if segment.losses is not None:
                raise
            self._lost = True
            self._pass.warn(f"allocations after this point cannot be attributed: {error}")

    def forget(self) -> None:
        """Forget what goroutines run and have open, after a gap in the order."""
        raise NotImplementedError

    def labels(self, rows: Rows) -> I8:
        """Return the labels of rows of ALLOC of the segment."""
        labels: I8 = self._by_place[(rows["offset"] - self._first) // _SHORTEST].astype(np.int64)
        labels[(rows["what"] != What.OBJECT) | (rows["op"] != Op.ALLOC)] = _UNKNOWN
        return labels

    def name(self, label: int) -> str:
        """Return the name of a label."""
        return self._names[label]

    def groups(self, labels: I8) -> tuple[list[str], I8]:
        """Return the names of groups, and the group of each label, after all segments."""
        of = [self.name(label) for label in labels.tolist()]
        names = sorted(set(of))
        group = {name: i for i, name in enumerate(names)}
        return names, np.array([group[name] for name in of], np.int64)

    def label(self, name: str) -> int:
        """Return the label of a name, adding it if it is new."""
        if name not in self._labels:
            self._labels[name] = len(self._names)
            self._names.append(name)
        return self._labels[name]

    def begin(self) -> None:
        """Prepare for the next segment."""

    def take(self, rows: Rows, new: I8, context: EventContext) -> I8:
        """Take rows of ORDERED; return the labels of the allocations among them, which are ``rows[new]``."""
        raise NotImplementedError


class Goroutines(AllocationLabels):
    """Goroutines by start function.

    The event that creates a goroutine names the function. For an older goroutine it is the outermost frame of any
    later stack of its own, unless the runtime truncated the stack.
    """

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass)
        self._started: dict[int, int] = {}  # known label by living goroutine
        self._pending: dict[int, int] = {}  # number by goroutine that allocated and has no label yet
        self._resolved: list[int] = []  # label by this number, unknown until the goroutine has one

    def forget(self) -> None:
        """Forget start functions: ids may belong to other goroutines now."""
        self._started.clear()
        self._pending.clear()

    def begin(self) -> None:
        """Reset the cache of stacks, whose rows differ in each segment."""
        self._of_stack: dict[int, int] = {}

    def take(self, rows: Rows, new: I8, context: EventContext) -> I8:
        """Learn start functions from transitions with stacks; a pending goroutine's label is ``~number``, below 0."""
        gs = rows["g"][new]
        rows = rows[(rows["kind"] == EventKind.STATE_TRANSITION) & (rows["resource"] == Resource.GOROUTINE)]
        gone = rows["args"][rows["new"] == GoState.NOT_EXIST, 0]
        rows = rows[rows["stack2"] > 0]
        created = rows["old"] == GoState.NOT_EXIST
        ids, stacks = rows["args"][:, 0], rows["stack2"]
        for g, stack in zip(ids[created].tolist(), stacks[created].tolist(), strict=True):
            self._start(g, self._function(stack, context))
        pairs = np.unique(np.stack((ids[~created], stacks[~created]), axis=1), axis=0)
        for g, stack in pairs.tolist():
            if g not in self._started:
                self._start(g, self._function(stack, context))
        known, of = np.unique(gs, return_inverse=True)
        labels = np.array([self._label_of(g) for g in known.tolist()], np.int64)
        for g in gone.tolist():
            self._started.pop(g, None)
        return labels[of]

    def _label_of(self, g: int) -> int:
        if g < 0:
            return _NONE
        label = self._started.get(g)
        if label is None:
            if g not in self._pending:
                self._pending[g] = len(self._resolved)
                self._resolved.append(_UNKNOWN)
            label = ~self._pending[g]
        return label

    def _start(self, g: int, label: int) -> None:
        if label == _UNKNOWN:
            return
        self._started[g] = label
        if g in self._pending:
            self._resolved[self._pending.pop(g)] = label

    def _function(self, stack: int, context: EventContext) -> int:
        if stack not in self._of_stack:
            frames = context.frames(stack)
            function = frames[-1].function if 0 < len(frames) < MAX_FRAMES else ""
            self._of_stack[stack] = self.label(function) if function else _UNKNOWN
        return self._of_stack[stack]

    def name(self, label: int) -> str:
        """Return the name of a label, after all segments that may resolve it."""
        return super().name(self._resolved[~label] if label < 0 else label)


class _Work(AllocationLabels):
    """Tasks and regions that goroutines have open."""

    by_task: ClassVar[bool]
    named: ClassVar[tuple[EventKind, ...]]
    """Kinds of events whose name is a label."""

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass)
        self.forget()

    def forget(self) -> None:
        """Forget open tasks and regions."""
        self._open = OpenWork(self.by_task)
        self._goroutines, self._tasks = new_map(_PLACES), new_map(_PLACES)
        self._rows: Rows = np.zeros(_PLACES, OPEN_WORK)
        self._open.bind(self._goroutines, self._tasks, self._rows)

    def take(self, rows: Rows, new: I8, context: EventContext) -> I8:
        """Apply starts and ends of tasks and regions; return each allocation's label at its time."""
        names = np.zeros(len(rows), np.int32)
        named = np.flatnonzero(np.isin(rows["kind"], self.named))
        texts, text_of = np.unique(rows["name"][named], return_inverse=True)
        names[named] = np.array([self.label(context.text(text)) for text in texts.tolist()], np.int32)[text_of]
        starts = np.isin(rows["kind"], (EventKind.TASK_BEGIN, EventKind.REGION_BEGIN))
        self._make_room(int(np.count_nonzero(starts)))
        labels = np.empty(len(new), np.int32)
        self._open.follow(rows, names, labels)
        return labels.astype(np.int64)

    def _make_room(self, starts: int) -> None:
        """Enlarge the kernel's tables for the next starts of tasks and regions."""
        work = self._open
        while 2 * (work.n_goroutines + starts) > self._goroutines.places:
            self._goroutines = rehashed(self._goroutines)
        while 2 * (work.n_tasks + starts) > self._tasks.places:
            self._tasks = rehashed(self._tasks)
        while work.n_work + 2 * starts >= len(self._rows):
            self._rows = np.concatenate((self._rows, np.zeros(len(self._rows), OPEN_WORK)))
        work.bind(self._goroutines, self._tasks, self._rows)


class Regions(_Work):
    """Innermost open region by region type."""

    by_task = False
    named = (EventKind.REGION_BEGIN, EventKind.REGION_END)


class Tasks(_Work):
    """Tasks by task type: the task that the goroutine opened last, itself or by a region of the task."""

    by_task = True
    named = (EventKind.TASK_BEGIN,)


OWNERS: dict[str, type[AllocationLabels]] = {"goroutine": Goroutines, "task": Tasks, "region": Regions}
