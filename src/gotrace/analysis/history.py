"""The heap over time: live bytes by type, rates, GC cycles, ages, spans and a map of addresses.

Two passes: one for the trace's extent and its GC cycles, one to replay. Never here: output.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gotrace import _allocfree, _history, plots
from gotrace.dtypes import CYCLE, EXTENT, HISTORY, LIVE, MOMENT, Anomaly, Fate, Layout, Op, Tally
from gotrace.errors import InternalError, Status, TraceError, new_fault
from gotrace.experiments.allocfree import UNRESOLVED, UNTYPED, TypeTable
from gotrace.heap import UNKNOWN_CLASS, class_name, group_keys
from gotrace.reader import AllocBuilder, ExperimentalBuilder, GenerationBuilder, Part
from gotrace.slabs import Rows
from gotrace.spec.limits import CLASS_BYTES
from gotrace.tables import MULTIPLIER
from gotrace.trace import Trace, open

BINS = 300
"""Bins of time."""

MOST_SERIES = 8192
"""Pairs of type and size class that have a line of their own over time; those that appear later share one."""

MOST_CYCLES = 1 << 20
"""GC cycles that are counted: more of them than this a program runs in days, and a trace may claim in seconds."""

OTHER = "(other)"
"""What has no line of its own over time."""

_STEP = 1 << 15  # rows at a time
_GC_BEGIN, _GC_END, _HEAP_ALLOC, _HEAP_GOAL = 29, 30, 37, 38
_MANUAL = 254
_LAST = np.iinfo(np.int64).max

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
    events, generations : int
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
        ns, where GC cycles begin; the first :data:`MOST_CYCLES` of them.
    cycles : ndarray of CYCLE
        Objects and bytes allocated and freed before the first of them, then in each.
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


class _Replay:
    """The kernel's tables, which grow here when it asks for it."""

    def __init__(self, start: int, end: int, begins: I8) -> None:
        step = max(end - start, 1) / BINS
        self.ends = (start + np.ceil(step * np.arange(1, BINS + 1))).astype(np.int64)
        self.begins = begins
        self.live = np.zeros(1 << 12, LIVE)
        self.extents = np.zeros(256, EXTENT)
        self.pages = np.empty(1024, np.uint64), np.zeros(1024, np.int32)
        self.keys = np.empty(512, np.uint64), np.zeros(512, np.int32)
        self.history = np.zeros(256, HISTORY)
        self.inuse = np.zeros((256, 2), np.int64)
        self.series = np.zeros((BINS, 257), np.int64)
        self.moments = np.zeros(BINS, MOMENT)
        self.cycles = np.zeros(len(begins) + 1, CYCLE)
        self.ages = np.zeros((Layout.AGES, 2), np.int64)
        self.now = np.zeros((2, Layout.GRID), np.int64)
        self.grid = np.zeros((BINS, 2, Layout.GRID), np.int64)
        self.tally = np.zeros(len(Tally), np.int64)
        self.odd = np.zeros(len(Anomaly), np.int64)
        self.tally[Tally.LATE_STACK] = np.iinfo(np.int64).min
        self.tally[Tally.GRID_SHIFT] = -1
        self.page_shift = 13
        self._classes = np.array(CLASS_BYTES, np.int64)
        self._open = self.ends.copy()
        self._open[-1] = _LAST

    def take(self, rows: Rows, batches: I8, factors: npt.NDArray[np.float64]) -> None:
        """Replay rows; ``batches`` says where the data of each event batch around them begins."""
        if not len(rows):
            return
        if self.tally[Tally.GRID_SHIFT] < 0:
            self.tally[Tally.GRID_SHIFT] = 13
            self.tally[Tally.GRID_BASE] = np.int64(np.uint64(rows["address"][0]) >> np.uint64(13) << np.uint64(13))
        snapshot = bool((rows["op"] == Op.EXISTS).any())
        at = 0
        fault = new_fault()
        while True:
            at = _history.replay(
                *(rows, at, self.live, self.extents, *self.pages, *self.keys, self.history, self.inuse),
                *(self.series, self.moments, self._open, self.cycles, self.begins, self.ages, self.now, self.grid),
                *(batches, factors, self._classes, self.page_shift, MULTIPLIER, self.tally, self.odd, fault),
            )
            status = Status(int(fault[0]["status"]))
            if status == Status.OK:
                break
            self._grow(status, rows[at])
        if self.tally[Tally.SNAPSHOT] and not snapshot:
            _history.end_snapshot(self.live, MULTIPLIER, self.tally)

    def finish(self) -> None:
        """Close the last bins."""
        _history.end_snapshot(self.live, MULTIPLIER, self.tally)
        _history.finish(self.inuse, self.series, self.moments, self._open, self.now, self.grid, self.tally)

    def _grow(self, status: Status, row: np.void) -> None:
        if status == Status.GROW_CELLS:
            live = np.zeros(2 * len(self.live), LIVE)
            _history.move(self.live, live, MULTIPLIER)
            self.live = live
        elif status == Status.GROW_SPANS:
            self.extents = np.concatenate((self.extents, np.zeros_like(self.extents)))
        elif status == Status.GROW_PAGES:
            self._grow_pages()
        elif status == Status.GROW_KEYS:
            self._grow_keys()
        elif status == Status.GROW_GRID:
            self._grow_grid(int(row["address"]), int(row["size"]))
        else:
            raise InternalError(f"the heap over time stopped with {status.name}")

    def _grow_pages(self) -> None:
        keys, vals = self.pages
        held = vals > 0
        n = int(held.sum())
        places = len(keys) * (2 if 4 * n >= len(keys) else 1)
        self.pages = np.empty(places, np.uint64), np.zeros(places, np.int32)
        _allocfree.rehash(
            np.append(keys[held], np.uint64(0)), np.append(vals[held], np.int32(0)), *self.pages, MULTIPLIER
        )
        self.tally[Tally.N_PAGES] = n

    def _grow_keys(self) -> None:
        n = 2 * len(self.history)
        if n > Fate.KEY:
            raise InternalError("more types than keys")
        keys = np.empty(2 * n, np.uint64), np.zeros(2 * n, np.int32)
        _allocfree.rehash(*self.keys, *keys, MULTIPLIER)
        self.keys = keys
        self.history = np.concatenate((self.history, np.zeros_like(self.history)))
        self.inuse = np.concatenate((self.inuse, np.zeros_like(self.inuse)))
        if n <= MOST_SERIES:
            series = np.zeros((BINS, n + 1), np.int64)
            series[:, : n // 2] = self.series[:, :-1]
            self.series = series

    def _grow_grid(self, address: int, size: int) -> None:
        """Let the map of addresses reach from the lowest to the highest one; its old rows fall into the new ones."""
        base, shift = int(self.tally[Tally.GRID_BASE]) % 2**64, int(self.tally[Tally.GRID_SHIFT])
        rows = int(Layout.GRID)
        used = np.flatnonzero(self.now.any(axis=0) | self.grid.any(axis=(0, 1)))
        last = base + ((int(used[-1]) + 1) << shift) - 1 if len(used) else base
        last = max(last, min(address + max(size, 1) - 1, 2**64 - 1))
        low, new = min(base, address), shift
        while (last >> new) - (low >> new) >= rows:
            new += 1
        low = low >> new << new
        place = ((base + (np.arange(rows, dtype=object) << shift) - low) >> new).astype(np.int64)
        for name in ("now", "grid"):
            old = getattr(self, name)
            grid = np.zeros_like(old)
            for row in used.tolist():
                grid[..., place[row]] += old[..., row]
            setattr(self, name, grid)
        self.tally[Tally.GRID_BASE] = np.uint64(low).astype(np.int64)
        self.tally[Tally.GRID_SHIFT] = new


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
    Objects follow the rules of docs/allocfree.md, and are at the end those of :meth:`gotrace.Trace.heap`. Only tiny
    ones that come and go in a shared slot while the snapshot is being read may be counted apart here.
    """
    with open(source, errors=errors) as trace:
        history = History(trace.path, trace.version, trace.writers)
        _survey(trace, history)
    with open(source, errors=errors) as trace:
        _replay(trace, history, progress)
    return history


def _survey(trace: Trace, history: History) -> None:
    """Find the extent of a trace, and its GC cycles."""
    shared = trace._new_pass()
    generations = GenerationBuilder(shared, 1)
    cycles = ExperimentalBuilder(shared, 256, (_GC_BEGIN, _GC_END))
    starts: list[int] = []
    ends: list[int] = []
    phases = _Phases()
    try:
        for part in trace._parts():
            for rows in trace._fed(cycles, part):
                phases.take(rows)
            for rows in trace._fed(generations, part):
                starts.append(int(rows["start"].min()))
                ends.append(int(rows["end"].max()))
                history.generations += len(rows)
                history.events += int(rows["events"].sum())
            part.drop()
    except TraceError:
        pass  # the second pass meets it, too
    for rows in cycles.flush():
        phases.take(rows)
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
            if kind == _GC_BEGIN:
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
    shared = trace._new_pass()
    builder = AllocBuilder(shared, _STEP)
    metrics = ExperimentalBuilder(shared, 4096, (_HEAP_ALLOC, _HEAP_GOAL))
    replay = _Replay(history.start, history.end, history.begins)
    said = np.full((2, BINS), np.nan)
    known = False

    def note(rows: Rows) -> None:
        bins = np.minimum(np.searchsorted(replay.ends, rows["time"], side="right"), BINS - 1)
        which = (rows["type"] == _HEAP_GOAL).astype(np.int64)
        said[which, bins] = rows["args"][:, 0]

    try:
        for part in trace._parts(progress):
            batches, factors = _batches(part)
            for rows in chain(trace._fed(builder, part), builder.flush()):
                if not known:
                    replay.page_shift, known = builder.page_size.bit_length() - 1, True
                replay.take(rows, batches, factors)
            for rows in trace._fed(metrics, part):
                note(rows)
            part.drop()
    except TraceError as error:
        history.error = error
        for rows in builder.flush():
            replay.take(rows, np.empty(0, np.int64), np.empty(0))
    for rows in metrics.flush():
        note(rows)
    replay.finish()
    builder.heap.anomalies += replay.odd  # it did not replay objects, and so saw none of theirs
    trace._note([builder], shared)
    history.go_heap, history.go_goal = map(_carried, said)
    history.anomalies, history.warnings, history.losses = trace.anomalies, trace.warnings, trace.losses
    _conclude(history, replay, shared.types)


def _batches(part: Part) -> tuple[I8, npt.NDArray[np.float64]]:
    """Where the data of each batch begins, and ns per clock unit in it."""
    rows = part.slab.batches
    gens = part.gens(part.runs())
    return rows["offset"] + rows["head"], gens["factor"][np.maximum(rows["gen"], 0)]


def _carried(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Let a value hold until the next one."""
    known = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(known < 0, np.nan, values[known])


def _conclude(history: History, replay: _Replay, types: TypeTable) -> None:
    """Add up by type, by class and by span."""
    tally = replay.tally
    n = int(tally[Tally.N_KEYS])
    keys = replay.history[:n]
    inuse = replay.inuse[:n]
    at_peak = keys["epoch"] == tally[Tally.EPOCH]
    columns = {name: keys[name].copy() for name in HISTORY.names or () if name.endswith(("_objects", "_bytes"))}
    for i, unit in enumerate(("objects", "bytes")):
        columns[f"inuse_{unit}"] = inuse[:, i].copy()
        columns[f"peak_{unit}"] = np.where(at_peak, keys[f"peak_{unit}"], inuse[:, i])
    heap = keys["spanclass"] != _MANUAL
    history.left = np.zeros((Layout.AGES, 2), np.int64)
    columns["old_objects"], columns["old_bytes"] = np.zeros(n, np.int64), np.zeros(n, np.int64)
    lonely, sizes = _Lonely(replay.extents), _Sizes(replay.extents)
    for live in _slices(replay.live):
        of = (live["key"] & Fate.KEY) - 1
        live, of = live[heap[of]], of[heap[of]]
        age = np.where(live["born"] < 0, -1, int(tally[Tally.CYCLE]) - live["born"])
        place = np.minimum(age, Layout.AGES - 1)
        for i, size in enumerate((np.ones(len(live), np.int64), sizes.of(live["address"], keys["spanclass"][of]))):
            np.add.at(history.left[:, i], place[age >= 0], size[age >= 0])
            np.add.at(columns[("old_objects", "old_bytes")[i]], of[age >= 2], size[age >= 2])
        lonely.take(live["address"], keys["type"][of])

    chosen = np.flatnonzero(heap)
    keys = keys[chosen]
    history.seen = bool(n or tally[Tally.N_EXTENTS])
    history.has_snapshot = bool(keys["start_objects"].any())
    history.names, group = group_keys(keys, types, "type")
    history.types = _summed(columns, chosen, group, len(history.names))
    history.crowded = n >= replay.series.shape[1]
    series = np.zeros((len(history.names) + 1, BINS), np.int64)
    own = chosen < replay.series.shape[1] - 1
    np.add.at(series, group[own], replay.series[:, chosen[own]].T)
    series[-1] = replay.series[:, -1]
    history.series = series
    history.keys = [
        (of, class_name(spanclass), inuse, peak, alloc)
        for of, spanclass, inuse, peak, alloc in zip(
            group.tolist(),
            keys["spanclass"].tolist(),
            *(columns[f"{name}_bytes"][chosen].tolist() for name in ("inuse", "peak", "alloc")),
            strict=True,
        )
    ]
    history.untyped = {
        name: int(columns[f"{name}_bytes"][chosen[keys["type"] == UNTYPED]].sum())
        for name in ("inuse", "peak", "alloc")
    }
    history.classes = _by_class(replay, columns, chosen, keys)
    history.spans = lonely.rows(types)
    history.bins, history.moments = replay.ends, replay.moments
    history.cycles, history.ages = replay.cycles, replay.ages
    history.grid = replay.grid
    history.grid_base, shift = int(tally[Tally.GRID_BASE]) % 2**64, int(tally[Tally.GRID_SHIFT])
    history.grid_step = 1 << max(shift, 0)
    history.peak_bytes = int(tally[Tally.PEAK_BYTES])
    history.peak_time = int(tally[Tally.PEAK_TIME]) if history.peak_bytes else -1


def _summed(columns: dict[str, I8], chosen: I8, group: I8, n: int) -> dict[str, I8]:
    sums = {}
    for name, values in columns.items():
        sums[name] = np.zeros(n, np.int64)
        np.add.at(sums[name], group, values[chosen])
    return sums


def _by_class(replay: _Replay, columns: dict[str, I8], chosen: I8, keys: Rows) -> list[dict[str, Any]]:
    """Objects of each size class, and the spans that hold them at the end."""
    extents = replay.extents[replay.extents["held"] != 0]
    found = []
    for spanclass in sorted(set(keys["spanclass"].tolist()) | (set(extents["spanclass"].tolist()) - {_MANUAL})):
        mine = chosen[keys["spanclass"] == spanclass]
        spans = extents[extents["spanclass"] == spanclass]
        size = CLASS_BYTES[spanclass >> 1] if 1 < spanclass < _MANUAL else 0
        found.append(
            {
                "name": class_name(spanclass),
                "size": size,
                "noscan": bool(spanclass & 1) and spanclass != UNKNOWN_CLASS,
                **{
                    name: int(columns[name][mine].sum())
                    for name in ("alloc_objects", "alloc_bytes", "inuse_objects", "inuse_bytes", "free_objects")
                },
                "spans": len(spans),
                "span_bytes": int(spans["bytes"].sum()),
                "free_bytes_held": int(spans["bytes"].sum() - spans["inuse_bytes"].sum()),
                "slots": int((spans["bytes"] // size).sum()) if size else len(spans),
                "empty_spans": int((spans["inuse_objects"] == 0).sum()),
                "single_spans": int((spans["inuse_objects"] == 1).sum()) if size else 0,
            }
        )
    return found


class _Sizes:
    """Bytes of objects, by their size class or by the span that is all theirs."""

    def __init__(self, extents: Rows) -> None:
        self._classes = np.zeros(256, np.int64)
        for size_class, size in enumerate(CLASS_BYTES):
            self._classes[2 * size_class : 2 * size_class + 2] = size
        self._large = np.sort(extents[(extents["held"] != 0) & (extents["spanclass"] < 2)], order="base")

    def of(self, addresses: npt.NDArray[np.uint64], spanclasses: npt.NDArray[np.uint8]) -> I8:
        """Return the bytes of each object."""
        sizes = self._classes[spanclasses]
        large = spanclasses < 2
        sizes[large] = self._large["bytes"][np.searchsorted(self._large["base"], addresses[large])]
        return sizes


class _Lonely:
    """Spans of a size class that one object keeps, by its type."""

    def __init__(self, extents: Rows) -> None:
        lonely = (extents["held"] != 0) & (extents["inuse_objects"] == 1)
        lonely &= (extents["spanclass"] > 1) & (extents["spanclass"] < _MANUAL)
        self._extents = np.sort(extents[lonely], order="base")
        self._sums: dict[tuple[int, int], list[int]] = {}

    def take(self, addresses: npt.NDArray[np.uint64], kinds: npt.NDArray[np.int32]) -> None:
        """Find the spans of some objects."""
        extents = self._extents
        if not len(extents):
            return
        place = np.searchsorted(extents["base"], addresses, side="right") - 1
        inside = (place >= 0) & (addresses - extents["base"][place] < extents["bytes"][place].astype(np.uint64))
        for kind, row in zip(kinds[inside].tolist(), extents[place[inside]], strict=True):
            entry = self._sums.setdefault((kind, int(row["spanclass"])), [0, 0])
            entry[0] += 1
            entry[1] += int(row["bytes"] - row["inuse_bytes"])

    def rows(self, types: TypeTable) -> list[dict[str, Any]]:
        """How many spans each type keeps alone, and their free bytes."""
        return [
            {
                "name": types.label(kind) if kind not in (UNTYPED, UNRESOLVED) else types.names[kind],
                "class": class_name(spanclass),
                "spans": n,
                "free_bytes_held": nbytes,
            }
            for (kind, spanclass), (n, nbytes) in self._sums.items()
        ]


def _slices(live: Rows) -> Iterator[Rows]:
    """Yield the objects of the table of live ones, some at a time."""
    for at in range(0, len(live), _STEP):
        some = live[at : at + _STEP]
        yield some[some["key"] != 0]
