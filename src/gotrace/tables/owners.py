"""On whose behalf objects were allocated, as the order of events tells: goroutine's start function, task or region.

Never here: replay, or a guess: what the order does not tell is unknown.
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
"""Names of groups: the trace does not tell; there is none."""

I4 = npt.NDArray[np.int32]

_UNKNOWN, _NONE = 0, 1  # labels; those below 0 are of goroutines whose start function may yet be told
_SHORTEST = 4  # bytes of an allocation's event, at least: type, time, id and id of its type
_BEGINS = (EventKind.TASK_BEGIN, EventKind.REGION_BEGIN)
_WORK = (*_BEGINS, EventKind.TASK_END, EventKind.REGION_END)
_BACKGROUND = 0
_DEEPEST = 1024  # open at a time on one goroutine; of one that has more, nothing is known


class AllocationLabels:
    """Labels of allocations, segment by segment.

    Subclasses say what an allocation's goroutine stands for. Objects of the snapshot are unknown, and so is everything
    from an event on that is not in order.
    """

    def __init__(self, read_pass: ReadPass) -> None:
        self._pass = read_pass
        self._labels: dict[str, int] = {UNKNOWN: _UNKNOWN, NONE: _NONE}
        self._names = [UNKNOWN, NONE]
        self._lost = False
        self._first = 0
        self._by_place: I4 = np.zeros(0, np.int32)  # labels by offset from _first, in steps of the shortest event

    def learn(self, segment: Segment) -> None:
        """Order the events of a segment; the labels of its allocations are known then.

        Where the order breaks, what came before has labels, nothing later has, and a warning says so.
        """
        self._first = int(segment.slab.batches["offset"].min())
        self._by_place = np.zeros((segment.slab.end - self._first) // _SHORTEST + 1, np.int32)
        self._lost |= segment.torn
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
            self._lost = True
            self._pass.warn(f"from here on it is not known who allocated: {error}")

    def labels(self, rows: Rows) -> I8:
        """Labels of rows of ALLOC of the segment."""
        labels: I8 = self._by_place[(rows["offset"] - self._first) // _SHORTEST].astype(np.int64)
        labels[(rows["what"] != What.OBJECT) | (rows["op"] != Op.ALLOC)] = _UNKNOWN
        return labels

    def name(self, label: int) -> str:
        """Name of a label."""
        return self._names[label]

    def label(self, name: str) -> int:
        """Label of a name."""
        if name not in self._labels:
            self._labels[name] = len(self._names)
            self._names.append(name)
        return self._labels[name]

    def begin(self) -> None:
        """Take notice that a segment begins."""

    def take(self, rows: Rows, new: I8, context: EventContext) -> I8:
        """Learn from rows of ORDERED; returns labels of those of them that are allocations."""
        raise NotImplementedError


class Goroutines(AllocationLabels):
    """Goroutines by the function that they started with.

    A new goroutine's event tells it. Of one that was there before, the outermost frame of its own stack does, wherever
    it stands later, unless the runtime cut the stack off.
    """

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass)
        self._started: dict[int, int] = {}  # label of each living goroutine, as far as it is known
        self._waiting: dict[int, int] = {}  # number of each goroutine that allocated and has no name yet
        self._late: list[int] = []  # by this number, the label that came later

    def begin(self) -> None:
        """Stacks have other rows in each segment."""
        self._of_stack: dict[int, int] = {}

    def take(self, rows: Rows, new: I8, context: EventContext) -> I8:
        """Look at transitions of goroutines that have a stack; of a goroutine without a name its number, below 0."""
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
            if g not in self._waiting:
                self._waiting[g] = len(self._late)
                self._late.append(_UNKNOWN)
            label = ~self._waiting[g]
        return label

    def _start(self, g: int, label: int) -> None:
        if label == _UNKNOWN:
            return
        self._started[g] = label
        if g in self._waiting:
            self._late[self._waiting.pop(g)] = label

    def _function(self, stack: int, context: EventContext) -> int:
        if stack not in self._of_stack:
            frames = context.frames(stack)
            function = frames[-1].function if 0 < len(frames) < MAX_FRAMES else ""
            self._of_stack[stack] = self.label(function) if function else _UNKNOWN
        return self._of_stack[stack]

    def name(self, label: int) -> str:
        """Name of a label, by all that was read."""
        return super().name(self._late[~label] if label < 0 else label)


class _Work(AllocationLabels):
    """What goroutines have open: a stack for each one that has anything."""

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass)
        self._open: dict[int, list[tuple[int, int]]] = {}  # by goroutine: task of a region or ~task begun, label
        self._deep: set[int] = set()

    def take(self, rows: Rows, new: I8, context: EventContext) -> I8:
        """Let begins and ends change what is open."""
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
                name = context.text(int(row["name"])) if row["kind"] in _BEGINS else ""
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
        """Open or close something; says for which goroutine."""
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

    def _end_region(self, g: int) -> None:
        """Close the innermost region; one that began before the trace is not there."""
        stack = self._open.get(g, ())
        at = next((i for i in reversed(range(len(stack))) if stack[i][0] >= 0), -1)
        if at >= 0:
            self._drop(g, at)

    def _top(self, g: int) -> int:
        if g in self._deep:
            return _UNKNOWN
        return next((label for _, label in reversed(self._open.get(g, ())) if label != _NONE), _NONE)


class Regions(_Work):
    """Regions by their type: the innermost one that is open."""

    def change(self, kind: EventKind, g: int, task: int, name: str) -> int:
        """Open or close a region."""
        if kind == EventKind.REGION_BEGIN:
            self._push(g, task, self.label(name))
        elif kind == EventKind.REGION_END:
            self._end_region(g)
        return g


class Tasks(_Work):
    """Tasks by their type: of what the goroutine opened last and did not close, a region of a task or a task itself."""

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass)
        self._active: dict[int, tuple[int, int]] = {}  # by task: goroutine that began it, label

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
            unknown = _NONE if task == _BACKGROUND else _UNKNOWN  # the task began before the trace
            self._push(g, task, self._active[task][1] if task in self._active else unknown)
        else:
            self._end_region(g)
        return g


OWNERS: dict[str, type[AllocationLabels]] = {"goroutine": Goroutines, "task": Tasks, "region": Regions}
