"""On whose behalf objects were allocated, as the order of events tells: goroutine's start function, task or region.

Never here: replay, or a guess: what the order does not tell is unknown.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import Op
from gotrace.errors import TraceError
from gotrace.events import Scene
from gotrace.experiments import Registry
from gotrace.parsed import Lines
from gotrace.reader import Part, Pass
from gotrace.slabs import I8, Rows
from gotrace.spec.enums import EventKind, EventType, GoState, Resource
from gotrace.spec.limits import MAX_FRAMES

UNKNOWN, NONE = "(unknown)", "(none)"
"""Names of groups: the trace does not tell; there is none."""

_UNKNOWN, _NONE = 0, 1  # labels; those below 0 are of goroutines whose start function may yet be told
_BEGINS = (EventKind.TASK_BEGIN, EventKind.REGION_BEGIN)
_WORK = (*_BEGINS, EventKind.TASK_END, EventKind.REGION_END)
_BACKGROUND = 0
_DEEPEST = 1024  # open at a time on one goroutine; of one that has more, nothing is known


class Owners:
    """Labels of allocations, part by part.

    Subclasses say what an allocation's goroutine stands for. Objects of the snapshot are unknown, and so is everything
    from an event on that is not in order.
    """

    def __init__(self, registry: Registry) -> None:
        self._lines = Lines(registry)
        self._registry = registry
        self._labels: dict[str, int] = {UNKNOWN: _UNKNOWN, NONE: _NONE}
        self._names = [UNKNOWN, NONE]
        self._lost = False
        self._offsets: I8 = np.empty(0, np.int64)
        self._of: I8 = np.empty(0, np.int64)

    def read(self, part: Part, shared: Pass) -> None:
        """Order the events of a part; the labels of its allocations are known then.

        Where the order breaks, what came before has labels, nothing later has, and a warning says so.
        """
        self._lost |= part.torn
        self._offsets = self._of = np.empty(0, np.int64)
        if self._lost:
            return
        order = shared.order
        scene = Scene(part, order, self._lines.of(part, order), self._registry)
        found: list[tuple[I8, I8, I8]] = []
        at = 0
        self.begin()
        try:
            for rows in order.run(part):
                new = np.flatnonzero(rows["type"] == EventType.HEAP_OBJECT_ALLOC)
                found.append((rows["offset"][new], rows["g"][new], at + new))
                self.take(rows, at, scene)
                at += len(rows)
        except TraceError as error:
            self._lost = True
            shared.warn(f"from here on it is not known who allocated: {error}")
        offsets, gs, places = (np.concatenate([*column, np.empty(0, np.int64)]) for column in _columns(found))
        by_offset = np.argsort(offsets)
        self._offsets, self._of = offsets[by_offset], self.labels(gs, places)[by_offset]

    def of(self, rows: Rows) -> I8:
        """Labels of rows of ALLOC of the part."""
        labels = np.zeros(len(rows), np.int64)
        if len(self._offsets):
            at = np.minimum(np.searchsorted(self._offsets, rows["offset"]), len(self._offsets) - 1)
            known = (self._offsets[at] == rows["offset"]) & (rows["op"] == Op.ALLOC)
            labels[known] = self._of[at[known]]
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
        """Take notice that a part begins."""

    def take(self, rows: Rows, first: int, scene: Scene) -> None:
        """Learn from rows of ORDERED; ``first`` is the place of the first one in its part."""
        raise NotImplementedError

    def labels(self, gs: I8, places: I8) -> I8:
        """Labels of allocations by these goroutines, at these places in the part that ends."""
        raise NotImplementedError


class Goroutines(Owners):
    """Goroutines by the function that they started with.

    A new goroutine's event tells it. Of one that was there before, the outermost frame of its own stack does, wherever
    it stands later, unless the runtime cut the stack off.
    """

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._started: dict[int, int] = {}  # label of each living goroutine, as far as it is known
        self._waiting: set[int] = set()  # goroutines that allocated and have no name yet
        self._late: dict[int, int] = {}  # labels that came when they did
        self._gone: list[int] = []

    def begin(self) -> None:
        """Stacks have other rows in each part."""
        self._of_stack: dict[int, int] = {}

    def take(self, rows: Rows, first: int, scene: Scene) -> None:
        """Look at transitions of goroutines that have a stack."""
        about = (rows["kind"] == EventKind.STATE_TRANSITION) & (rows["resource"] == Resource.GOROUTINE)
        rows = rows[about]
        self._gone += rows["args"][rows["new"] == GoState.NOT_EXIST, 0].tolist()
        rows = rows[rows["stack2"] > 0]
        new = rows["old"] == GoState.NOT_EXIST
        ids, stacks = rows["args"][:, 0], rows["stack2"]
        for g, stack in zip(ids[new].tolist(), stacks[new].tolist(), strict=True):
            self._start(g, self._function(stack, scene))
        pairs = np.unique(np.stack((ids[~new], stacks[~new]), axis=1), axis=0)
        for g, stack in pairs.tolist():
            if g not in self._started:
                self._start(g, self._function(stack, scene))

    def _start(self, g: int, label: int) -> None:
        if label == _UNKNOWN:
            return
        self._started[g] = label
        if g in self._waiting:
            self._waiting.remove(g)
            self._late[g] = label

    def _function(self, stack: int, scene: Scene) -> int:
        if stack not in self._of_stack:
            frames = scene.frames(stack)
            function = frames[-1].function if 0 < len(frames) < MAX_FRAMES else ""
            self._of_stack[stack] = self.label(function) if function else _UNKNOWN
        return self._of_stack[stack]

    def labels(self, gs: I8, places: I8) -> I8:
        """Labels of start functions; of a goroutine without a name yet its id, turned below 0."""
        ids, of = np.unique(gs, return_inverse=True)
        labels = np.empty(len(ids), np.int64)
        for i, g in enumerate(ids.tolist()):
            label = _NONE if g < 0 else self._started.get(g)
            if label is None:
                self._waiting.add(g)
                label = ~g
            labels[i] = label
        for g in self._gone:
            self._started.pop(g, None)
        self._gone = []
        return labels[of]

    def name(self, label: int) -> str:
        """Name of a label, by all that was read."""
        return super().name(self._late.get(~label, _UNKNOWN) if label < 0 else label)


class _Work(Owners):
    """What goroutines have open: a stack for each one that has anything."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._open: dict[int, list[tuple[int, int]]] = {}  # by goroutine: task of a region or ~task begun, label
        self._deep: set[int] = set()

    def begin(self) -> None:
        """Note what is open."""
        self._changes = [(g, -1, self._top(g)) for g in (*self._open, *self._deep)]

    def take(self, rows: Rows, first: int, scene: Scene) -> None:
        """Let begins and ends change what is open."""
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
                name = scene.text(int(row["name"])) if row["kind"] in _BEGINS else ""
                g = self.change(EventKind(row["kind"]), g, int(row["args"][0]), name)
            self._changes.append((g, first + i, self._top(g)))

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

    def labels(self, gs: I8, places: I8) -> I8:
        """Labels of what was open."""
        labels = np.full(len(gs), _NONE, np.int64)
        if self._changes:
            changes = np.array(self._changes, np.int64)
            known, rank = np.unique(changes[:, 0], return_inverse=True)
            after = 2 + max(int(changes[:, 1].max()), int(places.max(initial=0)))
            keys = rank * after + changes[:, 1] + 1
            order = np.argsort(keys, kind="stable")
            mine = np.minimum(np.searchsorted(known, gs), len(known) - 1)
            at = np.searchsorted(keys[order], mine * after + places + 1, side="right") - 1
            there = (known[mine] == gs) & (at >= 0)
            there[there] = changes[order[at[there]], 0] == gs[there]
            labels[there] = changes[order[at[there]], 2]
        return labels


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

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
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


OWNERS: dict[str, type[Owners]] = {"goroutine": Goroutines, "task": Tasks, "region": Regions}


def _columns(found: list[tuple[I8, I8, I8]]) -> list[list[npt.NDArray[np.int64]]]:
    return [list(column) for column in zip(*found, strict=True)] or [[], [], []]
