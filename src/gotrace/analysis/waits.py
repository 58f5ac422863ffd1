"""How long goroutines wait: for a P, for each other, for the network, in system calls. Never here: output."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gotrace.analysis.gather import Gathered, Keep, Range, starts_in
from gotrace.analysis.latency import Distributions
from gotrace.analysis.profiles import KINDS
from gotrace.analysis.texts import NO_STACK, Groups, find_rows, merged, one_line, start_function
from gotrace.analysis.traces import analysis
from gotrace.dtypes import I8, STATE, Rows
from gotrace.errors import check_choice
from gotrace.spec.enums import GoState
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import View, Viewed, cells
from gotrace.wire.structure import Frame

WAITS = np.dtype(
    [
        ("name", "O"),  # str
        ("count", "i8"),
        ("total", "i8"),  # ns, and so are the next five
        ("p50", "i8"),
        ("p90", "i8"),
        ("p99", "i8"),
        ("p999", "i8"),
        ("max", "i8"),
        ("lost", "i8"),  # system calls in which the goroutine lost its P
    ],
    align=True,
)
"""A row for each group: number of waits, their total and percentiles."""

_RAW_CALLS = ("Syscall", "Syscall6", "RawSyscall", "RawSyscall6", "rawSyscallNoError", "rawVforkSyscall", "syscall")


@dataclass(repr=False)
class Waits(Viewed):
    """Waits by group.

    Attributes
    ----------
    kind : {"sched", "block", "net", "syscall"}
    by : str
    table : ndarray of WAITS
        Most ``total`` first.
    stacks : list of tuple of Frame
        By stack, the frames of each row of ``table``, leaf first; else empty.
    histogram : tuple of ndarray of int64
        Lower edges in ns, and counts, of all waits: 64 buckets in each octave.
    open, unknown : int
        Waits that are left out: those that are open at the end of the trace or at a gap in a salvaged one, and those
        whose start was not seen.
    seen : bool
        True if the trace has goroutines.
    """

    kind: str
    by: str
    table: Rows = field(default_factory=lambda: np.empty(0, WAITS))
    stacks: list[tuple[Frame, ...]] = field(default_factory=list)
    histogram: tuple[I8, I8] = field(default_factory=lambda: (np.empty(0, np.int64), np.empty(0, np.int64)))
    open: int = 0
    unknown: int = 0
    seen: bool = False

    def view(self) -> View:
        """Return waits by group, in ns."""
        columns = ("name", "count", "total", "p50", "p99", "max")
        n = int(self.table["count"].sum())
        return View(
            f"{human_count(n, 'wait')} ({self.kind}) by {self.by}", columns, cells(self.table, columns), len(self.table)
        )


@analysis
def sched(
    trace: Trace,
    *,
    by: Literal["function", "proc", "reason"] = "function",
    time: Range = None,
    progress: Progress | None = None,
) -> Waits:
    """Return how long runnable goroutines wait for a P.

    Parameters
    ----------
    trace : Trace
    by : {"function", "proc", "reason"}
        Group by the function that the goroutine starts with, by the proc that it gets, or by the reason for which it
        was stopped.
    time : tuple of times or None, optional
        Only waits that start in this range; the end is not included. Integers are ns on the trace's clock, other times
        count from its start: ``("1.5s", 2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Waits

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    return _waits(trace, "sched", by, ("function", "proc", "reason"), time, progress)


@analysis
def block(
    trace: Trace,
    *,
    by: Literal["stack", "function", "reason", "waker"] = "stack",
    time: Range = None,
    progress: Progress | None = None,
) -> Waits:
    """Return how long goroutines wait for anything but a P.

    Parameters
    ----------
    trace : Trace
    by : {"stack", "function", "reason", "waker"}
        Group by the call stack of the wait, by the function that the goroutine starts with, by the reason, or by which
        function ends the wait of which function.
    time, progress
        As for :func:`gotrace.sched`.

    Returns
    -------
    Waits
    """
    return _waits(trace, "block", by, ("stack", "function", "reason", "waker"), time, progress)


@analysis
def net(trace: Trace, *, time: Range = None, progress: Progress | None = None) -> Waits:
    """Return how long goroutines wait for the network, by call stack. See :func:`gotrace.block`."""
    return _waits(trace, "net", "stack", ("stack",), time, progress)


@analysis
def syscalls(
    trace: Trace,
    *,
    by: Literal["call", "stack", "function"] = "call",
    time: Range = None,
    progress: Progress | None = None,
) -> Waits:
    """Return how long system calls take.

    Parameters
    ----------
    trace : Trace
    by : {"call", "stack", "function"}
        Group by the Go function that makes the call, by call stack, or by the function that the goroutine starts with.
    time, progress
        As for :func:`gotrace.sched`.

    Returns
    -------
    Waits
        Column ``lost`` counts the calls in which the goroutine lost its P.
    """
    return _waits(trace, "syscall", by, ("call", "stack", "function"), time, progress)


def _waits(trace: Trace, kind: str, by: str, choices: tuple[str, ...], time: Range, progress: Progress | None) -> Waits:
    check_choice("by", by, choices)
    collected = _Collected(kind, by, time)
    tables: dict[str, Keep] = {"states": collected.add}
    if by == "function":
        tables["goroutines"] = collected.end_lives
    found = Gathered(trace, tables, progress=progress)
    result = collected.result(found)
    return found.checked(result)


_ENDED = 1 << 14  # ended lives whose groups are merged at a time, at least


class _Collected:
    """Adds up the waits of chunks of STATE, of which it keeps no rows.

    By function, a group is a goroutine (reason, id, life) until its row of GOROUTINE comes, after all rows of STATE of
    its life; from time to time, groups of ended lives become those of their functions (reason, row of strings, -1).
    """

    def __init__(self, kind: str, by: str, time: Range) -> None:
        self._kind = kind
        self._by = by
        self._time = time
        self._state = KINDS[kind].state
        self._groups = Groups()
        self._found = Distributions()
        self._lost: I8 = np.zeros(0, np.int64)
        self._open: I8 = np.zeros(0, np.int64)
        self._unknown: I8 = np.zeros(0, np.int64)
        self._unmatched: Rows = np.empty(0, STATE)  # RUNNABLE intervals, before the RUNNING one is known
        self._seen = False
        self._ended: list[I8] = []  # goroutine, life and function, by row, of lives that are not merged
        self._n_ended = 0

    def end_lives(self, rows: Rows) -> Rows:
        """Take a chunk of GOROUTINE; return no rows."""
        self._ended.append(np.stack([rows[name].astype(np.int64) for name in ("g", "life", "function")], axis=1))
        self._n_ended += len(rows)
        if self._n_ended > max(_ENDED, len(self._groups.keys) // 2):
            self._merge_lives()
        return rows[:0]

    def _merge_lives(self) -> None:
        """Merge the groups of ended lives by function."""
        if not self._groups.keys:
            return
        keys = np.array(self._groups.keys, np.int64).reshape(-1, 3)
        ended = np.concatenate(self._ended)
        function = find_rows(keys[:, 1:], ended[:, :2], ended[:, 2])
        of_ended = function >= 0
        keys[of_ended, 1], keys[of_ended, 2] = function[of_ended], -1
        self._groups = Groups()
        numbers = self._groups.numbers(*keys.T)
        self._found = self._found.regrouped(numbers)
        n = len(self._groups.keys)
        for name in ("_lost", "_open", "_unknown"):
            counts, merged_counts = getattr(self, name), np.zeros(n, np.int64)
            np.add.at(merged_counts, numbers[: len(counts)], counts)
            setattr(self, name, merged_counts)
        self._ended, self._n_ended = [], 0

    def add(self, rows: Rows) -> Rows:
        """Add a chunk; return no rows."""
        self._seen |= len(rows) > 0
        procs = None
        if self._by == "proc":
            rows, procs = self._with_procs(rows)
        picked = (rows["state"] == self._state) & starts_in(rows["start"], self._time)
        rows = rows[picked]
        if len(rows):
            self._count(rows, None if procs is None else procs[picked])
        return rows[:0]

    def _count(self, rows: Rows, procs: I8 | None) -> None:
        groups = self._groups.numbers(*self._keys(rows, procs))
        is_open, known = rows["next_state"] == GoState.UNDETERMINED, rows["start_known"] == 1
        used = ~is_open & known
        self._found.add(groups[used], rows["end"][used] - rows["start"][used])
        n = len(self._groups.keys)
        self._lost = _added(self._lost, groups[used & (rows["p_lost"] >= 0)], n)
        self._open = _added(self._open, groups[is_open], n)
        self._unknown = _added(self._unknown, groups[~is_open & ~known], n)

    def _keys(self, rows: Rows, procs: I8 | None) -> tuple[I8, ...]:
        reason = rows["reason"]
        if procs is not None:
            return reason, procs
        columns = {"function": ("g", "life"), "reason": (), "waker": ("by_stack", "stack")}.get(self._by, ("stack",))
        return reason, *(rows[name] for name in columns)

    def _with_procs(self, rows: Rows) -> tuple[Rows, I8]:
        """Return RUNNABLE intervals and the procs on which their goroutines run next, as far as these are known."""
        rows = np.concatenate((self._unmatched, rows[np.isin(rows["state"], (GoState.RUNNABLE, GoState.RUNNING))]))
        rows = rows[np.argsort(rows["g"], kind="stable")]
        waits = rows["state"] == GoState.RUNNABLE
        follows = np.append(rows["g"][1:] == rows["g"][:-1], False)[: len(rows)]
        follows[:-1] &= rows["start"][1:] == rows["end"][:-1]
        pending = waits & ~follows & (rows["end"] >= 0)
        self._unmatched = rows[pending & (rows["next_state"] == GoState.RUNNING)]
        done = waits & ~(pending & (rows["next_state"] == GoState.RUNNING))
        procs = np.where(follows, np.append(rows["p"][1:], -1), -1)[: len(rows)].astype(np.int64)
        return rows[done], procs[done]

    def result(self, found: Gathered) -> Waits:
        """Return the waits by name."""
        if len(self._unmatched):  # the RUNNING interval is after the end, or after a fault
            rest, self._unmatched = self._unmatched, self._unmatched[:0]
            self._count(rest, np.full(len(rest), -1, np.int64))
        if self._ended:
            self._merge_lives()
        matches = KINDS[self._kind].reason
        name = self._namer(found)
        texts = found.texts
        numbers, names = merged(
            None if matches is not None and not matches(texts[key[0]]) else name(key) for key in self._groups.keys
        )
        merges = self._found.regrouped(numbers)
        result = Waits(self._kind, self._by, seen=self._seen)
        n = len(merges)
        table = np.zeros(len(names), WAITS)
        table["count"][:n], table["total"][:n], table["max"][:n] = merges.count, merges.sum, merges.max
        for column, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)):
            table[column][:n] = merges.percentile(q)
        kept = numbers >= 0
        np.add.at(table["lost"], numbers[kept], _padded(self._lost, len(numbers))[kept])
        result.open, result.unknown = (int(_padded(c, len(numbers))[kept].sum()) for c in (self._open, self._unknown))
        order = np.lexsort((-table["count"], -table["total"]))
        order = order[table["count"][order] > 0]
        shown = [names[i] for i in order.tolist()]
        result.table = table[order]
        result.table["name"] = [text if isinstance(text, str) else one_line(text) for text in shown]
        if self._by == "stack":
            result.stacks = [frames for frames in shown if isinstance(frames, tuple)]
        if len(merges):
            result.histogram = merges.regrouped(np.zeros(len(merges), np.int64)).histogram(0)
        return result

    def _namer(self, found: Gathered) -> Callable[[tuple[int, ...]], Hashable]:
        """Return a function that turns a key of a group into its name, or into frames that name it."""
        texts = found.texts
        if self._by == "function":
            return lambda key: texts[key[1] if key[2] < 0 else 0] or NO_STACK
        if self._by == "reason":
            return lambda key: texts[key[0]] or "(created or woken)"
        if self._by == "proc":
            return lambda key: f"P{key[1]}" if key[1] >= 0 else "(unknown)"
        if self._by == "call":
            return lambda key: _call(found.frames(key[1]))
        if self._by == "waker":
            return lambda key: _wake(found.frames(key[1]), found.frames(key[2]), texts[key[0]])
        return lambda key: found.frames(key[1])


def _call(frames: tuple[Frame, ...]) -> str:
    """Return the function that makes a system call, such as ``syscall.read``."""
    for frame in frames:
        if frame.function.rpartition(".")[2] not in _RAW_CALLS:
            return frame.function
    return frames[0].function if frames else NO_STACK


def _wake(waker: tuple[Frame, ...], waiter: tuple[Frame, ...], reason: str) -> str:
    by, of = (
        f"{start_function(frames)} at {one_line(frames[:-1] or frames)}" if frames else "(unknown)"
        for frames in (waker, waiter)
    )
    return f"{by if waker else '(timer, network or runtime)'} -> {of}: {reason}"


def _added(sums: I8, groups: I8, n: int) -> I8:
    sums = _padded(sums, n)
    np.add.at(sums, groups, 1)
    return sums


def _padded(sums: I8, n: int) -> I8:
    return np.append(sums, np.zeros(n - len(sums), np.int64))
