"""What the state machine knows, as flat arrays that last over the trace.

Being arrays, it can be printed, copied and compared. Tables grow here, never in the machine, and only when a row of
the trace needs one; rows that ended are used again. Never here: a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.order import _lookahead
from gotrace.order.rows import (
    ACTIVE_TASK,
    G_STATE,
    ID_SLOT,
    M_STATE,
    NAME,
    NOTE,
    OPEN_RANGE,
    OPEN_REGION,
    P_STATE,
    SCHED,
    Key,
)
from gotrace.spec.enums import GCPhase, GoStatus
from gotrace.spec.limits import MAX_STRING

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
        self.name_bytes: npt.NDArray[np.uint8] = np.zeros(4 * MAX_STRING, np.uint8)
        self.id_table = rows(16 * _FIRST, ID_SLOT)
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

    def forget(self) -> None:
        """Know no more of the scheduler than at the start of a trace; names and the time stay."""
        self._begin()

    def make_room(self, need: int) -> bool:
        """Make room for ``need`` threads, and for what one event may add to any other table.

        Returns True if the hash table is too small for that.
        """
        self._make_room(need)
        return self._keys_with(need) * 3 >= len(self.id_table) * 2

    def _keys_with(self, need: int) -> int:
        return int(self.sched[0].n_ids) + need + 4

    def empty_id_table(self, need: int = 0) -> None:
        """Replace the hash table by an empty one, large enough for ``need`` more threads."""
        n = len(self.id_table)
        if need:
            n = max(n, 1 << (2 * self._keys_with(need)).bit_length())
        self.id_table = rows(n, ID_SLOT)
        self.sched[0].n_ids = 0

    def _make_room(self, need: int) -> None:
        sched = self.sched[0]
        for name, count, more in (("ps", "n_ps", 1), ("ms", "n_ms", need), ("names", "n_names", 1)):
            table = getattr(self, name)
            if sched[count] + more > len(table):
                setattr(self, name, _longer(table, int(sched[count]) + more))
        if sched.n_name_bytes + MAX_STRING > len(self.name_bytes):
            self.name_bytes = np.concatenate((self.name_bytes, np.zeros_like(self.name_bytes)))
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

    def keys(self) -> list[tuple[Key, Any, Any]]:
        """Keys of all tables by kind, with the rows that they have."""
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
        return self.name_bytes[at : at + size].tobytes()


def _longer(table: Any, least: int) -> Any:
    longer = rows(max(2 * len(table), least, _FIRST), table.dtype)
    longer[: len(table)] = table
    return longer


@dataclass(eq=False, repr=False)
class SlabInput:
    """What the machine reads of a slab; arrays are in the order of its generations."""

    pool: Any
    ahead: _lookahead.NamePrefetcher | None
    cursors: Any
    events: Any  # decoded ones, see ``Machine.place``
    base: int
    faults: Any
    data: npt.NDArray[np.uint8]
    spec: Any
    blanks: Any  # ORDERED: a row of each type that says nothing yet
    numbers: npt.NDArray[np.int64]
    factors: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]  # ns
    first_cursor: npt.NDArray[np.int32]
    samples: Any
    first_sample: npt.NDArray[np.int32]
    rows_of: npt.NDArray[np.int32]  # row of M_STATE by run
    front: Any  # FRONTIER: the frontier; behind as many rows as there are runs, the samples
    string_at: npt.NDArray[np.int64]
    string_bits: npt.NDArray[np.int64]
    string_keys: npt.NDArray[np.int64]
    string_vals: npt.NDArray[np.int32]
    string_rows: Any
    string_base: int  # row of the trace's strings that the slab's first one has
    name_of_row: npt.NDArray[np.int32]  # number of the name by row of strings; 0 not known yet
    stack_at: npt.NDArray[np.int64]
    stack_bits: npt.NDArray[np.int64]
    stack_keys: npt.NDArray[np.int64]
    stack_vals: npt.NDArray[np.int32]
    stack_base: int
