"""Critical paths: what a goroutine's work waited for, from its end back to its start. Never here: output.

A path is in one goroutine at a time. Where that was woken by another one, the wait is replaced by what the other one
did until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace.analysis.gather import Gathered, Keep, Range, bounds
from gotrace.analysis.traces import analysis
from gotrace.dtypes import STATE, Rows, narrow, select
from gotrace.spec.enums import GoState
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import View, Viewed, cells
from gotrace.wire.structure import Frame

CAUSED = ("chan send", "chan receive", "select", "sync", "sync.(*Cond).Wait", "synctest", "")
"""Reasons of waits that end because of what the waker does; coroutines give none. Other waits are for the network, a
timer or the collector."""

PATH = np.dtype(
    [("start", "i8"), ("end", "i8"), ("g", "i8"), ("task", "i8"), ("hops", "i8"), ("name", "O")], align=True
)
"""A path: ns, the goroutine at its end, the task (-1 none), how often it changes to another goroutine, and the name of
the task or the region, or the function that the goroutine starts with."""

SEGMENT = np.dtype(
    [
        ("path", "i4"),  # index of its PATH
        ("start", "i8"),  # ns
        ("end", "i8"),
        ("g", "i8"),
        ("by_g", "i8"),  # goroutine that made it runnable; -1 none, or not in this path
        ("state", "u1"),  # GoState; 0 unknown
        ("stack", "i4"),  # row of stacks, of the event that starts the state
        ("function", "O"),  # str, where the goroutine starts
        ("reason", "O"),  # str, of a wait
    ],
    align=True,
)
"""A part of a path, in one state of one goroutine."""

_STATE = narrow(STATE, ["start", "end", "g", "by_g", "stack", "reason", "life", "state", "start_known"])


class Step(NamedTuple):
    """A segment of a path: ``row`` is that of its state, -1 unknown; ``by_g`` as in SEGMENT."""

    start: int
    end: int
    g: int
    by_g: int
    row: int


class Walk:
    """States of goroutines, in which paths are found.

    Parameters
    ----------
    states : ndarray
        Rows with the fields of STATE that are used here.
    lives : ndarray of GOROUTINE
    caused : ndarray of bool
        For each state: its reason is one of ``CAUSED``.

    Attributes
    ----------
    states : ndarray
        By goroutine and start; ``Step.row`` is an index of them.
    """

    def __init__(self, states: Rows, lives: Rows, caused: npt.NDArray[np.bool_]) -> None:
        order = np.lexsort((states["start"], states["g"]))
        self.states = states[order]
        self._start, self._end, self._by = (np.ascontiguousarray(self.states[n]) for n in ("start", "end", "by_g"))
        waits = self.states["state"] == GoState.WAITING
        self._waits, self._caused = waits, waits & caused[order]
        places = np.unique(self.states["g"], return_index=True, return_counts=True)
        self._rows = {g: slice(a, a + n) for g, a, n in zip(*(column.tolist() for column in places), strict=True)}
        creators = {(g, life): by for g, life, by in lives[["g", "life", "creator_g"]].tolist()}
        new = np.append(True, (self.states["g"][1:] != self.states["g"][:-1]) | (np.diff(self.states["life"]) != 0))
        new = np.flatnonzero(new[: len(order)] & (self.states["start_known"] > 0))
        names = zip(new.tolist(), self.states[new][["g", "life"]].tolist(), strict=True)
        self._creator: dict[int, int] = {row: creators.get(life, -1) for row, life in names}

    def _at(self, g: int, time: int) -> int:
        """Return the state of a goroutine that starts before a time and lasts to it; -1 if there is none."""
        rows = self._rows.get(g, slice(0, 0))
        row = rows.start + int(self._start[rows].searchsorted(time)) - 1
        return row if row >= rows.start and not 0 <= self._end[row] < time else -1

    def back(self, g: int, start: int, end: int) -> Iterator[Step]:
        """Yield the segments of the path of a goroutine, last first."""
        time, hopped = end, False
        while time > start:
            row = self._at(g, time)
            if row < 0:
                yield Step(start, time, g, -1, -1)
                return
            ends_now = self._end[row] == time
            if self._caused[row] and ends_now and not hopped and self._by[row] not in (-1, g):
                g, hopped = int(self._by[row]), True
                continue
            since = max(int(self._start[row]), start)
            creator = self._creator.get(row, -1) if since > start else -1
            woken = row > 0 and self._waits[row - 1] and self._end[row - 1] == since and self._at(g, since) == row - 1
            by = int(self._by[row - 1]) if woken else creator
            yield Step(since, time, g, by, row)
            time, hopped = since, False
            if creator >= 0:
                g, hopped = creator, True


@dataclass(repr=False)
class Critical(Viewed):
    """Critical paths.

    Attributes
    ----------
    kind : {"task", "region", "goroutine"}
        What the paths are of.
    paths : ndarray of PATH
        In order of their starts.
    table : ndarray of SEGMENT
        The segments of each path, in order of time. They follow each other without gaps, from its start to its end.
    stacks : dict of int to tuple of Frame
        Frames of each ``stack`` of the table, leaf first; 0 has none.
    known : list of str
        All names of tasks, or of regions, if they are selected by name.
    """

    kind: str
    paths: Rows
    table: Rows
    stacks: dict[int, tuple[Frame, ...]]
    known: list[str] = field(default_factory=list)

    @property
    def seen(self) -> bool:
        """True if there is a path."""
        return len(self.paths) > 0

    def view(self) -> View:
        """Return the segments, times in ns."""
        columns = ("path", "start", "end", "g", "function", "reason")
        total = int((self.paths["end"] - self.paths["start"]).sum())
        return View(
            f"{human_count(len(self.paths), 'path')}, {total:,} ns",
            columns,
            cells(self.table, columns),
            len(self.table),
        )


@analysis
def critical(
    trace: Trace,
    *,
    task: int | None = None,
    name: str | None = None,
    region: str | None = None,
    goroutine: int | None = None,
    time: Range = None,
    progress: Progress | None = None,
) -> Critical:
    """Return what a task, a region or a goroutine waited for.

    Two passes, and one over a stream, which holds all states of the trace.

    Parameters
    ----------
    trace : Trace
    task, name, region, goroutine : optional
        Exactly one: the id of a task, the name of tasks, the name of regions, or the id of a goroutine. The path of a
        task is that of the goroutine which ends it. What is open at the end of the trace ends there; a start that
        was not seen is that of the trace.
    time : tuple of times, optional
        The path of the goroutine between these two, as far as they are in the trace. Without it, that of its whole
        life. Integers are ns on the trace's clock, other times count from its start: ``("1.5s", 2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far in the first pass.

    Returns
    -------
    Critical

    Raises
    ------
    ValueError
        Not exactly one of the four is given.
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    if sum(what is not None for what in (task, name, region, goroutine)) != 1:
        raise ValueError("one of task, name, region and goroutine must be given")
    first_time, end_time = bounds(time)
    if time is not None and (first_time is None or end_time is None):
        raise ValueError(f"time={time!r}: both ends are needed")
    once = trace.reader.source.once
    tables: dict[str, Keep] = {"goroutines": np.copy}
    if region is not None:
        tables["region_times"] = np.copy
    elif goroutine is None:
        tables["task_times"] = np.copy
    if once:
        tables["states"] = lambda rows: select(rows, _STATE)
    part = None if end_time is None else (None, end_time + 1)  # with what ends at its end
    with trace.reader.peek():
        found = Gathered(trace, tables, progress=progress, time=part)
    window = None if first_time is None or end_time is None else (first_time, end_time)
    kind = "region" if region is not None else "goroutine" if goroutine is not None else "task"
    wanted = region if region is not None else name
    paths = _spans(found, kind, wanted, task, goroutine, window)
    first, last = paths["start"].min(initial=np.iinfo(np.int64).max), paths["end"].max(initial=0)

    def overlapping(rows: Rows) -> Rows:
        return select(rows[(rows["start"] < last) & ((rows["end"] < 0) | (rows["end"] >= first))], _STATE)

    states = found.rows["states"] if once else Gathered(trace, {"states": overlapping}, (), time=part).rows["states"]
    result = _critical(found, kind, paths, states)
    if wanted is not None:
        result.known = sorted(set(found.text(found.rows[f"{kind}_times"]["name"])))
    return found.checked(result)


def _spans(
    found: Gathered,
    kind: str,
    name: str | None,
    task: int | None,
    goroutine: int | None,
    time: tuple[int, int] | None,
) -> Rows:
    """Return the requested paths, without hops."""
    lives = found.rows["goroutines"]
    first, last = int(lives["created"].min()) if len(lives) else 0, found.end
    if kind == "goroutine":
        rows = lives[lives["g"] == goroutine]
        rows = rows[-1:] if time is not None else rows
        paths = np.zeros(len(rows), PATH)
        paths["g"], paths["task"], paths["name"] = rows["g"], -1, found.text(rows["function"])
        paths["start"], paths["end"] = (rows["created"], rows["ended"]) if time is None else time
    else:
        rows = found.rows[f"{kind}_times"]
        rows = rows[rows["task"] == task if name is None else found.where(rows["name"], name.__eq__)]
        paths = np.zeros(len(rows), PATH)
        for column in ("g", "start", "end", "task"):
            paths[column] = rows[column]
        if kind == "task":
            paths["g"] = np.where(rows["end_g"] < 0, rows["g"], rows["end_g"])
        paths["name"] = found.text(rows["name"])
    paths["start"][paths["start"] < 0] = first
    paths["end"][paths["end"] < 0] = last
    if time is not None:
        paths["start"], paths["end"] = np.maximum(paths["start"], first), np.minimum(paths["end"], last)
        paths = paths[paths["start"] < paths["end"]]
    return paths[np.lexsort((paths["end"], paths["start"]))]


def _critical(found: Gathered, kind: str, paths: Rows, states: Rows) -> Critical:
    walk = Walk(states, found.rows["goroutines"], found.where(states["reason"], CAUSED.__contains__))
    steps: list[tuple[int, Step]] = []
    for path, (start, end, g) in enumerate(paths[["start", "end", "g"]].tolist()):
        back = list(walk.back(g, start, end))
        paths["hops"][path] = sum(one.g != other.g for one, other in pairwise(back))
        steps += [(path, step) for step in reversed(back)]
    table = np.zeros(len(steps), SEGMENT)
    table["path"] = [path for path, _ in steps]
    for name in ("start", "end", "g", "by_g"):
        table[name] = [getattr(step, name) for _, step in steps]
    rows = np.array([step.row for _, step in steps], np.int64)
    known = rows >= 0
    of = walk.states[rows[known]]
    for name in ("state", "stack"):
        table[name][known] = of[name]
    waits = of["state"] == GoState.WAITING
    table["reason"] = ""
    table["reason"][known] = np.where(waits, found.text(of["reason"]), "")
    lives = found.rows["goroutines"]
    names = dict(zip(lives["g"].tolist(), found.text(lives["function"]).tolist(), strict=True))
    table["function"] = [names.get(g, "") for g in table["g"].tolist()]
    stacks = {stack: found.frames(stack) for stack in np.unique(table["stack"]).tolist()}
    return Critical(kind, paths, table, stacks)
