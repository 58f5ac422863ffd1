"""Profiles of waiting: how often and how long goroutines are in a state, by call stack. Never here: a file format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gotrace.analysis.gather import Gathered, Keep, Range, last_life
from gotrace.analysis.texts import distinct, find_rows, one_line
from gotrace.analysis.traces import analysis
from gotrace.analysis.windows import Windows
from gotrace.dtypes import I8, Rows, select
from gotrace.errors import check_choice
from gotrace.spec.enums import EventKind, EventType, GoState
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.views import ROWS, View, Viewed
from gotrace.wire.structure import Frame

WAIT = np.dtype([("stack", "i4"), ("count", "i8"), ("time", "i8")], align=True)
"""Row of a profile: index of a stack, number of intervals, ns."""

INTERVAL = np.dtype([("start", "i8"), ("end", "i8"), ("g", "i8"), ("stack", "i4"), ("reason", "i4")], align=True)
"""Interval of a goroutine: fields of STATE; ``end`` is -1 if it is open."""

SUM = np.dtype([("count", "i8"), ("time", "i8"), ("stack", "i4"), ("reason", "i4")])
"""Number of intervals of a stack and reason, and their time in ns."""

_OF_LIFE = np.dtype([*INTERVAL.descr, ("life", "i4")])
_LIFE_SUM = np.dtype([*SUM.descr, ("g", "i8"), ("life", "i4")])  # ``life`` -1: ``g`` is the function, a row of strings
_STEP = 1 << 18  # intervals that are added up at a time


class Kind(NamedTuple):
    """Which intervals a profile counts: those of a state (None: all) and reason, or the ranges of one event type."""

    doc: str
    state: GoState | None = None
    reason: Callable[[str], bool] | None = None
    range: EventType | None = None


KINDS = {
    "net": Kind("waiting for the network", GoState.WAITING, "network".__eq__),
    "sync": Kind(
        "waiting for channels, locks and selects",
        GoState.WAITING,
        lambda reason: any(word in reason for word in ("chan", "sync", "select")),
    ),
    "syscall": Kind("in system calls", GoState.SYSCALL),
    "sched": Kind("runnable, waiting for a P", GoState.RUNNABLE),
    "block": Kind("waiting, for any reason", GoState.WAITING, "forever".__ne__),
    "wall": Kind("in any state", reason="forever".__ne__),
    "assist": Kind("in mark assists", range=EventType.GC_MARK_ASSIST_BEGIN),
    "stw": Kind("from the request to stop the world to its restart", range=EventType.STW_BEGIN),
}
"""Kinds of profiles by name."""


@dataclass(repr=False)
class Profile(Viewed):
    """Time in a state by call stack.

    Attributes
    ----------
    kind : str
        As requested.
    table : ndarray of WAIT
        Most time first. ``stack`` is an index of ``stacks``.
    stacks : list of tuple of Frame
        Leaf first; the one of events without a stack is empty.
    seen : bool
        False if a function or a region is selected of which the trace has none.
    """

    kind: str
    table: Rows
    stacks: list[tuple[Frame, ...]]
    seen: bool = True

    def view(self) -> View:
        """Return the stacks with most time, in ns."""
        shown = ((one_line(self.stacks[stack]), n, time) for stack, n, time in self.table[:ROWS].tolist())
        return View(f"{KINDS[self.kind].doc}, by stack", ("stack", "count", "time"), shown, len(self.table))


@analysis
def profile(
    trace: Trace,
    kind: str,
    *,
    function: str | None = None,
    region: str | None = None,
    time: Range = None,
    progress: Progress | None = None,
) -> Profile:
    """Return how often and how long goroutines are in a state, by the stack of the event that starts it.

    One pass. An interval that is open at the end of the trace counts up to it.

    Parameters
    ----------
    trace : Trace
    kind : {"net", "sync", "syscall", "sched", "block", "wall", "assist", "stw"}
        Which intervals to count: those in a state, mark assists, or stopped worlds.
    function : str, optional
        Only goroutines that start with this function.
    region : str, optional
        Only the time in regions of this name.
    time : tuple of times or None, optional
        Only the time in this range. Integers are ns on the trace's clock, other times count from its start: ``("1.5s",
        2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Profile

    Raises
    ------
    ValueError
        There is no such kind.
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    check_choice("kind", kind, KINDS)
    of_range, state, reason = KINDS[kind].range, KINDS[kind].state, KINDS[kind].reason
    if of_range is None and region is None:
        sums = _Sums(state, function)
        found = Gathered(trace, {"states": sums.add, "goroutines": sums.end_lives}, progress=progress, time=time)
        rows = sums.rows(found)
        seen = function is None or function in (found.texts[row] for row in sums.functions)
    else:
        tables: dict[str, Keep] = {"goroutines": np.copy}
        if of_range is None:
            tables["states"] = lambda rows: _in_state(rows, state, INTERVAL)
        else:
            tables["ranges"] = lambda rows: rows[rows["start"] == of_range]
        if region is not None:
            tables["region_times"] = np.copy
        found = Gathered(trace, tables, progress=progress, time=time)
        intervals = found.rows["states"] if of_range is None else pair(found.rows["ranges"])
        windows = _windows(found, function, region)
        rows = inside(intervals, windows)
        seen = (function is None and region is None) or len(windows.key) > 0
    if reason is not None:
        rows = rows[found.where(rows["reason"], reason)]
    return found.checked(Profile(kind, *summed(found, rows), seen))


def _in_state(rows: Rows, state: GoState | None, dtype: np.dtype[np.void]) -> Rows:
    return select(rows, dtype, None if state is None else rows["state"] == state)


class _Sums:
    """Adds up the intervals of chunks of STATE by function, stack and reason; of the rows it keeps only open ones.

    Until the life of a goroutine ends, its function is not known, and its intervals are added up by life. Its row of
    GOROUTINE comes after all its rows of STATE, if the pass reads ``states`` before ``goroutines``.
    """

    def __init__(self, state: GoState | None, function: str | None) -> None:
        self._state, self._function = state, function
        self._interval, self._sum = (INTERVAL, SUM) if function is None else (_OF_LIFE, _LIFE_SUM)
        self.functions: set[int] = set()  # rows of strings
        self._pieces = [np.empty(0, self._sum)]
        self._n = 0
        self._ended: list[I8] = []  # goroutine, life and function

    def add(self, rows: Rows) -> Rows:
        """Add a chunk of STATE; return its open intervals, whose time is not known yet."""
        rows = _in_state(rows, self._state, self._interval)
        is_open = rows["end"] < 0
        self._count(rows[~is_open], (rows["end"] - rows["start"])[~is_open])
        return rows[is_open]

    def _count(self, rows: Rows, time: I8) -> None:
        if self._n >= _STEP:
            self._merge()
        self._pieces.append(_counted(rows, time, self._sum))
        self._n += len(rows)

    def end_lives(self, rows: Rows) -> Rows:
        """Take a chunk of GOROUTINE; return the row that gives the end of the trace."""
        if self._function is not None:
            self.functions.update(rows["function"].tolist())
            self._ended.append(np.stack([rows[name].astype(np.int64) for name in ("g", "life", "function")], axis=1))
            self._n += len(rows)
        return last_life(rows)

    def _merge(self) -> None:
        """Merge the sums of the same key; those of ended lives become those of their function."""
        rows = _grouped(np.concatenate(self._pieces))
        if self._ended:
            ended = np.concatenate(self._ended)
            function = find_rows(np.stack((rows["g"], rows["life"]), axis=1), ended[:, :2], ended[:, 2])
            of_ended = function >= 0
            rows["g"][of_ended], rows["life"][of_ended] = function[of_ended], -1
        self._pieces, self._n, self._ended = [rows], 0, []

    def rows(self, found: Gathered) -> Rows:
        """Return rows of SUM; open intervals count up to the end of the trace."""
        still = found.rows["states"]
        self._count(still, found.end - still["start"])
        self._merge()
        (rows,) = self._pieces
        if self._function is not None:
            rows = rows[rows["life"] < 0]
            rows = rows[found.where(rows["g"], self._function.__eq__)]
        return rows


def _counted(intervals: Rows, time: I8, dtype: np.dtype[np.void] = SUM) -> Rows:
    """Return a row of SUM, or of another type, for each interval that takes time."""
    used = time > 0
    rows = np.ones(np.count_nonzero(used), dtype)
    rows["time"] = time[used]
    for name in set(dtype.names or ()) & set(intervals.dtype.names or ()):
        rows[name] = intervals[name][used]
    return rows


def _grouped(rows: Rows) -> Rows:
    """Return one row for each stack and reason, and each function or life if there are these columns."""
    of_life = [rows[name] for name in ("life", "g") if name in (rows.dtype.names or ())]
    first, place = distinct(*of_life, rows["stack"].astype(np.int64) << 32 | rows["reason"])
    sums = rows[first]
    for name in ("count", "time"):
        sums[name] = 0
        np.add.at(sums[name], place, rows[name])
    return sums


def inside(intervals: Rows, windows: Windows) -> Rows:
    """Return rows of SUM for the parts of intervals that are in the windows of their goroutine."""
    end = np.where(intervals["end"] < 0, np.iinfo(np.int64).max, intervals["end"])
    return _counted(intervals, windows.overlap(intervals["g"], intervals["start"], end))


def _windows(found: Gathered, function: str | None, region: str | None) -> Windows:
    """Return the time to which a profile is limited, by goroutine."""
    lives = found.rows["goroutines"]
    if function is not None:
        lives = lives[found.where(lives["function"], function.__eq__)]
    windows = Windows.union(lives["g"], lives["created"], lives["created"] + lives["total"])
    if region is None:
        return windows
    regions = found.rows["region_times"]
    regions = regions[found.where(regions["name"], region.__eq__)]
    end = np.where(regions["end"] < 0, found.end, regions["end"])
    chosen = windows.overlap(regions["g"], regions["start"], end) > 0
    return Windows.union(regions["g"][chosen], regions["start"][chosen], end[chosen])


def pair(ranges: Rows) -> Rows:
    """Return an interval for each range of one kind; one that is active when it is first mentioned starts at 0.

    Parameters
    ----------
    ranges : ndarray of RANGE
        In order.

    Returns
    -------
    ndarray of INTERVAL
    """
    ranges = ranges[np.argsort(ranges["id"], kind="stable")]
    g, ends = ranges["id"], ranges["kind"] == EventKind.RANGE_END
    goes_on = np.append(False, (g[1:] == g[:-1]) & ~ends[:-1])[: len(g)]
    first = np.flatnonzero(~ends & ~goes_on)
    after = np.append(first, len(g))[1:] - 1  # the last row before the next range
    intervals = np.zeros(len(first), INTERVAL)
    intervals["g"] = g[first]
    intervals["start"] = np.where(ranges["kind"][first] == EventKind.RANGE_ACTIVE, 0, ranges["time"][first])
    intervals["end"] = np.where(ends[after], ranges["time"][after], -1)
    for name in ("stack", "reason"):
        intervals[name] = ranges[name][first]
    return intervals


def summed(found: Gathered, rows: Rows) -> tuple[Rows, list[tuple[Frame, ...]]]:
    """Return rows of WAIT and their stacks: rows of SUM whose stacks have the same frames become one."""
    by_stack = np.zeros((int(rows["stack"].max(initial=-1)) + 1, 2), np.int64)  # far fewer than intervals
    np.add.at(by_stack, rows["stack"], np.stack((rows["count"], rows["time"]), axis=1))
    used = np.flatnonzero(by_stack[:, 0])
    index, stacks = found.merged(used)
    table = np.zeros(len(stacks), WAIT)
    table["stack"] = np.arange(len(stacks))
    np.add.at(table["count"], index, by_stack[used, 0])
    np.add.at(table["time"], index, by_stack[used, 1])
    return table[np.lexsort((table["stack"], -table["time"]))], stacks
