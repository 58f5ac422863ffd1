"""The heap over time: live bytes by type, rates, GC cycles, ages, spans and a map of addresses.

Two passes: the first finds the extent and the GC cycles of a trace, the second replays it. Never here: output.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace import plots
from gotrace.analysis.spans import SPANS, holders, occupancy, type_names
from gotrace.analysis.traces import analysis
from gotrace.dtypes import Rows
from gotrace.errors import TraceError
from gotrace.experiments.allocfree import UNTYPED, TypeTable
from gotrace.heap.objects import MOST_CYCLES, Ages, ObjectReplay
from gotrace.heap.rows import HEAP_CYCLE, MOMENT, HeapLayout, ReplayCounter, SpaceCounter
from gotrace.heap.table import class_name, group_keys
from gotrace.spec.enums import EventType
from gotrace.spec.sizeclasses import CLASS_BYTES, UNKNOWN_CLASS
from gotrace.tables.allocs import ExperimentalBuilder, LifetimeBuilder
from gotrace.tables.lookup import GenerationBuilder
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import ROWS, View, Viewed

BINS = 300
"""Number of time bins."""

MOST_SERIES = 8192
"""Pairs of type and size class with their own series over time; those that appear later share one."""

OTHER = "(other)"
"""Name of everything without its own series."""

_YOUNG = Ages(0, 1)
_OLD = Ages(2)

I8 = npt.NDArray[np.int64]


@dataclass(repr=False)
class History(Viewed):
    """The heap over the time of a trace.

    Attributes
    ----------
    path, version, writers : str
        As of :class:`gotrace.Trace`.
    start, end : int
        ns, the extent of the trace; -1 if it has no events.
    seen, has_snapshot : bool
        True if the trace has alloc/free events; True if some describe objects that existed before the trace.
    events, generations, samples : int
        Numbers of each in the trace; samples are CPU samples.
    bins : ndarray of int64
        ns, end of each time bin; the first one starts at ``start``.
    moments : ndarray of MOMENT
        A row for each bin: objects and bytes allocated and freed in it; at its end ``inuse_objects``, ``inuse_bytes``,
        ``span_bytes`` (spans of objects), ``manual_bytes`` (other spans), ``stack_bytes`` (goroutine stacks); and
        ``most_bytes``, the largest ``inuse_bytes`` in it.
    names : list of str
        Names of the rows of ``types`` and ``series``: types, or size classes for objects without a type.
    types : dict of str to ndarray of int64
        By type: ``alloc_objects``, ``alloc_bytes``, the same for ``free``, ``start`` (the snapshot), ``inuse`` (at the
        end), ``peak`` and ``old`` (in use at the end, allocated in the trace two or more GC cycles ago); and
        ``young_objects``, freed in the GC cycle of their allocation or the next one.
    series : ndarray of int64, shape (len(names) + 1, n_bins)
        Bytes in use at the end of each bin; the last row is the sum of those without their own series.
    crowded : bool
        True if there are more than :data:`MOST_SERIES`.
    classes : list of dict
        By size class: counts of objects, and at the end ``spans``, ``span_bytes``, ``slots``, ``free_bytes_held``,
        ``empty_spans`` and ``single_spans`` (held by a single object).
    spans : list of dict
        Spans held by a single object, by its type and size class: ``spans`` and ``free_bytes_held``.
    keys : list of tuple
        (row of ``names``, size class, bytes in use at the end, at the peak, allocated).
    marks : ndarray of int64, shape (n, 2)
        ns, start and end of each mark phase of the collector; -1 if outside the trace.
    begins : ndarray of int64
        ns, starts of the first :data:`gotrace.heap.objects.MOST_CYCLES` GC cycles.
    cycles : ndarray of HEAP_CYCLE
        Objects and bytes allocated and freed before the first GC cycle, then in each; ``inuse_objects`` and
        ``inuse_bytes`` at its start.
    ages : ndarray of int64, shape (64, 2)
        Objects and bytes allocated in the trace and freed, by age in GC cycles; the last row has all larger ages.
    left : ndarray of int64, shape (64, 2)
        The same for objects in use at the end.
    grid : ndarray of int64, shape (n_bins, 2, 128)
        Bytes of objects and of spans at the end of each bin, by address.
    grid_base, grid_step : int
        Address of the first row of the grid; bytes per row.
    peak_bytes, peak_time : int
        Largest ``inuse_bytes`` in the trace, and its time in ns; -1 if nothing was in use.
    untyped : dict of str to int
        Bytes without a type: ``inuse``, ``peak``, ``alloc``.
    go_heap, go_goal : ndarray of float64
        Heap size and heap goal in bytes as last reported by Go, at the end of each bin; NaN before the first report.
    anomalies, warnings, losses
        As of :class:`gotrace.Trace`.
    error : TraceError or None
        The fault of a damaged trace.
    """

    path: str
    version: str
    writers: str
    start: int = -1
    end: int = -1
    seen: bool = False
    has_snapshot: bool = False
    events: int = 0
    generations: int = 0
    samples: int = 0
    bins: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    moments: Rows = field(default_factory=lambda: np.empty(0, MOMENT))
    names: list[str] = field(default_factory=list)
    types: dict[str, I8] = field(default_factory=dict)
    series: I8 = field(default_factory=lambda: np.zeros((1, BINS), np.int64))
    crowded: bool = False
    classes: list[dict[str, Any]] = field(default_factory=list)
    keys: list[tuple[int, str, int, int, int]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    marks: I8 = field(default_factory=lambda: np.empty((0, 2), np.int64))
    begins: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    cycles: Rows = field(default_factory=lambda: np.empty(0, HEAP_CYCLE))
    ages: I8 = field(default_factory=lambda: np.empty((0, 2), np.int64))
    left: I8 = field(default_factory=lambda: np.empty((0, 2), np.int64))
    grid: I8 = field(default_factory=lambda: np.empty((0, 2, 0), np.int64))
    grid_base: int = 0
    grid_step: int = 0
    peak_bytes: int = 0
    peak_time: int = -1
    untyped: dict[str, int] = field(default_factory=dict)
    go_heap: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    go_goal: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    anomalies: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    error: TraceError | None = None

    @property
    def seconds(self) -> npt.NDArray[np.float64]:
        """End of each bin in s since the start."""
        return (self.bins - self.start) / 1e9

    @property
    def mark_seconds(self) -> npt.NDArray[np.float64]:
        """Start and end of each mark phase in s since the start, clipped to the trace."""
        outside = np.array([self.start, self.end])
        return (np.where(self.marks < 0, outside, self.marks) - self.start) / 1e9

    def largest(self, n: int) -> tuple[list[str], I8]:
        """Return the series of the ``n`` types that are largest in any bin, and of all others.

        Returns
        -------
        names : list of str
            Smallest first, preceded by :data:`OTHER` if there are others.
        series : ndarray of int64, shape (len(names), n_bins)
            Bytes in use at the end of each bin.
        """
        most = self.series[:-1].max(axis=1, initial=0)
        chosen = [i for i in np.argsort(-most, kind="stable")[:n].tolist() if most[i] > 0][::-1]
        others = self.series.sum(axis=0) - self.series[chosen].sum(axis=0)
        names = [self.names[i] for i in chosen]
        if not others.any():
            return names, self.series[chosen]
        return [OTHER, *names], np.concatenate((others[np.newaxis], self.series[chosen]))

    def view(self) -> View:
        """Return the largest types at their peak."""
        names = ("peak_bytes", "inuse_bytes", "alloc_bytes", "old_bytes")
        largest = np.argsort(-self.types["peak_bytes"], kind="stable")[:ROWS].tolist() if self.types else []
        rows = ((self.names[i], *(int(self.types[name][i]) for name in names)) for i in largest)
        facts = f"{self.path!r}, peak {self.peak_bytes:,} bytes, {human_count(len(self.begins), 'GC cycle')}"
        return View(facts, ("name", *names), rows, len(self.names))

    def plot(self, *, top: int = 8, ax: Any = None) -> Any:
        """Plot the live heap over time by type with matplotlib (extra ``plot``); mark phases are shaded.

        Parameters
        ----------
        top : int
            Number of types with their own colour.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        names, series = self.largest(top)
        return plots.areas(ax, self.seconds, names, series, self.mark_seconds)


class _Moments:
    """The heap at the end of each time bin: bytes in use by group and by address."""

    def __init__(self, start: int, end: int) -> None:
        step = max(end - start, 1) / BINS
        self.ends = (start + np.ceil(step * np.arange(1, BINS + 1))).astype(np.int64)
        self.rows = np.zeros(BINS, MOMENT)
        self.series = np.zeros((BINS, 257), np.int64)
        self.grid = np.zeros((BINS, 2, HeapLayout.GRID), np.int64)
        self.low, self.shift = 0, -1
        self.replay = ObjectReplay(detail=True, ages=_YOUNG, ends=self.ends[:-1], look=self._reach)
        self._n = 0
        self._before = np.zeros(4, np.int64)

    def _reach(self, time: int) -> None:
        self.close(int(np.searchsorted(self.ends[:-1], time, side="right")))

    def close(self, end: int) -> None:
        """Fill the open bins before number ``end`` with the current state."""
        here = slice(self._n, end)
        counters, counts = self.replay.life, self.replay.tallies["counts"]
        rows, total = self.rows[here], counts[:, :4].sum(axis=0)
        for name, change in zip(MOMENT.names or (), (total - self._before).tolist(), strict=False):
            rows[name][0] = change
        rows["inuse_objects"] = counters[ReplayCounter.INUSE_OBJECTS]
        rows["inuse_bytes"] = rows["most_bytes"] = counters[ReplayCounter.INUSE_BYTES]
        rows["span_bytes"] = counters[SpaceCounter.HEAP_SPAN_BYTES]
        rows["manual_bytes"] = counters[SpaceCounter.MANUAL_SPAN_BYTES]
        rows["stack_bytes"] = counters[SpaceCounter.STACK_BYTES]
        rows["most_bytes"][0] = counters[ReplayCounter.MOST_BYTES]
        self._add_series(here, _inuse(counts)[:, 1])
        self._add_grid(here)
        self._n, self._before = end, total

    def _add_series(self, here: slice, inuse: I8) -> None:
        own = self.series.shape[1] - 1
        while own < min(len(inuse), MOST_SERIES):
            series = np.zeros((BINS, 2 * own + 1), np.int64)
            series[:, :own] = self.series[:, :-1]
            self.series, own = series, 2 * own
        self.series[here, : len(inuse[:own])] = inuse[:own]
        self.series[here, -1] = inuse[own:].sum()

    def _add_grid(self, here: slice) -> None:
        extent = self.replay.reach()
        if extent is None:
            return
        low, last = extent
        if self.shift < 0:
            self.low, self.shift = low, 13
        old = self.low, self.shift
        used = np.flatnonzero(self.grid.any(axis=(0, 1)))
        if len(used):
            last = max(last, self.low + ((int(used[-1]) + 1) << self.shift) - 1)
        self.low = min(self.low, low)
        while (last >> self.shift) - (self.low >> self.shift) >= HeapLayout.GRID:
            self.shift += 1
        self.low = self.low >> self.shift << self.shift
        if (self.low, self.shift) != old:
            self._fold(*old)
        self.grid[here] = self.replay.draw(self.low, self.shift)

    def _fold(self, low: int, shift: int) -> None:
        """Move the columns of the grid from the old ``low`` and ``shift`` to the current ones."""
        grid = np.zeros_like(self.grid)
        for column in np.flatnonzero(self.grid.any(axis=(0, 1))).tolist():
            grid[:, :, (low + (column << shift) - self.low) >> self.shift] += self.grid[:, :, column]
        self.grid = grid


def _inuse(counts: I8) -> I8:
    """Return objects and bytes in use by group: existing at the start + allocated - freed."""
    inuse: I8 = counts[:, 4:6] + counts[:, 0:2] - counts[:, 2:4]
    return inuse


@analysis
def history(trace: Trace, progress: Callable[[int], None] | None = None) -> History:
    """Replay a trace and return its heap over time.

    Two passes: the first one finds the extent of the trace and its GC cycles.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    History
        For a damaged trace, the heap up to the fault, which is stored in ``error``.

    Raises
    ------
    ValueError
        The trace is a stream, which can be read only once.

    Notes
    -----
    Objects follow the rules of docs/allocfree.md; at the end they equal those of :meth:`gotrace.Trace.heap`.
    """
    if trace.reader.source.once:
        raise ValueError("the heap over time needs two passes, but a stream allows only one: save it to a file first")
    history = History(trace.path, trace.version, trace.writers)
    with trace.reader.peek():  # a fault is reported by the second pass
        _survey(trace, history)
    _replay(trace, history, progress)
    return history


def _survey(trace: Trace, history: History) -> None:
    """Find the extent of a trace and its GC cycles."""
    read_pass = trace.reader.new_pass()
    generations = GenerationBuilder(read_pass, 1)
    cycles = ExperimentalBuilder(read_pass, 256, (EventType.GC_BEGIN, EventType.GC_END))
    starts: list[int] = []
    ends: list[int] = []
    phases = _Phases()
    with suppress(TraceError):  # the second pass reports it
        for builder, rows in read_pass.read(cycles, generations):
            if builder is cycles:
                phases.add(rows)
                continue
            starts.append(int(rows["start"].min()))
            ends.append(int(rows["end"].max()))
            history.generations += len(rows)
            history.events += int(rows["events"].sum())
            history.samples += int(rows["samples"].sum())
    if starts:
        history.start, history.end = min(starts), max(ends)
    history.marks, history.begins = phases.arrays()


class _Phases:
    """Mark phases, collected from their events."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._marks = array("q")
        self._start = -1

    def add(self, rows: Rows) -> None:
        """Add start and end events; those after the first :data:`MOST_CYCLES` starts are ignored."""
        for time, kind in zip(rows["time"].tolist(), rows["type"].tolist(), strict=True):
            if len(self._starts) == MOST_CYCLES:
                return
            if kind == EventType.GC_BEGIN:
                self._starts.append(time)
                self._start = time
            else:
                self._marks.extend((self._start, time))
                self._start = -1

    def arrays(self) -> tuple[I8, I8]:
        """Return starts and ends of the phases, and all starts as a non-decreasing sequence."""
        if self._start >= 0:
            self._marks.extend((self._start, -1))
        starts = np.frombuffer(self._starts, np.int64) if self._starts else np.empty(0, np.int64)
        marks = np.frombuffer(self._marks, np.int64) if self._marks else np.empty(0, np.int64)
        return marks.reshape(-1, 2).copy(), np.maximum.accumulate(starts)


def _replay(trace: Trace, history: History, progress: Callable[[int], None] | None) -> None:
    read_pass = trace.reader.new_pass()
    moments = _Moments(history.start, history.end)
    builder = LifetimeBuilder(read_pass, 1, moments.replay)
    metrics = ExperimentalBuilder(read_pass, 4096, (EventType.HEAP_ALLOC, EventType.HEAP_GOAL))
    reported = np.full((2, BINS), np.nan)
    try:
        for _, rows in read_pass.read(builder, metrics, progress=progress):
            bins = np.minimum(np.searchsorted(moments.ends, rows["time"], side="right"), BINS - 1)
            which = (rows["type"] == EventType.HEAP_GOAL).astype(np.int64)
            reported[which, bins] = rows["args"][:, 0]
    except TraceError as error:
        history.error = error
    moments.close(BINS)
    history.go_heap, history.go_goal = map(_held, reported)
    history.anomalies, history.warnings, history.losses = trace.anomalies, trace.warnings, trace.losses
    _summarize(history, moments, read_pass.types)


def _held(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Replace each NaN by the last value before it."""
    known = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(known < 0, np.nan, values[known])


def _summarize(history: History, moments: _Moments, types: TypeTable) -> None:
    """Fill in the results by type, size class and span."""
    replay = moments.replay
    keys, peak = replay.counts(), replay.counts(peak=True)
    columns = {name: keys[name] for name in keys.dtype.names or () if name.endswith(("_objects", "_bytes"))}
    old, _ = replay.of_age(_OLD)
    for i, unit in enumerate(("objects", "bytes")):
        for name, counts in (("inuse", keys), ("peak", peak)):
            columns[f"{name}_{unit}"] = counts[f"start_{unit}"] + counts[f"alloc_{unit}"] - counts[f"free_{unit}"]
        columns[f"old_{unit}"] = old[:, i]
    columns["young_objects"] = replay.tallies["aged"][:, 0]

    history.seen = bool(replay.life[ReplayCounter.ROWS])
    history.has_snapshot = bool(keys["start_objects"].any())
    history.names, group = group_keys(keys, types, "type")
    history.types = _summed(columns, group, len(history.names))
    own = moments.series.shape[1] - 1
    history.crowded = len(keys) > own
    history.series = np.zeros((len(history.names) + 1, BINS), np.int64)
    np.add.at(history.series, group[:own], moments.series[:, : len(group[:own])].T)
    history.series[-1] = moments.series[:, -1]
    history.keys = [
        (row, class_name(spanclass), inuse, peak, alloc)
        for row, spanclass, inuse, peak, alloc in zip(
            group.tolist(),
            keys["spanclass"].tolist(),
            *(columns[f"{name}_bytes"].tolist() for name in ("inuse", "peak", "alloc")),
            strict=True,
        )
    ]
    history.untyped = {
        name: int(columns[f"{name}_bytes"][keys["type"] == UNTYPED].sum()) for name in ("inuse", "peak", "alloc")
    }
    history.classes = _by_class(occupancy(replay), columns, keys)
    history.spans = [
        {
            "name": row["name"],
            "class": row["class"],
            "spans": int(row["spans"]),
            "free_bytes_held": int(row["free_bytes"]),
        }
        for row in holders(replay, type_names(replay, types))
    ]
    history.bins, history.moments = moments.ends, moments.rows
    history.cycles, history.ages, history.left = replay.cycles(), replay.deaths_by_age(), replay.alive()
    history.grid, history.grid_base, history.grid_step = moments.grid, moments.low, 1 << max(moments.shift, 0)
    history.peak_bytes = int(replay.life[ReplayCounter.PEAK_BYTES])
    history.peak_time = int(replay.life[ReplayCounter.PEAK_TIME]) if history.peak_bytes else -1


def _summed(columns: dict[str, I8], group: I8, n: int) -> dict[str, I8]:
    sums = {}
    for name, values in columns.items():
        sums[name] = np.zeros(n, np.int64)
        np.add.at(sums[name], group, values)
    return sums


def _by_class(spans: Rows, columns: dict[str, I8], keys: Rows) -> list[dict[str, Any]]:
    """Return objects by size class, and the spans that hold them at the end."""
    held = dict(zip(spans["spanclass"].tolist(), spans, strict=True))
    classes = []
    for spanclass in sorted(set(keys["spanclass"].tolist()) | set(held)):
        selected = keys["spanclass"] == spanclass
        row = held.get(spanclass, np.zeros((), SPANS))
        classes.append(
            {
                "name": class_name(spanclass),
                "size": CLASS_BYTES[spanclass >> 1] if 1 < spanclass < UNKNOWN_CLASS else 0,
                "noscan": bool(spanclass & 1) and spanclass != UNKNOWN_CLASS,
                **{
                    name: int(columns[name][selected].sum())
                    for name in ("alloc_objects", "alloc_bytes", "inuse_objects", "inuse_bytes", "free_objects")
                },
                "free_bytes_held": int(row["free_bytes"]),
                **{name: int(row[name]) for name in ("spans", "span_bytes", "slots", "empty_spans", "single_spans")},
            }
        )
    return classes
