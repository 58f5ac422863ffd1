"""How goroutines spend their time, by function, creator or goroutine. Never here: output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gotrace.analysis.gather import Gathered, Keep, Range
from gotrace.analysis.texts import NO_STACK, Groups, find_rows, merged, one_line
from gotrace.analysis.traces import analysis
from gotrace.dtypes import GOTIME, I8, STATE, Rows, TimeKind
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
        For each row of ``intervals``, where the goroutine that ends it is, and where the one that starts it is: the
        goroutine itself, unless another one creates or wakes it.
    why : list of str
        For each row of ``intervals``, its reason.
    known : list of str
        Functions that goroutines start with, also those that are not selected.
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
    known: list[str] = field(default_factory=list)
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
    time : tuple of times or None, optional
        Only the time in this range; intervals are clipped to it, and those that go on after it are open. A function
        that is not seen before its end is not known. Integers are ns on the trace's clock, other times count from its
        start: ``("1.5s", 2.5)``.
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
    check_choice("by", by, _KEYS)
    sums = _Sums(by)
    tables: dict[str, Keep] = {"goroutines": sums.add_lives, "goroutine_times": sums.add_times}
    if goroutine is not None:
        tables["states"] = np.copy
        tables = {name: _of(goroutine, keep) for name, keep in tables.items()}
    found = Gathered(trace, tables, progress=progress, time=time)
    result = Goroutines(by, seen=len(sums.groups.keys) > 0)
    result.known = sorted({found.texts[key[-1]] for key in sums.groups.keys})
    name = _namer(found, by)
    numbers, names = merged(
        None if function is not None and found.texts[key[-1]] != function else name(key) for key in sums.groups.keys
    )
    result.table = _table(sums, numbers, names)
    result.reasons = _reasons(found, sums, numbers, names)
    if goroutine is not None:
        states = found.rows["states"]
        states = states[np.lexsort((states["start"], states["life"]))]
        result.intervals = states
        result.why = [found.texts[row] for row in states["reason"].tolist()]
        result.places = [one_line(found.frames(row)) for row in states["stack"].tolist()]
        result.wakers = [one_line(found.frames(row)) if row else "" for row in states["by_stack"].tolist()]
    return found.checked(result)


def _of(goroutine: int, keep: Keep) -> Keep:
    return lambda rows: keep(rows[rows["g"] == goroutine])


class _Sums:
    """Adds up chunks of GOROUTINE and GOTIME by group, of which it keeps no rows.

    The rows of GOTIME of a life are complete when its row of GOROUTINE is, and come in the chunks after it.

    Attributes
    ----------
    groups : Groups
        By the columns of ``_KEYS``.
    sums : ndarray of GOROUTINES
        Of each group, without names.
    reasons : Groups
        By group, ``kind``, ``start`` and ``name``.
    times : ndarray of int64, shape (n, 2)
        ``time`` and ``count`` of each of ``reasons``.
    """

    def __init__(self, by: str) -> None:
        self._columns = _KEYS[by]
        self.groups, self.reasons = Groups(), Groups()
        self.sums = np.zeros(0, GOROUTINES)
        self.times = np.zeros((0, 2), np.int64)
        self._lives = np.zeros((0, 3), np.int64)  # goroutine, life and group of lives whose times come next
        self._times_came = False
        self._early = np.empty(0, GOTIME)  # rows whose life has not come

    def add_lives(self, rows: Rows) -> Rows:
        """Add a chunk of GOROUTINE; return no rows."""
        if len(rows):
            numbers = self.groups.numbers(*(rows[name] for name in self._columns))
            self.sums = np.append(self.sums, np.zeros(len(self.groups.keys) - len(self.sums), GOROUTINES))
            np.add.at(self.sums["count"], numbers, 1)
            for name in SUMS:
                np.add.at(self.sums[name], numbers, rows[name])
            np.maximum.at(self.sums["sched_max"], numbers, rows["sched_max"])
            lives = np.stack((rows["g"], rows["life"], numbers), axis=1)
            self._lives = lives if self._times_came else np.concatenate((self._lives, lives))
            self._times_came = False
        return rows[:0]

    def add_times(self, rows: Rows) -> Rows:
        """Add a chunk of GOTIME; return no rows."""
        if len(rows):
            self._times_came = True
            rows = np.concatenate((self._early, rows))
            lives = np.stack((rows["g"], rows["life"]), axis=1)
            groups = find_rows(lives, self._lives[:, :2], self._lives[:, 2])
            self._early = rows[groups < 0]
            used = (groups >= 0) & (rows["count"] > 0)  # 0: in time, but not in its range
            self._count(rows[used], groups[used])
        return rows[:0]

    def _count(self, rows: Rows, groups: I8) -> None:
        if len(rows):
            numbers = self.reasons.numbers(groups, rows["kind"], rows["start"], rows["name"])
            new = np.zeros((len(self.reasons.keys) - len(self.times), 2), np.int64)
            self.times = np.concatenate((self.times, new))
            np.add.at(self.times, numbers, np.stack((rows["time"], rows["count"]), axis=1))


_KEYS = {"function": ("function",), "creator": ("stack", "function"), "goroutine": ("g", "life", "function")}
"""Columns of GOROUTINE that define a group; the last one is the function, by which groups are selected."""


def _namer(found: Gathered, by: str) -> Callable[[tuple[int, ...]], str]:
    """Return a function that turns the key of a group into its name."""

    def name(key: tuple[int, ...]) -> str:
        if by == "creator":
            return _created(found.frames(key[0]))
        function = found.texts[key[-1]] or NO_STACK
        if by == "function":
            return function
        return f"G{key[0]}{f' life {key[1]}' if key[1] else ''} {function}"

    return name


def _created(frames: tuple[Frame, ...]) -> str:
    return one_line(frames) if frames else "(created before the trace, or by the runtime)"


def _table(sums: _Sums, numbers: I8, names: list[str]) -> Rows:
    kept = numbers >= 0
    table = np.zeros(len(names), GOROUTINES)
    table["name"] = names
    for name in ("count", *SUMS):
        np.add.at(table[name], numbers[kept], sums.sums[name][kept])
    np.maximum.at(table["sched_max"], numbers[kept], sums.sums["sched_max"][kept])
    table = table[np.argsort(table["name"], kind="stable")]
    return table[np.lexsort((-table["count"], table["block"] - table["total"]))]


def _reasons(found: Gathered, sums: _Sums, numbers: I8, names: list[str]) -> Rows:
    """Return the rows of REASONS of some groups."""
    at, rows = merged(
        None if numbers[group] < 0 else (names[numbers[group]], kind, _reason(found, kind, start, name))
        for group, kind, start, name in sums.reasons.keys
    )
    table = np.zeros(len(rows), REASONS)
    for column, values in zip(("name", "kind", "reason"), zip(*rows, strict=True), strict=False):
        table[column] = values
    for i, column in enumerate(("time", "count")):
        np.add.at(table[column], at[at >= 0], sums.times[at >= 0, i])
    order = sorted(range(len(rows)), key=lambda i: (-int(table["time"][i]), rows[i]))
    return table[order]


def _reason(found: Gathered, kind: int, start: int, name: int) -> str:
    text = found.texts[name]
    return text or ("(no reason)" if kind == TimeKind.WAITING else _RANGES[start])
