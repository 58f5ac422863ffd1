"""Mutator utilization: which share of the Ps runs the program instead of the collector. Never here: windows of it.

As in Go's ``internal/trace``, except that a mark worker counts from its label until it stops, and that an assist of a
goroutine that does not run counts nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gotrace.analysis.gather import TEXTS, Gathered, Keep, Range, bounds, last_life
from gotrace.analysis.traces import analysis
from gotrace.dtypes import F8, I8, RANGE, TRANSITION, Rows, select
from gotrace.errors import check_choice
from gotrace.spec.enums import EventKind, EventType, GoState, Resource
from gotrace.tables.passes import Progress
from gotrace.trace import Trace

INCLUDE = ("stw", "background", "assist", "sweep")
"""What can count as collection: stopped worlds for GC, mark workers, mark assists, sweeps."""

UTIL = np.dtype([("time", "i8"), ("util", "f8")], align=True)
"""A change of utilization: ns, and the share from 0 to 1 from then on."""

_CHANGE = np.dtype(
    [("time", "i8"), ("p", "i8"), ("delta", "i8")], align=True
)  # of the reasons to count a P as collecting
_SWITCH = np.dtype([(name, TRANSITION[name]) for name in ("time", "id", "p", "new")], align=True)
_RANGE = np.dtype(
    [(name, RANGE[name]) for name in ("time", "id", "p", "generation", "reason", "start", "kind")], align=True
)
_MAX_PROCS = 1 << 12
_WORKER = "GC "  # how labels of mark workers start
_RANGES = {"stw": EventType.STW_BEGIN, "assist": EventType.GC_MARK_ASSIST_BEGIN, "sweep": EventType.GC_SWEEP_BEGIN}
_RUN, _STOP, _LABEL, _ASSIST_ON, _ASSIST_ACTIVE, _ASSIST_OFF = range(6)

Mask = npt.NDArray[np.bool_]


def _executes(state: npt.NDArray[np.uint8]) -> Mask:
    return np.asarray((state == GoState.RUNNING) | (state == GoState.SYSCALL))


class Sources:
    """Keeps what utilization is computed from; of goroutines that do not collect, no transitions.

    Attributes
    ----------
    keep : dict of str to callable
        For :class:`Gathered`, in the order in which a pass has to read the tables: labels and ranges come before the
        transitions of the same events.
    generation : int
        The first one of which there are rows.
    """

    def __init__(self) -> None:
        self.keep: dict[str, Keep] = {
            "strings": self._strings,
            "ranges": self._ranges,
            "labels": self._labels,
            "metrics": self._metrics,
            "transitions": self._transitions,
        }
        self.generation = int(np.iinfo(np.uint32).max)
        self._n_strings = 0
        self._worker_labels: list[int] = []  # rows of strings
        self._ids: I8 = np.empty(0, np.int64)  # goroutines that may collect, rising
        self._assists: I8 = np.empty(0, np.int64)  # for each, how many assists are open
        self._latest: I8 = np.empty(0, np.int64)  # and the time of its latest label or range
        self._running = np.empty(0, _SWITCH)  # of other goroutines, the transitions since which they run

    def _strings(self, rows: Rows) -> Rows:
        texts = rows["text"].tolist()
        self._worker_labels += [self._n_strings + i for i, text in enumerate(texts) if text.startswith(_WORKER)]
        self._n_strings += len(texts)
        return rows

    def _ranges(self, rows: Rows) -> Rows:
        rows = select(rows, _RANGE, np.isin(rows["start"], list(_RANGES.values())))
        self._see(rows)
        assists = rows[rows["start"] == EventType.GC_MARK_ASSIST_BEGIN]
        self._mark(assists["id"], assists["time"], np.where(assists["kind"] == EventKind.RANGE_END, -1, 1))
        return rows

    def _labels(self, rows: Rows) -> Rows:
        self._see(rows)
        rows = rows[np.isin(rows["label"], self._worker_labels)]
        self._mark(rows["g"], rows["time"], np.zeros(len(rows), np.int64))
        return rows

    def _metrics(self, rows: Rows) -> Rows:
        rows = rows[rows["type"] == EventType.PROCS_CHANGE]
        self._see(rows)
        return rows

    def _see(self, rows: Rows) -> None:
        self.generation = min(self.generation, int(rows["generation"].min(initial=self.generation)))

    def _mark(self, ids: I8, time: I8, assists: I8) -> None:
        """Add events of goroutines that may collect from then on."""
        self._ids, place = np.unique(np.append(self._ids, ids), return_inverse=True)
        n = len(self._ids)
        counts, latest = np.zeros(n, np.int64), np.full(n, np.iinfo(np.int64).min)
        np.add.at(counts, place, np.append(self._assists, assists))
        np.maximum.at(latest, place, np.append(self._latest, time))
        self._assists, self._latest = counts, latest

    def _transitions(self, rows: Rows) -> Rows:
        """Return the transitions of goroutines that may collect."""
        rows = rows[(rows["resource"] == Resource.GOROUTINE) & (_executes(rows["old"]) != _executes(rows["new"]))]
        self._see(rows)
        rows = np.concatenate((self._running, select(rows, _SWITCH)))
        collect: Mask = np.isin(rows["id"], self._ids)
        last = _last(rows[~collect])
        self._running = last[_executes(last["new"])]
        last = _last(rows[collect])
        stops = last[~_executes(last["new"])]
        place = np.searchsorted(self._ids, stops["id"])
        kept = np.ones(len(self._ids), bool)
        kept[place] = (self._assists[place] > 0) | (self._latest[place] > stops["time"])
        self._ids, self._assists, self._latest = self._ids[kept], self._assists[kept], self._latest[kept]
        return np.asarray(rows[collect])


def _last(rows: Rows) -> Rows:
    """Return the last row of each goroutine."""
    order = np.argsort(rows["id"], kind="stable")
    ids = rows["id"][order]
    return np.asarray(rows[order[np.append(ids[1:] != ids[:-1], True)[: len(ids)]]])


@analysis
def utilization(
    trace: Trace,
    include: Iterable[str] = INCLUDE,
    *,
    per_goroutine: bool = False,
    time: Range = None,
    progress: Progress | None = None,
) -> list[Rows]:
    """Return the share of the Ps that runs the program, over time.

    One pass.

    Parameters
    ----------
    trace : Trace
    include : iterable of {"stw", "background", "assist", "sweep"}
        What counts as collection.
    per_goroutine : bool
        Return a function for each P, which is 0 or 1: what a goroutine on it experiences. Dedicated mark workers do not
        count, since no goroutine is on their P.
    time : tuple of times or None, optional
        Only the part in this range. Integers are ns on the trace's clock, other times count from its start: ``("1.5s",
        2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    list of ndarray of UTIL
        One function; or one for each P, and one more each time that a P is removed and added again. A function starts
        when GOMAXPROCS is first known, holds each value until the next row, and ends with its last row.

    Raises
    ------
    ValueError
        ``include`` has an unknown name.
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    chosen = tuple(include)
    for part in chosen:
        check_choice("include", part, INCLUDE)
    sources = Sources()
    found = Gathered(trace, {**sources.keep, "goroutines": last_life}, TEXTS, progress, time)
    result = utilization_until(found, sources.generation, found.end, chosen, per_goroutine=per_goroutine)
    first, _ = bounds(time)
    return found.checked(
        result if first is None else [_since(rows, first) for rows in result if rows["time"][-1] > first]
    )


def _since(rows: Rows, first: int) -> Rows:
    """Return a function from a time on."""
    rows = rows[max(int(np.searchsorted(rows["time"], first, side="right")) - 1, 0) :].copy()
    rows["time"][0] = max(rows["time"][0], first)
    return rows


def utilization_until(
    found: Gathered, first: int, end: int, include: tuple[str, ...], *, per_goroutine: bool
) -> list[Rows]:
    """Return utilization from rows of :class:`Sources` of a trace that starts with generation ``first``."""
    metrics = found.rows["metrics"]
    if not len(metrics):
        return []
    events = _Events(found, first, include, per_goroutine)
    n = np.minimum(metrics["value"], _MAX_PROCS)
    changed = np.append(True, n[1:] != n[:-1])
    procs = _Procs(metrics["time"][changed], n[changed], end)
    if per_goroutine:
        return [procs.of_one(life, events) for life in range(len(procs.p))]
    return [procs.of_all(events)]


class _Steps:
    """A sum of changes over time."""

    def __init__(self, time: I8, delta: I8) -> None:
        order = np.argsort(time, kind="stable")
        self.time = time[order]
        self._sums = np.append(0, np.cumsum(delta[order]))

    def at(self, time: I8) -> I8:
        """Return the sum of all changes up to each time."""
        return np.asarray(self._sums[np.searchsorted(self.time, time, side="right")])


class _Events:
    """What changes utilization.

    Attributes
    ----------
    stopped : _Steps
        Stopped worlds for GC.
    changes : ndarray of _CHANGE
        Of the number of reasons to count a P as collecting, in order.
    late : ndarray of int64
        Times of events that report a P as collecting since the start of the trace.
    """

    def __init__(self, found: Gathered, first: int, include: tuple[str, ...], per_goroutine: bool) -> None:
        start = int(found.rows["metrics"]["time"][0])
        ranges, labels, transitions = (
            found.rows[name][found.rows[name]["time"] >= start] for name in ("ranges", "labels", "transitions")
        )
        ranges = ranges[(ranges["kind"] != EventKind.RANGE_ACTIVE) | (ranges["generation"] == first)]
        ends = ranges["kind"] == EventKind.RANGE_END
        of = {name: (ranges["start"] == kind) & (name in include) for name, kind in _RANGES.items()}
        of["stw"] &= found.where(ranges["reason"], lambda reason: "GC" in reason)
        self.stopped = _Steps(ranges["time"][of["stw"]], np.where(ends, -1, 1)[of["stw"]])
        ignored = {"GC (idle)"} | ({"GC (dedicated)"} if per_goroutine else set())
        worker = found.where(labels["label"], lambda text: text not in ignored)
        labels = labels[worker & ("background" in include)]
        on_goroutines, late = _on_goroutines(transitions, ranges[of["assist"]], labels)
        sweeps = _changes(ranges[of["sweep"]])
        sweeps["delta"] = np.where(ends[of["sweep"]], -1, 1)
        changes = np.concatenate((on_goroutines, sweeps))
        self.changes = changes[np.lexsort((changes["time"], changes["p"]))]
        active = ranges["kind"] == EventKind.RANGE_ACTIVE
        self.late = np.sort(np.append(late, ranges["time"][of["sweep"] & active]))


def _changes(rows: Rows) -> Rows:
    changes = np.zeros(len(rows), _CHANGE)
    changes["time"], changes["p"] = rows["time"], rows["p"]
    return changes


def _on_goroutines(transitions: Rows, assists: Rows, labels: Rows) -> tuple[Rows, I8]:
    """Return the changes that assists and mark workers cause, and the times of assists that are reported late."""
    active = assists["kind"] == EventKind.RANGE_ACTIVE
    what = np.concatenate(
        (
            np.where(_executes(transitions["new"]), _RUN, _STOP),
            np.where(assists["kind"] == EventKind.RANGE_END, _ASSIST_OFF, np.where(active, _ASSIST_ACTIVE, _ASSIST_ON)),
            np.full(len(labels), _LABEL),
        )
    )
    g = np.concatenate((transitions["id"], assists["id"], labels["g"]))
    changes = np.concatenate([_changes(rows) for rows in (transitions, assists, labels)])
    order = np.lexsort((changes["time"], g))
    what, g, changes = what[order], g[order], changes[order]
    at = np.arange(len(what))
    group = np.maximum.accumulate(np.where(np.append(True, g[1:] != g[:-1])[: len(g)], at, 0))

    def latest(*kinds: int) -> I8:
        """Return the place of the latest event of these kinds before each event of a goroutine; -1 if there is none."""
        places = np.append(-1, np.maximum.accumulate(np.where(np.isin(what, kinds), at, -1)))[: len(at)]
        return np.where(places >= group, places, -1)

    stopped = latest(_STOP)
    running = latest(_RUN) > stopped
    labelled = latest(_LABEL) > stopped
    collecting = labelled | (latest(_ASSIST_ON, _ASSIST_ACTIVE) > latest(_ASSIST_OFF))
    changes["delta"] = np.select(
        [what == kind for kind in (_RUN, _STOP, _LABEL, _ASSIST_ON, _ASSIST_ACTIVE, _ASSIST_OFF)],
        [collecting, -collecting.astype(np.int64), ~labelled, 1, running, -1],
    )
    return changes[changes["delta"] != 0], changes["time"][(what == _ASSIST_ACTIVE) & running]


class _Procs:
    """The Ps of a trace: each from the time that GOMAXPROCS adds it to the time that it removes it.

    Attributes
    ----------
    p, added, removed : ndarray of int64
    """

    def __init__(self, time: I8, n: I8, end: int) -> None:
        self._time, self._n, self._end = time, n, end
        lives: list[list[int]] = []
        present: list[int] = []
        for now, count in zip(time.tolist(), n.tolist(), strict=True):
            while len(present) > max(count, 0):
                lives[present.pop()][2] = now
            for p in range(len(present), count):
                present.append(len(lives))
                lives.append([p, now, end])
        self.p, self.added, self.removed = np.array(lives, np.int64).reshape(-1, 3).T

    def _changes(self, life: int, changes: Rows) -> Rows:
        first, last = np.searchsorted(changes["p"], (self.p[life], self.p[life] + 1))
        own = changes[first:last]
        first, last = np.searchsorted(own["time"], (self.added[life], self.removed[life]))
        return np.asarray(own[first:last])

    def of_one(self, life: int, events: _Events) -> Rows:
        """Return the utilization of one P."""
        own = self._changes(life, events.changes)
        added, removed = self.added[life], self.removed[life]
        stops = events.stopped.time
        time = np.unique(np.concatenate(([added], own["time"], stops[(stops > added) & (stops < removed)])))
        busy = (events.stopped.at(time) > 0) | (_Steps(own["time"], own["delta"]).at(time) > 0)
        return _function(time, np.where(busy, 0.0, 1.0), int(removed))

    def of_all(self, events: _Events) -> Rows:
        """Return the mean utilization of all Ps."""
        edges = [np.zeros(0, _CHANGE)]
        for life in range(len(self.p)):
            own = self._changes(life, events.changes)
            edge = np.zeros(len(own) + 1, _CHANGE)
            edge["time"] = np.append(own["time"], self.removed[life])
            edge["delta"] = np.diff(np.append(np.append(0, np.cumsum(own["delta"])) > 0, False).astype(np.int64))
            edges.append(edge[edge["delta"] != 0])
        collecting = np.concatenate(edges)
        time = np.unique(np.concatenate((self._time, events.changes["time"], events.stopped.time)))
        time = time[time < self._end]
        n = self._n[np.searchsorted(self._time, time, side="right") - 1]
        busy = np.where(events.stopped.at(time) > 0, n, _Steps(collecting["time"], collecting["delta"]).at(time))
        util = 1 - busy / n
        before = 1 / self._n[np.maximum(np.searchsorted(self._time, time) - 1, 0)]
        for late in events.late:
            earlier = time < late
            util[earlier] = np.maximum(util[earlier] - before[earlier], 0)
        return _function(time, util, self._end)


def _function(time: I8, util: F8, end: int) -> Rows:
    """Return the changes of a function that ends with 0."""
    rows = np.zeros(len(time) + 1, UTIL)
    rows["time"] = np.append(time, end)
    rows["util"] = np.append(util, 0)
    return np.asarray(rows[np.append(True, rows["util"][1:] != rows["util"][:-1])])
