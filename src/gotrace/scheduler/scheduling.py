"""The scheduling tables: rows of ORDERED come in through kernels ``_lives`` and ``_procs``, rows of the tables go out.

The tables that the kernels fill are here; they grow when the kernels need it. Never here: the order of events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gotrace._hashmap import HashMap
from gotrace.dtypes import (
    CYCLE,
    GOROUTINE,
    GOTIME,
    I4,
    PAUSE,
    PROC,
    REGIONTIME,
    STATE,
    TASKTIME,
    THREAD,
    U8,
    Rows,
    opaque,
    select,
)
from gotrace.errors import Status
from gotrace.hashing import new_map, rehashed
from gotrace.order.driver import Order
from gotrace.scheduler._lives import Lives
from gotrace.scheduler._names import Names
from gotrace.scheduler._past import Past
from gotrace.scheduler._procs import Procs
from gotrace.scheduler._regions import Regions
from gotrace.scheduler._tasks import Tasks
from gotrace.scheduler.rows import (
    LIFE,
    MEMBER,
    NAME_ROLES,
    NAMED,
    OPEN_PAUSE,
    OPEN_TASK,
    PROC_USE,
    SUM,
    THREAD_USE,
    WORK,
    NameRole,
)
from gotrace.wire.segments import Segment

_FIRST = 64  # rows of a new table, and half the places of a new map
_MORE = 4  # rows or keys that one row of ORDERED adds at most
_ROOM = 8192  # rows of output
_OUT = {
    "states": STATE,
    "goroutines": GOROUTINE,
    "goroutine_times": GOTIME,
    "region_times": REGIONTIME,
    "task_times": TASKTIME,
    "pauses": PAUSE,
    "cycles": CYCLE,
}


class Scheduling:
    """The scheduling tables of one pass.

    Attributes
    ----------
    ready : dict of str to list of ndarray
        Rows of each table that were not taken yet. Rows of tables that have no entry are dropped.

    Parameters
    ----------
    order : Order
    since : int, optional
        ns. Times count from then on, and rows that are complete before are dropped.
    """

    def __init__(self, order: Order, since: int | None = None) -> None:
        self.ready: dict[str, list[Rows]] = {}
        self._order = order
        self._since = since
        self._breaks = 0
        self._ended = False
        self._names, self._past = Names(order.machine), Past()
        self._procs, self._regions, self._tasks = Procs(), Regions(self._names), Tasks()
        self._lives = Lives(self._names, self._past, self._procs, self._regions, self._tasks)
        self._named: Rows = np.zeros(_FIRST, NAMED)
        self._past_words: U8 = np.zeros(_FIRST, np.uint64)
        self._past_maps = _new_maps()
        self._proc_rows: list[Rows] = [np.zeros(_FIRST, PROC_USE), np.zeros(_FIRST, THREAD_USE)]
        self._proc_maps = _new_maps()
        for rows in self._proc_rows:
            rows["id"][0] = -1
        self._out = {name: np.zeros(_ROOM, dtype) for name, dtype in _OUT.items()}
        self._fill()
        self._empty()

    # --- the tables of the kernels ------------------------------------------------------------------------------

    def _empty(self) -> None:
        """Use empty tables for what is live."""
        self._life_rows: list[Rows] = [np.zeros(_FIRST, dtype) for dtype in (LIFE, SUM)]
        self._region_rows: Rows = np.zeros(_FIRST, WORK)
        self._task_rows: list[Rows] = [np.zeros(_FIRST, dtype) for dtype in (OPEN_TASK, MEMBER)]
        self._life_maps, self._task_maps = _new_maps(), _new_maps()
        self._pauses: Rows = np.zeros(_FIRST, OPEN_PAUSE)
        self._members: I4 = np.zeros(_FIRST, np.int32)
        self._bind()

    def _bind(self) -> None:
        self._names.bind(self._named)
        self._past.bind(self._past_words, *self._past_maps)
        self._lives.bind(*self._life_rows)
        self._lives.bind_maps(*self._life_maps)
        self._regions.bind(self._region_rows)
        self._tasks.bind(*self._task_rows)
        self._tasks.bind_members(self._members)
        self._tasks.bind_maps(*self._task_maps)
        self._procs.bind(*self._proc_rows)
        self._procs.bind_pauses(self._pauses)
        self._procs.bind_maps(*self._proc_maps)

    def _grow(self) -> None:
        """Enlarge the tables and maps that may lack room for the next row."""
        words, again = self._past.used()
        procs, threads, pauses = self._procs.rows_used()
        self._past_words, self._pauses = _longer(self._past_words, words), _longer(self._pauses, pauses)
        self._life_rows = _all_longer(self._life_rows, self._lives.rows_used())
        self._region_rows = _longer(self._region_rows, self._regions.rows_used())
        self._task_rows = _all_longer(self._task_rows, self._tasks.rows_used())
        self._proc_rows = _all_longer(self._proc_rows, (procs, threads))
        self._members = _longer(self._members, len(self._life_rows[0]) - _MORE)
        self._past_maps = _all_larger(self._past_maps, (words, again))
        self._life_maps = _all_larger(self._life_maps, self._lives.keys_used())
        self._task_maps = _all_larger(self._task_maps, self._tasks.keys_used())
        self._proc_maps = _all_larger(self._proc_maps, (procs, threads))
        self._bind()

    def _enter_name(self) -> None:
        """Enter the name at which the kernel stopped, or make room for it in the machine's state."""
        name, row = self._names.number, self._names.row
        if not name:
            self._order.grow()
            return
        if name >= len(self._named):
            self._named = _longer(self._named, name)
            self._bind()
        text = self._order.state.name(name).decode("utf-8", "replace")
        system = text.startswith("runtime.") and text != "runtime.main"
        self._named[name] = row, NAME_ROLES.get(text, NameRole.SYSTEM if system else NameRole.NONE)
        self._order.state.aliases[row] = name

    def _fill(self) -> None:
        states, goroutines, times, regions, tasks, pauses, cycles = self._out.values()
        self._lives.fill(states, goroutines, times)
        self._regions.fill(regions)
        self._tasks.fill(tasks)
        self._procs.fill(pauses, cycles)

    def _flush(self) -> None:
        """Take what the kernels wrote; enlarge the output if a row needs more."""
        filled = (*self._lives.filled(), self._regions.filled, self._tasks.filled, *self._procs.filled())
        for (name, out), n in zip(self._out.items(), filled, strict=True):
            if n and name in self.ready and self._since is None:
                self.ready[name].append(opaque(out[:n]).copy().view(out.dtype))
        if self._lives.need > len(self._out["goroutine_times"]):
            self._out = {name: np.zeros(2 * self._lives.need, out.dtype) for name, out in self._out.items()}
            self._fill()
        else:
            for kernel in (self._lives, self._regions, self._tasks, self._procs):
                kernel.empty()

    # --- rows --------------------------------------------------------------------------------------------------

    def begin(self, segment: Segment) -> None:
        """Start the next segment, before its rows."""
        if segment.torn:
            self._gap()
        tables = segment.tables
        self._names.open(tables.stacks, tables.frames, tables.functions)

    def take(self, rows: Rows) -> None:
        """Take rows of ORDERED."""
        if self._order.breaks != self._breaks:
            self._breaks = self._order.breaks
            self._gap()
        if self._since is not None:
            n = int(np.searchsorted(rows["time"], self._since))
            self._follow(rows[:n])
            if n == len(rows):
                return
            self._restart(self._since)
            rows = rows[n:]
        self._follow(rows)

    def _follow(self, rows: Rows) -> None:
        for _ in self._steps(lambda at: self._lives.follow(rows, at)):
            pass

    def _restart(self, time: int) -> None:
        self._flush()
        self._lives.restart(time)
        self._since = None

    def _steps(self, step: Callable[[int], int]) -> Iterator[None]:
        """Call ``step`` with the place where it stopped until it is done; yield whenever rows are ready."""
        at, status = 0, Status.FULL
        while status != Status.OK:
            status = Status(step(at))
            at = self._lives.at
            if status == Status.GROW_STATE:
                self._grow()
            elif status == Status.NEW_NAME:
                self._enter_name()
            else:
                self._flush()
                yield

    def _end_lives(self, time: int, *, gap: bool) -> Iterator[None]:
        """Put out everything that is live, with its times up to ``time``."""
        lives, tasks = self._life_rows[0], self._task_rows[0]
        live = np.flatnonzero(lives["state"]).astype(np.int32)
        by_start = live[np.lexsort((lives["id"][live], lives["since"][live]))]
        by_id = live[np.argsort(lives["id"][live])]
        active = np.flatnonzero(tasks["used"]).astype(np.int32)
        active = active[np.argsort(tasks["id"][active])]
        yield from self._steps(lambda at: self._lives.put_open(by_start, at, time if gap else -1))
        yield from self._steps(lambda at: self._lives.end_lives(by_id, at, time))
        at = 0
        while at < len(active):
            at = self._tasks.end(active, at)
            self._flush()
            yield
        self._procs.end(time)
        self._flush()

    def _gap(self) -> None:
        """End all intervals: after a gap in a salvaged trace, nothing is known of what was live."""
        for _ in self._end_lives(self._lives.last, gap=True):
            pass
        self._procs.forget(self._lives.last)
        for kernel in (self._lives, self._regions, self._tasks):
            kernel.forget()
        self._empty()

    def end(self, time: int | None = None) -> Iterator[None]:
        """Put out everything that is live at a time, by default that of the last row; yield whenever rows are ready."""
        if self._ended:
            return
        self._ended = True
        last = self._lives.last if time is None else time
        if self._since is not None:
            self._restart(last)
        yield from self._end_lives(last, gap=False)
        procs, threads, _ = self._procs.rows_used()
        for name, table in (
            ("procs", select(self._proc_rows[0][1:procs], PROC)),
            ("threads", self._threads(self._proc_rows[1][1:threads], last)),
        ):
            if name in self.ready and len(table):
                self.ready[name].append(table[np.argsort(table["id"])])
        yield

    def _threads(self, used: Rows, last: int) -> Rows:
        table = np.zeros(len(used), THREAD)
        for name in ("id", "running", "syscall", "gc", "starts", "steals"):
            table[name] = used[name]
        seen = used["known"].astype(np.int64) + np.where(used["since"] < 0, 0, last - used["since"])
        table["idle"] = np.maximum(seen - table["running"] - table["syscall"], 0)
        return table


def _longer(rows: np.ndarray[tuple[int], np.dtype[Any]], used: int) -> Any:
    """Return the rows, with unused ones after them if nearly all are used."""
    if used + _MORE <= len(rows):
        return rows
    longer = np.zeros(2 * len(rows) + used, rows.dtype)
    longer[: len(rows)] = rows
    return longer


def _all_longer(tables: list[Rows], used: Sequence[int]) -> list[Rows]:
    return [_longer(rows, n) for rows, n in zip(tables, used, strict=True)]


def _new_maps() -> list[HashMap]:
    return [new_map(2 * _FIRST), new_map(2 * _FIRST)]


def _all_larger(maps: list[HashMap], keys: Sequence[int]) -> list[HashMap]:
    """Return the maps, or larger ones where nearly half of the places are used."""
    return [rehashed(old) if 2 * (n + _MORE) > old.places else old for old, n in zip(maps, keys, strict=True)]
