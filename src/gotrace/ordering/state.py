"""What the state machine knows, as flat arrays that last over the trace.

Being arrays, it can be printed, copied and compared. Tables grow here, never in the machine, and only when a row of
the trace needs one; rows that ended are used again. Never here: a rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import (
    ACTIVE_TASK,
    G_STATE,
    M_STATE,
    NAME,
    NOTE,
    OPEN_RANGE,
    OPEN_REGION,
    P_STATE,
    PLACE,
    SCHED,
    Key,
)
from gotrace.spec.enums import GCPhase, GoStatus
from gotrace.spec.limits import MAX_STRING

if TYPE_CHECKING:
    from gotrace.ordering.machine import Machine

_FIRST = 64  # rows
_LINKS = {"gs": ("free_g", "regions"), "tasks": ("free_task", "next"), "ranges": ("free_range", "next"),
          "regions": ("free_region", "next")}  # fmt: skip


def rows(n: int, dtype: np.dtype[np.void]) -> Any:
    """Return n rows of zeros whose fields are attributes, so that the uncompiled machine can read them as C does."""
    return np.zeros(n, dtype).view(np.recarray)


class SchedState:
    """Goroutines, procs, threads, open ranges and regions, active tasks, names; one row SCHED of the rest.

    Row 0 of each table stands for none. ``places`` is a hash table of the keys of all of them.
    """

    def __init__(self) -> None:
        self.sched = rows(1, SCHED)
        self.names = rows(_FIRST, NAME)
        self.letters: npt.NDArray[np.uint8] = np.zeros(4 * MAX_STRING, np.uint8)
        self.places = rows(16 * _FIRST, PLACE)
        self.odd = rows(_FIRST, NOTE)
        self.sched[0].n_names = 1
        self._begin()

    def _begin(self) -> None:
        self.gs = rows(0, G_STATE)
        self.ps = rows(_FIRST, P_STATE)
        self.ms = rows(_FIRST, M_STATE)
        self.ranges = rows(0, OPEN_RANGE)
        self.regions = rows(0, OPEN_REGION)
        self.tasks = rows(0, ACTIVE_TASK)
        self.ms[0].id = self.ms[0].g = self.ms[0].p = -1
        sched = self.sched[0]
        sched.n_ps = sched.n_ms = 1
        sched.free_g = sched.free_task = sched.free_range = sched.free_region = 0
        sched.started, sched.gc, sched.gc_seq = 0, GCPhase.UNDETERMINED, 0
        self._make_room(1)

    def forget(self, machine: Machine) -> None:
        """Know no more of the scheduler than at the start of a trace; names and the time stay."""
        self._begin()
        self._enter_all(machine, len(self.places))
        machine.bind(self)

    def grow(self, machine: Machine, need: int) -> None:
        """Make room for ``need`` threads, and for what one event may add to any other table."""
        self._make_room(need)
        sched = self.sched[0]
        keys = int(sched.n_places) + need + 4
        if keys * 3 >= len(self.places) * 2:
            self._enter_all(machine, 1 << (2 * keys).bit_length())
        machine.bind(self)

    def _enter_all(self, machine: Machine, n_places: int) -> None:
        self.places = rows(n_places, PLACE)
        self.sched[0].n_places = 0
        machine.bind(self)
        for kind, ids, used in self._keys():
            machine.enter_all(kind, np.ascontiguousarray(ids), np.ascontiguousarray(used, np.int32))

    def _make_room(self, need: int) -> None:
        sched = self.sched[0]
        for name, count, more in (("ps", "n_ps", 1), ("ms", "n_ms", need), ("names", "n_names", 1)):
            table = getattr(self, name)
            if sched[count] + more > len(table):
                setattr(self, name, _longer(table, int(sched[count]) + more))
        if sched.n_letters + MAX_STRING > len(self.letters):
            self.letters = np.concatenate((self.letters, np.zeros_like(self.letters)))
        for name, (head, link) in _LINKS.items():
            if sched[head] == 0:
                table = getattr(self, name)
                first = max(len(table), 1)
                longer = _longer(table, first + 1)
                longer[link][first:-1] = np.arange(first + 1, len(longer))
                sched[head] = first
                if name == "gs":
                    longer.status[first:] = GoStatus.FREE
                setattr(self, name, longer)

    def _keys(self) -> list[tuple[Key, Any, Any]]:
        sched = self.sched[0]
        gs = np.flatnonzero(self.gs.status != GoStatus.FREE)[1:]
        free = np.zeros(len(self.tasks), bool)
        at = int(sched.free_task)
        while at:
            free[at] = True
            at = int(self.tasks[at].next)
        tasks = np.flatnonzero(~free)[1:]
        ps, ms, names = (np.arange(1, int(n)) for n in (sched.n_ps, sched.n_ms, sched.n_names))
        return [
            (Key.G, self.gs.id[gs], gs),
            (Key.P, self.ps.id[ps], ps),
            (Key.M, self.ms.id[ms], ms),
            (Key.TASK, self.tasks.id[tasks], tasks),
            (Key.NAME, self.names.key[names], names),
        ]

    def string_rows(self, names: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Rows of strings: those below 0 are names, each of which has the row where it was first seen."""
        found: npt.NDArray[np.int32] = np.where(names < 0, self.names.row[np.where(names < 0, -1 - names, 0)], names)
        return found

    def name(self, number: int) -> bytes:
        """Bytes of a name."""
        at, size = int(self.names[number].at), int(self.names[number].length)
        return self.letters[at : at + size].tobytes()


def _longer(table: Any, least: int) -> Any:
    longer = rows(max(2 * len(table), least, _FIRST), table.dtype)
    longer[: len(table)] = table
    return longer
