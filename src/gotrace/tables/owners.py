"""Label allocations by goroutine, task or region: ordered events come in, labels of allocations go out.

Never here: replay, or guesses: an allocation that the order of events does not attribute is unknown.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I8, Op, Rows, What
from gotrace.errors import TraceError
from gotrace.order.context import EventContext
from gotrace.spec.enums import EventKind, EventType, GoState, Resource
from gotrace.spec.limits import MAX_FRAMES
from gotrace.tables.passes import ReadPass
from gotrace.wire.segments import Segment

UNKNOWN, NONE = "(unknown)", "(none)"
"""Names of groups: not known from the trace; known to be none."""

I4 = npt.NDArray[np.int32]

_UNKNOWN, _NONE = 0, 1  # labels; those below 0 are goroutines whose start function may appear later
_SHORTEST = 4  # minimum bytes of an allocation's event: type, time, id and id of its type
_NAMED = (EventKind.TASK_BEGIN, EventKind.REGION_BEGIN, EventKind.REGION_END)
_WORK = (*_NAMED, EventKind.TASK_END)
_BACKGROUND = 0
_DEEPEST = 1024  # maximum open tasks and regions of a goroutine; beyond that, its allocations are unknown


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
                new = np.flatnonzero(rows["type"] == EventType.HEAP_OBJECT_ALLOC)
                self._by_place[(rows["offset"][new] - self._first) // _SHORTEST] = self.take(rows, new, context)
        except TraceError as error:
            if segment.losses is not None:
                segment.losses.add(error, order.lose(segment))
                self.forget()
                return
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
    """Open tasks and regions: a stack for each goroutine that has any."""

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass)
        self._open: dict[int, list[tuple[int, int]]] = {}  # by goroutine: (task of a region or ~task, label)
        self._deep: set[int] = set()

    def forget(self) -> None:
        """Forget open tasks and regions."""
        self._open.clear()
        self._deep.clear()

    def take(self, rows: Rows, new: I8, context: EventContext) -> I8:
        """Apply starts and ends of tasks and regions; return each allocation's label at its time."""
        gs, of = np.unique(rows["g"][new], return_inverse=True)
        changes = [(g, -1, self._top(g)) for g in gs.tolist()]
        gone = (rows["resource"] == Resource.GOROUTINE) & (rows["new"] == GoState.NOT_EXIST)
        gone &= rows["kind"] == EventKind.STATE_TRANSITION
        for i in np.flatnonzero(np.isin(rows["kind"], _WORK) | gone).tolist():
            row = rows[i]
            g = int(row["g"])
            if gone[i]:
                g = int(row["args"][0])
                self._open.pop(g, None)
                self._deep.discard(g)
            else:
                name = context.text(int(row["name"])) if row["kind"] in _NAMED else ""
                g = self.change(EventKind(row["kind"]), g, int(row["args"][0]), name)
            changes.append((g, i, self._top(g)))
        if not len(new):
            return new
        table = np.array(changes, np.int64)
        table = table[np.isin(table[:, 0], gs)]
        keys = np.searchsorted(gs, table[:, 0]) * (len(rows) + 1) + table[:, 1] + 1
        order = np.argsort(keys, kind="stable")
        at = np.searchsorted(keys[order], of * (len(rows) + 1) + new + 1, side="right") - 1
        return np.asarray(table[order[at], 2], np.int64)

    def change(self, kind: EventKind, g: int, task: int, name: str) -> int:
        """Open or close a task or region; return the goroutine that it belongs to."""
        raise NotImplementedError

    def _push(self, g: int, task: int, label: int) -> None:
        if g in self._deep:
            return
        stack = self._open.setdefault(g, [])
        if len(stack) == _DEEPEST:
            del self._open[g]
            self._deep.add(g)
        else:
            stack.append((task, label))

    def _drop(self, g: int, at: int) -> None:
        del self._open[g][at]
        if not self._open[g]:
            del self._open[g]

    def _end_region(self, g: int, task: int, label: int | None = None) -> None:
        """Close the innermost region of a task, of any label or of one; one from before the trace is not open here."""
        stack = self._open.get(g, ())
        same = (i for i, (of, name) in enumerate(stack) if of == task and label in (None, name))
        at = max(same, default=-1)
        if at >= 0:
            self._drop(g, at)

    def _top(self, g: int) -> int:
        if g in self._deep:
            return _UNKNOWN
        return next((label for _, label in reversed(self._open.get(g, ())) if label != _NONE), _NONE)


class Regions(_Work):
    """Innermost open region by region type."""

    def change(self, kind: EventKind, g: int, task: int, name: str) -> int:
        """Open or close a region."""
        if kind == EventKind.REGION_BEGIN:
            self._push(g, task, self.label(name))
        elif kind == EventKind.REGION_END:
            self._end_region(g, task, self.label(name))
        return g


class Tasks(_Work):
    """Tasks by task type: the task that the goroutine opened last, itself or by a region of the task."""

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass)
        self._active: dict[int, tuple[int, int]] = {}  # by task: (goroutine that started it, label)

    def forget(self) -> None:
        """Forget open and active tasks."""
        super().forget()
        self._active.clear()

    def change(self, kind: EventKind, g: int, task: int, name: str) -> int:
        """Open or close a region or a task."""
        if kind == EventKind.TASK_BEGIN:
            label = self.label(name)
            self._active[task] = g, label
            self._push(g, ~task, label)
        elif kind == EventKind.TASK_END:
            g, _ = self._active.pop(task, (g, _NONE))
            stack = self._open.get(g, [])
            at = next((i for i in reversed(range(len(stack))) if stack[i][0] == ~task), -1)
            if at >= 0:
                self._drop(g, at)
        elif kind == EventKind.REGION_BEGIN:
            unknown = _NONE if task == _BACKGROUND else _UNKNOWN  # unknown tasks started before the trace
            self._push(g, task, self._active[task][1] if task in self._active else unknown)
        else:
            self._end_region(g, task)
        return g


OWNERS: dict[str, type[AllocationLabels]] = {"goroutine": Goroutines, "task": Tasks, "region": Regions}
