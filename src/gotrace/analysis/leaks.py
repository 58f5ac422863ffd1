"""Types of which more and more objects survive the GC cycles of a trace, grouped by growth in step.

docs/leak.md states the rule. Never here: output, or replay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace.analysis.traces import analysis
from gotrace.dtypes import I8, Rows
from gotrace.heap.objects import Ages, ObjectReplay
from gotrace.heap.rows import HeapCounter, ReplayCounter
from gotrace.heap.table import Heap, group_keys, package_of
from gotrace.tables.allocs import LifetimeBuilder
from gotrace.tables.instants import HeapBuilder, HeapQuery
from gotrace.tables.passes import ReadPass, TraceReader
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import ROWS, View, Viewed
from gotrace.wire.segments import Segment

OUTLIVED = 2
"""GC cycles that an old object has outlived, at least."""

LEAST_POINTS = 4
"""GC cycles with known survivors that growth is judged by, at least: one less than the mark phases that started."""

MOST_POINTS = 64
"""Maximum number of GC cycles that are kept; of a longer trace, evenly spaced ones."""

MOST_SERIES = 8192
"""Pairs of type and size class that are followed; those that appear later are not."""

_LEAST_OBJECTS = 10  # growth of a type
_SIGMAS = 4  # growth of a type, in square roots of the objects that came and went
_FALL = 10  # a type may fall by its growth / _FALL
_THIRD = 5  # each third of the points contributes its growth / _THIRD at least
_APART = 50  # types in step differ by their growth / _APART
_LEAST_SHARE = 100  # a group has at least 1 / _LEAST_SHARE of the bytes of all growth
_MOST_TYPES = 1000  # growing types that are compared with each other

_CLOSURE = re.compile(r"(?:noalg )?struct \{ F uintptr\b")


@dataclass(frozen=True)
class Group:
    """Types that grow in step: as many objects of each survive from one GC cycle to the next.

    Attributes
    ----------
    names : list of str
        Types with a name of their own, and closures; most bytes first. Empty if only others grow.
    others : list of str
        Types such as ``uint8`` or ``[]string``, and size classes of objects without a type.
    objects : int
        Growth of each type from the first to the last point.
    nbytes : int
        Growth of all these types.
    per_cycle : float
        Growth of each type per GC cycle, in objects.
    """

    names: list[str]
    others: list[str]
    objects: int
    nbytes: int
    per_cycle: float


@dataclass(repr=False)
class Leaks(Viewed):
    """Objects that survive GC cycles, by type, and the types that grow.

    Attributes
    ----------
    cycles : int
        Mark phases that started in the trace.
    points : ndarray of int64, shape (n,)
        Numbers of GC cycles whose survivors are known, from 1. Those of the last one are not: they are known when the
        next mark phase starts.
    names : list of str
        Types, or size classes of objects without a type.
    objects, nbytes : ndarray of int64, shape (len(names), n)
        Survivors of each GC cycle: what was in use when its mark phase started and was not freed by it.
    freed : ndarray of int64, shape (len(names), n)
        Survivors of the first point or later that a later GC cycle freed, up to each point.
    total_bytes : ndarray of int64, shape (n,)
        Bytes of all survivors.
    groups : list of Group
        Types that grow, those in step together, most bytes first.
    totals : dict of str to int
        ``alloc_bytes``, ``peak_bytes`` (largest number of bytes in use) and ``peak_time`` (ns, -1 if nothing was).
    start, end : int
        ns, the first and the last event of the trace; -1 if there is none.
    seen : bool
        True if the trace has alloc/free events.
    crowded : bool
        True if there are more than :data:`MOST_SERIES` pairs of type and size class.
    samples : int
        CPU samples of the trace, from which sites can be estimated.
    anomalies : dict
        Anomalies by name, with counts.
    """

    cycles: int = 0
    points: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    names: list[str] = field(default_factory=list)
    objects: I8 = field(default_factory=lambda: np.empty((0, 0), np.int64))
    nbytes: I8 = field(default_factory=lambda: np.empty((0, 0), np.int64))
    freed: I8 = field(default_factory=lambda: np.empty((0, 0), np.int64))
    total_bytes: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    groups: list[Group] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    start: int = -1
    end: int = -1
    seen: bool = False
    crowded: bool = False
    samples: int = 0
    anomalies: dict[str, int] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """True if there are enough GC cycles to tell growth from noise."""
        return len(self.points) >= LEAST_POINTS

    @property
    def growing(self) -> list[str]:
        """Names of all types that grow steadily, also of those without a name of their own."""
        if not self.judged:
            return []
        return [self.names[row] for row in np.flatnonzero(grows(self.objects, self.freed)).tolist()]

    def view(self) -> View:
        """Return the verdict, and the types of which most more objects survive."""
        if not self.objects.size:
            return View(self.verdict)
        growth = self.objects[:, -1] - self.objects[:, 0]
        rows = [
            (self.names[i], int(self.objects[i, 0]), int(self.objects[i, -1]), int(self.nbytes[i, -1]))
            for i in np.argsort(-growth, kind="stable")[:ROWS].tolist()
        ]
        columns = ("name", "objects, first cycle", "objects, last cycle", "bytes, last cycle")
        return View(self.verdict, columns, rows, len(self.names))

    @property
    def verdict(self) -> str:
        """One line: the types that grow in step, or why there are none."""
        if not self.seen:
            return "no alloc/free events"
        if not self.judged:
            what, least = ("leaks", OUTLIVED) if self.cycles < OUTLIVED else ("growth", LEAST_POINTS + 1)
            return (
                f"{what} cannot be judged: {human_count(self.cycles, 'GC cycle')} started in the trace, "
                f"at least {least} are needed"
            )
        if not self.groups:
            return f"no type grows steadily over the {self.cycles:,} GC cycles of the trace"
        sentences = [_sentence(group) for group in self.groups[:_MOST_GROUPS]]
        rest = len(self.groups) - len(sentences)
        return "; ".join(sentences) + (f"; and {human_count(rest, 'smaller group')}" if rest else "")


_MOST_GROUPS, _MOST_NAMES = 3, 4  # in a verdict


def _sentence(group: Group) -> str:
    names = group.names or group.others
    shown = names[:_MOST_NAMES]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown):,} more types")
    text = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    count = f"{group.per_cycle:,.0f}" if group.per_cycle >= 10 else f"{group.per_cycle:.2g}"
    each = " each" if len(names) > 1 else ""
    return (
        f"{text} {'grow together' if len(names) > 1 else 'grows'}, +{count}{each} per GC cycle "
        f"({group.objects:,} in all)"
    )


@analysis
def leaks(trace: Trace, progress: Callable[[int], None] | None = None) -> Leaks:
    """Return which types survive GC cycles in growing numbers.

    One pass. Memory is bounded by the live heap.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Leaks

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    read_pass = trace.reader.new_pass()
    builder = _LeakBuilder(read_pass)
    fault = read_pass.run(builder, progress=progress)
    if fault is not None:
        fault.partial = builder.leaks()
        raise fault
    return builder.leaks()


class OldObjects(NamedTuple):
    """Old objects at the end of a trace by one or several groups, and the types that grow."""

    heaps: list[Heap]
    leaks: Leaks

    @property
    def seen(self) -> bool:
        """True if the trace has alloc/free events."""
        return self.leaks.seen


def old_objects(reader: TraceReader, query: HeapQuery, progress: Callable[[int], None] | None = None) -> OldObjects:
    """Return the heap at the end of a trace for a query, and the types that grow, in one pass.

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    read_pass = reader.new_pass()
    heap, survivors = HeapBuilder(read_pass, query), _LeakBuilder(read_pass)
    fault = read_pass.run(heap, survivors, progress=progress)
    result = OldObjects([heap.heap()], survivors.leaks())
    if fault is not None:
        fault.partial = result
        raise fault
    return result


class _LeakBuilder(LifetimeBuilder):
    """Counts the survivors of GC cycles; yields no rows."""

    def __init__(self, read_pass: ReadPass) -> None:
        self._survivors = _Survivors()
        self._pass = read_pass
        self._samples = 0
        super().__init__(read_pass, 1, self._survivors.replay)

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay a segment's events and count its CPU samples."""
        self._samples += len(segment.tables.samples)
        yield from super().feed(segment)

    def flush(self) -> Iterator[Rows]:
        """Count the survivors of the last GC cycles but one."""
        cycle = int(self.lives.life[ReplayCounter.CYCLE])
        yield from super().flush()
        started = int(self.lives.life[ReplayCounter.CYCLE])
        if started > cycle:
            self._survivors.close(cycle)
        self._survivors.skip(started)

    def leaks(self) -> Leaks:
        """Return the survivors, and the types that grow."""
        replay, heap = self._survivors.replay, self.allocs.heap
        points, counts = self._survivors.series()
        names, group = group_keys(replay.tallies[: counts.shape[1] - 1], self._pass.types, "type")
        series = np.zeros((len(names), len(points), 3), np.int64)
        np.add.at(series, group, counts[:, 1:].transpose(1, 0, 2))
        peak = int(replay.life[ReplayCounter.PEAK_BYTES])
        result = Leaks(
            cycles=int(replay.life[ReplayCounter.CYCLE]),
            points=points,
            names=names,
            objects=series[:, :, 0],
            nbytes=series[:, :, 1],
            freed=series[:, :, 2] - series[:, :1, 2],
            total_bytes=counts[:, :, 1].sum(axis=1),
            totals={
                "alloc_bytes": int(replay.tallies["counts"][:, 1].sum()),
                "peak_bytes": peak,
                "peak_time": int(replay.life[ReplayCounter.PEAK_TIME]) if peak else -1,
            },
            start=self.allocs.start,
            end=heap.time,
            seen=bool(heap.sizes[HeapCounter.EVENTS]),
            crowded=len(replay.tallies) > MOST_SERIES,
            samples=self._samples,
            anomalies=self.anomaly_counts(),
        )
        if result.judged:
            result.groups = in_step(result)
        return result


class _Survivors:
    """Objects in use at the start of a mark phase that are not freed before the next one starts."""

    def __init__(self) -> None:
        self.replay = ObjectReplay(ages=Ages(0, 0), look=self._look, marks=True)
        self._cycle = 0  # mark phases that had started before the event of the latest look
        self._inuse, self._freed, self._old = (np.zeros((1, n), np.int64) for n in (2, 2, 1))  # before that event
        self._kept: list[tuple[int, I8]] = []
        self._last = 0, np.zeros((1, 3), np.int64)
        self._step, self._n = 1, 0

    def _look(self, time: int) -> None:
        """Count the survivors of the latest GC cycle before the first event after the next one starts."""
        self.close(int(self.replay.life[ReplayCounter.CYCLE]))

    def close(self, cycle: int) -> None:
        """Count the survivors of GC cycles up to ``cycle``; between earlier ones there were no events."""
        self.skip(cycle)
        tallies = self.replay.tallies
        counts, old = tallies["counts"], _limited(tallies["old_frees"][:, None])
        freed = _limited(counts[:, 2:4] - tallies["aged"])  # without objects allocated since the mark phase started
        if cycle > self._cycle:
            n = len(self._inuse)
            self._add(cycle, self._inuse - (freed[:n] - self._freed), old[:n])
        self._cycle, self._freed, self._old = cycle, freed, old
        self._inuse = _limited(counts[:, 4:6] + counts[:, 0:2] - counts[:, 2:4])

    def skip(self, cycle: int) -> None:
        """Count as survivors of GC cycles before ``cycle`` what was in use: there were no events."""
        for skipped in range(self._cycle + 1, cycle):
            self._add(skipped, self._inuse, self._old)

    def _add(self, cycle: int, survivors: I8, old: I8) -> None:
        self._last = cycle, np.concatenate((survivors, old), axis=1)
        if self._n % self._step == 0:
            self._kept.append(self._last)
            if len(self._kept) > MOST_POINTS:
                self._kept, self._step = self._kept[::2], 2 * self._step
        self._n += 1

    def series(self) -> tuple[I8, I8]:
        """Return the numbers of the GC cycles, and by group their survivors and earlier ones that were freed since.

        The shape of the latter is (cycles, 1 + groups, 3): objects, bytes, and objects freed so far. The first row has
        all groups without a series of their own.
        """
        kept = self._kept if not self._kept or self._kept[-1][0] == self._last[0] else [*self._kept, self._last]
        series = np.zeros((len(kept), 1 + min(len(self.replay.tallies), MOST_SERIES), 3), np.int64)
        for row, (_, survivors) in zip(series, kept, strict=True):
            row[: len(survivors)] = survivors
        return np.array([cycle for cycle, _ in kept], np.int64), series


def _limited(rows: I8) -> I8:
    """Return the sum of the rows without a series of their own, then those that have one."""
    return np.concatenate((rows[MOST_SERIES:].sum(axis=0, keepdims=True), rows[:MOST_SERIES]))


def grows(objects: I8, freed: I8) -> npt.NDArray[np.bool_]:
    """Return which rows of survivors and of freed ones, shape (types, points), grow steadily.

    The growth is that from the first to the last point. It is large, also compared with the number of objects that came
    and went; no fall below an earlier point exceeds a tenth of it; and each third of the points has at least a fifth
    of it.
    """
    growth = objects[:, -1] - objects[:, 0]
    turnover = growth + 2 * freed[:, -1]
    large = (growth >= _LEAST_OBJECTS) & (growth >= _SIGMAS * np.sqrt(np.maximum(turnover, 0)))
    fall = (np.maximum.accumulate(objects, axis=1) - objects).max(axis=1)
    cuts = np.rint(np.linspace(0, objects.shape[1] - 1, 4)).astype(np.int64)
    thirds = np.diff(objects[:, cuts], axis=1).min(axis=1)
    result: npt.NDArray[np.bool_] = large & (_FALL * fall <= growth) & (_THIRD * thirds >= growth)
    return result


def in_step(leaks: Leaks) -> list[Group]:
    """Group the types that grow by growth in step: at every point, their growth so far differs by 2 % at most."""
    growth = leaks.nbytes[:, -1] - leaks.nbytes[:, 0]
    rows = np.flatnonzero(grows(leaks.objects, leaks.freed))
    rows = rows[np.argsort(-growth[rows], kind="stable")][:_MOST_TYPES]
    curves = leaks.objects[rows] - leaks.objects[rows, :1]
    cycles = int(leaks.points[-1] - leaks.points[0])
    groups: list[Group] = []
    free = np.ones(len(rows), bool)
    for first, curve in enumerate(curves):
        if not free[first]:
            continue
        apart = np.abs(curves - curve).max(axis=1)
        together = free & (apart <= np.maximum(2, np.maximum(curves[:, -1], curve[-1]) / _APART))
        free &= ~together
        members = [leaks.names[row] for row in rows[together].tolist()]
        named = dict.fromkeys(_called(name) for name in members if is_named(name))
        others = [name for name in members if not is_named(name)]
        nbytes = int(growth[rows[together]].sum())
        groups.append(Group(list(named), others, int(curve[-1]), nbytes, int(curve[-1]) / cycles))
    groups = [group for group in groups if group.names] or groups
    least = sum(group.nbytes for group in groups) / _LEAST_SHARE
    return sorted((group for group in groups if group.nbytes >= least), key=lambda group: -group.nbytes)


def is_named(name: str) -> bool:
    """Return True for a type with a name of its own, and for a closure; not for ``uint8`` or ``[]string``."""
    return bool(_CLOSURE.match(name)) or not package_of(name).startswith(("(", "map"))


def _called(name: str) -> str:
    return "a closure" if _CLOSURE.match(name) else name
