"""Profiles of waiting: how often and how long goroutines are in a state, by call stack. Never here: a file format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gotrace.analysis.gather import Gathered, Keep, Range
from gotrace.analysis.texts import one_line
from gotrace.analysis.traces import analysis
from gotrace.analysis.windows import Windows
from gotrace.dtypes import Rows, select
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
    """

    kind: str
    table: Rows
    stacks: list[tuple[Frame, ...]]

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
    time : tuple of int or None, optional
        Only the time in this range, in ns of the trace's clock.
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
    tables: dict[str, Keep] = {"goroutines": np.copy}
    if of_range is None:
        tables["states"] = lambda rows: select(rows, INTERVAL, None if state is None else rows["state"] == state)
    else:
        tables["ranges"] = lambda rows: rows[rows["start"] == of_range]
    if region is not None:
        tables["region_times"] = np.copy
    found = Gathered(trace, tables, progress=progress, time=time)
    intervals = found.rows["states"] if of_range is None else pair(found.rows["ranges"])
    if reason is not None:
        intervals = intervals[found.where(intervals["reason"], reason)]
    whole = of_range is None and function is None and region is None
    result = Profile(kind, *summed(found, intervals, None if whole else _windows(found, function, region)))
    return found.checked(result)


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
    inside = windows.overlap(regions["g"], regions["start"], end) > 0
    return Windows.union(regions["g"][inside], regions["start"][inside], end[inside])


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


def summed(found: Gathered, intervals: Rows, windows: Windows | None) -> tuple[Rows, list[tuple[Frame, ...]]]:
    """Return rows of WAIT and their stacks, for intervals or the parts of them that are in windows.

    Parameters
    ----------
    found : Gathered
        Of the stacks; without windows, of ``goroutines`` too.
    intervals : ndarray of INTERVAL
    windows : Windows or None
        By goroutine.
    """
    if windows is None:
        time = np.where(intervals["end"] < 0, found.end, intervals["end"]) - intervals["start"]
    else:
        end = np.where(intervals["end"] < 0, np.iinfo(np.int64).max, intervals["end"])
        time = windows.overlap(intervals["g"], intervals["start"], end)
    rows, time = intervals["stack"][time > 0], time[time > 0]
    count = np.bincount(rows)  # by row of stacks: far fewer than intervals
    times = np.zeros(len(count), np.int64)
    np.add.at(times, rows, time)
    used = np.flatnonzero(count)
    index, stacks = found.merged(used)
    table = np.zeros(len(stacks), WAIT)
    table["stack"] = np.arange(len(stacks))
    np.add.at(table["count"], index, count[used])
    np.add.at(table["time"], index, times[used])
    return table[np.lexsort((table["stack"], -table["time"]))], stacks
