"""How goroutines spend their time, by function, creator or goroutine. Never here: output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gotrace.analysis.gather import Gathered, Keep, Range
from gotrace.analysis.texts import NO_STACK, merged, one_line
from gotrace.analysis.traces import analysis
from gotrace.dtypes import I8, STATE, Rows, TimeKind
from gotrace.errors import check_choice
from gotrace.spec.events import EVENTS, RANGES
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import View, Viewed, cells
from gotrace.wire.structure import Frame

SUMS = ("exec", "sched", "block", "syscall", "syscall_block", "unknown", "total", "starts", "assist", "sweep", "stw")
GOROUTINES = np.dtype(
    [
        ("name", "O"),  # str
        ("count", "i8"),  # goroutines
        *((name, "i8") for name in SUMS),  # sums of the columns of GOROUTINE: ns, but ``starts`` is a number
        ("sched_max", "i8"),  # ns, the largest
    ],
    align=True,
)
"""A row for each group of goroutines."""

REASONS = np.dtype(
    [("name", "O"), ("kind", "u1"), ("reason", "O"), ("time", "i8"), ("count", "i8")],
    align=True,
)
"""A row for each group and each reason of a wait (``kind`` 1), or range (2): ns, and number of waits or ranges."""

_RANGES = {event.id: RANGES[event.name] for event in EVENTS if event.name in RANGES}


@dataclass(repr=False)
class Goroutines(Viewed):
    """Goroutines by group.

    Attributes
    ----------
    by : {"function", "goroutine", "creator"}
    table : ndarray of GOROUTINES
        Most ``total`` less ``block`` first, since most goroutines wait most of the time.
    reasons : ndarray of REASONS
        Most ``time`` first.
    intervals : ndarray of STATE
        Of the selected goroutine, by time; empty if none was selected.
    wakers, places : list of str
        For each row of ``intervals``, where the goroutine that ends it is, and where the goroutine itself is.
    why : list of str
        For each row of ``intervals``, its reason.
    seen : bool
        True if the trace has goroutines.
    """

    by: str
    table: Rows = field(default_factory=lambda: np.empty(0, GOROUTINES))
    reasons: Rows = field(default_factory=lambda: np.empty(0, REASONS))
    intervals: Rows = field(default_factory=lambda: np.empty(0, STATE))
    wakers: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    seen: bool = False

    def view(self) -> View:
        """Return goroutines by group, times in ns."""
        columns = ("name", "count", "exec", "sched", "block", "syscall", "assist")
        n = int(self.table["count"].sum())
        return View(f"{human_count(n, 'goroutine')} by {self.by}", columns, cells(self.table, columns), len(self.table))


@analysis
def goroutines(
    trace: Trace,
    *,
    by: Literal["function", "goroutine", "creator"] = "function",
    function: str | None = None,
    goroutine: int | None = None,
    time: Range = None,
    progress: Progress | None = None,
) -> Goroutines:
    """Return how goroutines spend their time.

    One pass. The times of a goroutine add up to its total; those of assists, sweeps and stopped worlds overlap them.

    Parameters
    ----------
    trace : Trace
    by : {"function", "goroutine", "creator"}
        Group by the function that a goroutine starts with, not at all, or by the call stack of its creation.
    function : str, optional
        Only goroutines that start with this function.
    goroutine : int, optional
        Only the goroutine of this id, with its intervals.
    time : tuple of int or None, optional
        Only the time in this range, in ns of the trace's clock; intervals are clipped to it, and those that go on after
        it are open. A function that is not seen before its end is not known.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Goroutines

    Raises
    ------
    ValueError
        ``by`` is not one of the groups.
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    check_choice("by", by, _NAMES)
    tables: dict[str, Keep] = {"goroutines": np.copy, "goroutine_times": np.copy}
    if goroutine is not None:
        tables = {name: lambda rows: rows[rows["g"] == goroutine] for name in (*tables, "states")}
    found = Gathered(trace, tables, progress=progress, time=time)
    lives = found.rows["goroutines"]
    result = Goroutines(by, seen=len(lives) > 0)
    if function is not None:
        lives = lives[found.where(lives["function"], function.__eq__)]
    numbers, names = _named(found, lives, by)
    result.table = _table(lives, numbers, names)
    result.reasons = _reasons(found, lives, numbers, names)
    if goroutine is not None:
        states = found.rows["states"]
        states = states[np.lexsort((states["start"], states["life"]))]
        result.intervals = states
        result.why = [found.texts[row] for row in states["reason"].tolist()]
        result.places = [one_line(found.frames(row)) for row in states["stack"].tolist()]
        result.wakers = [one_line(found.frames(row)) if row else "" for row in states["by_stack"].tolist()]
    return found.checked(result)


def _by_function(found: Gathered, lives: Rows) -> list[str]:
    return [found.texts[row] or NO_STACK for row in lives["function"].tolist()]


def _by_creator(found: Gathered, lives: Rows) -> list[str]:
    rows, inverse = np.unique(lives["stack"], return_inverse=True)
    names = [_created(found.frames(row)) for row in rows.tolist()]
    return [names[i] for i in inverse.tolist()]


def _created(frames: tuple[Frame, ...]) -> str:
    return one_line(frames) if frames else "(created before the trace, or by the runtime)"


def _by_goroutine(found: Gathered, lives: Rows) -> list[str]:
    return [
        f"G{g}{f' life {life}' if life else ''} {name}"
        for g, life, name in zip(lives["g"].tolist(), lives["life"].tolist(), _by_function(found, lives), strict=True)
    ]


_NAMES = {"function": _by_function, "goroutine": _by_goroutine, "creator": _by_creator}


def _named(found: Gathered, lives: Rows, by: str) -> tuple[I8, list[str]]:
    return merged(_NAMES[by](found, lives))


def _table(lives: Rows, numbers: I8, names: list[str]) -> Rows:
    table = np.zeros(len(names), GOROUTINES)
    table["name"] = names
    np.add.at(table["count"], numbers, 1)
    for name in SUMS:
        np.add.at(table[name], numbers, lives[name])
    np.maximum.at(table["sched_max"], numbers, lives["sched_max"])
    return table[np.lexsort((-table["count"], table["block"] - table["total"]))]


def _reasons(found: Gathered, lives: Rows, numbers: I8, names: list[str]) -> Rows:
    """Return the rows of REASONS of some lives."""
    times = found.rows["goroutine_times"]
    of_life = dict(zip(_keys(lives), numbers.tolist(), strict=True))
    groups = np.array([of_life.get(key, -1) for key in _keys(times)], np.int64)
    used = (groups >= 0) & (times["count"] > 0)  # 0: in time, but not in its range
    times, groups = times[used], groups[used]
    columns = np.stack([groups, times["kind"].astype(np.int64), times["start"], times["name"]], axis=1)
    distinct, inverse = np.unique(columns, axis=0, return_inverse=True)
    keys = [(names[group], kind, _reason(found, kind, start, name)) for group, kind, start, name in distinct.tolist()]
    at, rows = merged(keys)
    table = np.zeros(len(rows), REASONS)
    for column, values in zip(("name", "kind", "reason"), zip(*rows, strict=True), strict=False):
        table[column] = values
    for column in ("time", "count"):
        np.add.at(table[column], at[inverse.ravel()], times[column])
    return table[np.argsort(-table["time"], kind="stable")]


def _keys(rows: Rows) -> list[tuple[int, int]]:
    return list(zip(rows["g"].tolist(), rows["life"].tolist(), strict=True))


def _reason(found: Gathered, kind: int, start: int, name: int) -> str:
    text = found.texts[name]
    return text or ("(no reason)" if kind == TimeKind.WAITING else _RANGES[start])
