"""The heap over time: live bytes by type, rates, GC cycles, ages, spans and a map of addresses.

Two passes: one for the trace's extent and its GC cycles, one to replay. Never here: output.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gotrace import plots
from gotrace.analysis.spans import SPANS, occupancy
from gotrace.dtypes import Rows
from gotrace.errors import TraceError
from gotrace.experiments.allocfree import UNTYPED, TypeTable
from gotrace.heap.objects import MOST_CYCLES, Ages, ObjectReplay
from gotrace.heap.rows import CYCLE, MOMENT, HeapLayout, ReplayCounter
from gotrace.heap.table import class_name, group_keys
from gotrace.spec.enums import EventType
from gotrace.spec.sizeclasses import CLASS_BYTES, UNKNOWN_CLASS
from gotrace.tables.allocs import ExperimentalBuilder, LifetimeBuilder
from gotrace.tables.lookup import GenerationBuilder
from gotrace.trace import Trace, open

BINS = 300
"""Bins of time."""

MOST_SERIES = 8192
"""Pairs of type and size class that have a line of their own over time; those that appear later share one."""

OTHER = "(other)"
"""What has no line of its own over time."""

_YOUNG = Ages(0, 1)
_OLD = Ages(2)

I8 = npt.NDArray[np.int64]


@dataclass(repr=False)
class History:
    """What the heap was over a trace.

    Attributes
    ----------
    path, version, writers : str
        As of :class:`gotrace.Trace`.
    start, end : int
        ns, the extent of the trace; -1 when there is none.
    seen, has_snapshot : bool
        Whether there was any alloc/free event, and whether any told of objects from before the trace.
    events, generations, samples : int
        How many there are.
    bins : ndarray of int64
        ns, end of each bin of time; the first begins at ``start``.
    moments : ndarray of MOMENT
        A row for each bin: objects and bytes that were allocated and freed in it; at its end ``inuse_objects``,
        ``inuse_bytes``, ``span_bytes`` (held by spans of objects), ``manual_bytes`` (by other spans), ``stack_bytes``
        (of goroutines); ``most_bytes``, the largest ``inuse_bytes`` in it.
    names : list of str
        Types, those without one by size class: what a row of ``types`` and of ``series`` stands for.
    types : dict of str to ndarray of int64
        By type: ``alloc_objects``, ``alloc_bytes``, the same for ``free``, ``start`` (the snapshot), ``inuse`` (at the
        end), ``peak`` and ``old`` (in use at the end, allocated in the trace, two or more GC cycles ago);
        ``young_objects``, of those freed, in the cycle of their allocation or the next.
    series : ndarray of int64, shape (len(names) + 1, n_bins)
        Bytes in use at the end of each bin; the last row are the types behind the first :data:`MOST_SERIES`.
    crowded : bool
        Whether there are such types.
    classes : list of dict
        By size class: counts of objects, and at the end ``spans``, ``span_bytes``, ``slots``, ``free_bytes_held``,
        ``empty_spans`` and ``single_spans`` (held by one object).
    spans : list of dict
        By type and size class of the one object that holds a span: ``spans`` and ``free_bytes_held``.
    keys : list of tuple
        (row of ``names``, size class, bytes in use at the end, at the peak, allocated).
    marks : ndarray of int64, shape (n, 2)
        ns, begin and end of each mark phase of the collector; -1 one that lies outside the trace.
    begins : ndarray of int64
        ns, where GC cycles begin; the first :data:`gotrace.lifetimes.MOST_CYCLES` of them.
    cycles : ndarray of CYCLE
        Objects and bytes allocated and freed before the first of them, then in each; ``inuse_objects`` and
        ``inuse_bytes`` when it began.
    ages : ndarray of int64, shape (64, 2)
        Objects and bytes freed by age in GC cycles, of those allocated in the trace; the last row has all above.
    left : ndarray of int64, shape (64, 2)
        The same for those in use at the end.
    grid : ndarray of int64, shape (n_bins, 2, 128)
        Bytes of objects and of spans at the end of each bin, by address.
    grid_base, grid_step : int
        Address of the first row of the grid, and bytes of each.
    peak_bytes, peak_time : int
        Largest ``inuse_bytes`` of all, and when it was, in ns; -1 never.
    untyped : dict of str to int
        Bytes without a type: ``inuse``, ``peak``, ``alloc``.
    go_heap, go_goal : ndarray of float64
        What Go itself said at the end of each bin: bytes of the heap, and its goal; NaN before it said anything.
    anomalies, warnings, losses
        As of :class:`gotrace.Trace`.
    error : TraceError or None
        What ended the trace before its time.
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
    cycles: Rows = field(default_factory=lambda: np.empty(0, CYCLE))
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
        """Mark phases in s since the start; those that reach beyond the trace are cut off."""
        outside = np.array([self.start, self.end])
        return (np.where(self.marks < 0, outside, self.marks) - self.start) / 1e9

    def largest(self, n: int) -> tuple[list[str], I8]:
        """Return the ``n`` types that were largest in any bin, and a line for all others.

        Returns
        -------
        names : list of str
            Smallest first; before them :data:`OTHER`, if there are others.
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

    def __repr__(self) -> str:
        peak, cycles = self.peak_bytes, len(self.begins)
        return f"<gotrace.History of {self.path!r}: peak {peak:,} bytes, {cycles:,} GC cycles>"

    def plot(self, *, top: int = 8, ax: Any = None) -> Any:
        """Draw the live heap over time by type, with matplotlib (extra ``plot``); GC's mark phases are shaded.

        Parameters
        ----------
        top : int
            Types with a colour of their own.
        ax : matplotlib Axes, optional
            Where to draw; a new figure if there is none.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            There is no matplotlib.
        """
        names, series = self.largest(top)
        return plots.areas(ax, self.seconds, names, series, self.mark_seconds)


class _Moments:
    """What the heap was at the end of each bin: bytes in use by group and by address."""

    def __init__(self, start: int, end: int) -> None:
        step = max(end - start, 1) / BINS
        self.ends = (start + np.ceil(step * np.arange(1, BINS + 1))).astype(np.int64)
        self.rows = np.zeros(BINS, MOMENT)
        self.series = np.zeros((BINS, 257), np.int64)
        self.grid = np.zeros((BINS, 2, HeapLayout.GRID), np.int64)
        self.low, self.shift = 0, -1
        self.lives = ObjectReplay(detail=True, ages=_YOUNG, ends=self.ends[:-1], look=self._look)
        self._n = 0
        self._before = np.zeros(4, np.int64)

    def _look(self, time: int) -> None:
        self.close(int(np.searchsorted(self.ends[:-1], time, side="right")))

    def close(self, reached: int) -> None:
        """Write down the bins from the first open one on."""
        here = slice(self._n, reached)
        life, counts = self.lives.life, self.lives.tallies["counts"]
        rows, total = self.rows[here], counts[:, :4].sum(axis=0)
        for name, change in zip(MOMENT.names or (), (total - self._before).tolist(), strict=False):
            rows[name][0] = change
        rows["inuse_objects"] = life[ReplayCounter.INUSE_OBJECTS]
        rows["inuse_bytes"] = rows["most_bytes"] = life[ReplayCounter.INUSE_BYTES]
        rows["span_bytes"] = life[ReplayCounter.HEAP_SPAN_BYTES]
        rows["manual_bytes"] = life[ReplayCounter.MANUAL_SPAN_BYTES]
        rows["stack_bytes"] = life[ReplayCounter.STACK_BYTES]
        rows["most_bytes"][0] = life[ReplayCounter.MOST_BYTES]
        self._add_series(here, _inuse(counts)[:, 1])
        self._add_grid(here)
        self._n, self._before = reached, total

    def _add_series(self, here: slice, inuse: I8) -> None:
        own = self.series.shape[1] - 1
        while own < min(len(inuse), MOST_SERIES):
            series = np.zeros((BINS, 2 * own + 1), np.int64)
            series[:, :own] = self.series[:, :-1]
            self.series, own = series, 2 * own
        self.series[here, : len(inuse[:own])] = inuse[:own]
        self.series[here, -1] = inuse[own:].sum()

    def _add_grid(self, here: slice) -> None:
        reach = self.lives.reach()
        if reach is None:
            return
        low, last = reach
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
        self.grid[here] = self.lives.draw(self.low, self.shift)

    def _fold(self, low: int, shift: int) -> None:
        """Let the columns of the map fall into those that are there now."""
        grid = np.zeros_like(self.grid)
        for column in np.flatnonzero(self.grid.any(axis=(0, 1))).tolist():
            grid[:, :, (low + (column << shift) - self.low) >> self.shift] += self.grid[:, :, column]
        self.grid = grid


def _inuse(counts: I8) -> I8:
    """Objects and bytes in use by group, from what was there at the start, allocated and freed."""
    found: I8 = counts[:, 4:6] + counts[:, 0:2] - counts[:, 2:4]
    return found


def collect(
    source: Any,
    *,
    errors: Literal["raise", "salvage"] = "raise",
    progress: Callable[[int], None] | None = None,
) -> History:
    """Replay a trace and say what its heap was over time.

    Parameters
    ----------
    source : path or buffer
        It is read twice.
    errors : {"raise", "salvage"}
        As of :func:`gotrace.open`.
    progress : callable, optional
        Takes the bytes read so far.

    Returns
    -------
    History
        Of a damaged trace, up to the fault, which stands in ``error``.

    Raises
    ------
    HeaderError, UnsupportedVersionError, OSError
        As of :func:`gotrace.open`.

    Notes
    -----
    Objects follow the rules of docs/allocfree.md, and are at the end those of :meth:`gotrace.Trace.heap`.
    """
    with open(source, errors=errors) as trace:
        history = History(trace.path, trace.version, trace.writers)
        _survey(trace, history)
    with open(source, errors=errors) as trace:
        _replay(trace, history, progress)
    return history


def _survey(trace: Trace, history: History) -> None:
    """Find the extent of a trace, and its GC cycles."""
    read_pass = trace.reader.new_pass()
    generations = GenerationBuilder(read_pass, 1)
    cycles = ExperimentalBuilder(read_pass, 256, (EventType.GC_BEGIN, EventType.GC_END))
    starts: list[int] = []
    ends: list[int] = []
    phases = _Phases()
    with suppress(TraceError):  # the second pass meets it, too
        for builder, rows in read_pass.read(cycles, generations):
            if builder is cycles:
                phases.take(rows)
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
    """Mark phases, as their events come."""

    def __init__(self) -> None:
        self._begins = array("q")
        self._marks = array("q")
        self._begun = -1

    def take(self, rows: Rows) -> None:
        """Take begins and ends; those behind the first :data:`MOST_CYCLES` begins are not looked at."""
        for time, kind in zip(rows["time"].tolist(), rows["type"].tolist(), strict=True):
            if len(self._begins) == MOST_CYCLES:
                return
            if kind == EventType.GC_BEGIN:
                self._begins.append(time)
                self._begun = time
            else:
                self._marks.extend((self._begun, time))
                self._begun = -1

    def arrays(self) -> tuple[I8, I8]:
        """Begins and ends of the phases, and all begins, in the order of time."""
        if self._begun >= 0:
            self._marks.extend((self._begun, -1))
        begins = np.frombuffer(self._begins, np.int64) if self._begins else np.empty(0, np.int64)
        marks = np.frombuffer(self._marks, np.int64) if self._marks else np.empty(0, np.int64)
        return marks.reshape(-1, 2).copy(), np.maximum.accumulate(begins)


def _replay(trace: Trace, history: History, progress: Callable[[int], None] | None) -> None:
    read_pass = trace.reader.new_pass()
    moments = _Moments(history.start, history.end)
    builder = LifetimeBuilder(read_pass, 1, moments.lives)
    metrics = ExperimentalBuilder(read_pass, 4096, (EventType.HEAP_ALLOC, EventType.HEAP_GOAL))
    said = np.full((2, BINS), np.nan)
    try:
        for _, rows in read_pass.read(builder, metrics, progress=progress):
            bins = np.minimum(np.searchsorted(moments.ends, rows["time"], side="right"), BINS - 1)
            which = (rows["type"] == EventType.HEAP_GOAL).astype(np.int64)
            said[which, bins] = rows["args"][:, 0]
    except TraceError as error:
        history.error = error
    moments.close(BINS)
    history.go_heap, history.go_goal = map(_carried, said)
    history.anomalies, history.warnings, history.losses = trace.anomalies, trace.warnings, trace.losses
    _conclude(history, moments, read_pass.types)


def _carried(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Let a value hold until the next one."""
    known = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(known < 0, np.nan, values[known])


def _conclude(history: History, moments: _Moments, types: TypeTable) -> None:
    """Add up by type, by class and by span."""
    lives = moments.lives
    keys, peak = lives.counts(), lives.counts(peak=True)
    columns = {name: keys[name] for name in keys.dtype.names or () if name.endswith(("_objects", "_bytes"))}
    old, _ = lives.of_age(_OLD)
    for i, unit in enumerate(("objects", "bytes")):
        for name, counts in (("inuse", keys), ("peak", peak)):
            columns[f"{name}_{unit}"] = counts[f"start_{unit}"] + counts[f"alloc_{unit}"] - counts[f"free_{unit}"]
        columns[f"old_{unit}"] = old[:, i]
    columns["young_objects"] = lives.tallies["aged"][:, 0]

    history.seen = bool(lives.life[ReplayCounter.ROWS])
    history.has_snapshot = bool(keys["start_objects"].any())
    history.names, group = group_keys(keys, types, "type")
    history.types = _summed(columns, group, len(history.names))
    own = moments.series.shape[1] - 1
    history.crowded = len(keys) > own
    history.series = np.zeros((len(history.names) + 1, BINS), np.int64)
    np.add.at(history.series, group[:own], moments.series[:, : len(group[:own])].T)
    history.series[-1] = moments.series[:, -1]
    history.keys = [
        (of, class_name(spanclass), inuse, peak, alloc)
        for of, spanclass, inuse, peak, alloc in zip(
            group.tolist(),
            keys["spanclass"].tolist(),
            *(columns[f"{name}_bytes"].tolist() for name in ("inuse", "peak", "alloc")),
            strict=True,
        )
    ]
    history.untyped = {
        name: int(columns[f"{name}_bytes"][keys["type"] == UNTYPED].sum()) for name in ("inuse", "peak", "alloc")
    }
    spans, holders = occupancy(lives, types)
    history.classes = _by_class(spans, columns, keys)
    history.spans = [
        {
            "name": row["name"],
            "class": row["class"],
            "spans": int(row["spans"]),
            "free_bytes_held": int(row["free_bytes"]),
        }
        for row in holders
    ]
    history.bins, history.moments = moments.ends, moments.rows
    history.cycles, history.ages, history.left = lives.cycles(), lives.deaths_by_age(), lives.alive()
    history.grid, history.grid_base, history.grid_step = moments.grid, moments.low, 1 << max(moments.shift, 0)
    history.peak_bytes = int(lives.life[ReplayCounter.PEAK_BYTES])
    history.peak_time = int(lives.life[ReplayCounter.PEAK_TIME]) if history.peak_bytes else -1


def _summed(columns: dict[str, I8], group: I8, n: int) -> dict[str, I8]:
    sums = {}
    for name, values in columns.items():
        sums[name] = np.zeros(n, np.int64)
        np.add.at(sums[name], group, values)
    return sums


def _by_class(spans: Rows, columns: dict[str, I8], keys: Rows) -> list[dict[str, Any]]:
    """Objects of each size class, and the spans that hold them at the end."""
    held = dict(zip(spans["spanclass"].tolist(), spans, strict=True))
    found = []
    for spanclass in sorted(set(keys["spanclass"].tolist()) | set(held)):
        mine = keys["spanclass"] == spanclass
        row = held.get(spanclass, np.zeros((), SPANS))
        found.append(
            {
                "name": class_name(spanclass),
                "size": CLASS_BYTES[spanclass >> 1] if 1 < spanclass < UNKNOWN_CLASS else 0,
                "noscan": bool(spanclass & 1) and spanclass != UNKNOWN_CLASS,
                **{
                    name: int(columns[name][mine].sum())
                    for name in ("alloc_objects", "alloc_bytes", "inuse_objects", "inuse_bytes", "free_objects")
                },
                "free_bytes_held": int(row["free_bytes"]),
                **{name: int(row[name]) for name in ("spans", "span_bytes", "slots", "empty_spans", "single_spans")},
            }
        )
    return found
