"""The state of the order as flat arrays that last over the trace, and the machine's input of one slab.

Arrays can be printed, copied and compared. Tables grow here, not in the machine, and only when the trace needs a row;
released rows are reused. Never here: a rule of the order.
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
    """Return n zeroed rows whose fields are attributes, as the uncompiled machine needs them."""
    return np.zeros(n, dtype).view(np.recarray)


class SchedState:
    """Goroutines, procs, threads, open ranges and regions, active tasks and names; one row SCHED for the rest.

    Row 0 of each table means none. ``id_table`` is one hash table of the keys of all tables.

    Attributes
    ----------
    aliases : dict of int to int
        Numbers of names by rows of strings that tables refer to, apart from those in ``names``.
    """

    def __init__(self) -> None:
        self.aliases: dict[int, int] = {}
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
        """Reset to the state at the start of a trace, except for names and the last time."""
        self._begin()

    def make_room(self, need: int) -> bool:
        """Make room for ``need`` threads, and for one more row of any other table.

        Returns True if the hash table is too small for these.
        """
        self._make_room(need)
        return self._keys_with(need) * 3 >= len(self.id_table) * 2

    def _keys_with(self, need: int) -> int:
        return int(self.sched[0].n_ids) + need + 4

    def empty_id_table(self, need: int = 0) -> None:
        """Replace the hash table by an empty one, with room for ``need`` more threads."""
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

    def used_keys(self) -> list[tuple[Key, Any, Any]]:
        """Return the kind, keys and rows of each table."""
        sched = self.sched[0]
        gs = np.flatnonzero(self.gs.status != GoStatus.FREE)[1:]
        free = np.zeros(len(self.tasks), bool)
        at, following = int(sched.free_task), self.tasks.next.tolist()
        while at:
            free[at] = True
            at = following[at]
        tasks = np.flatnonzero(~free)[1:]
        ps, ms = (np.arange(1, int(n)) for n in (sched.n_ps, sched.n_ms))
        return [
            (Key.G, self.gs.id[gs], gs),
            (Key.P, self.ps.id[ps], ps),
            (Key.M, self.ms.id[ms], ms),
            (Key.TASK, self.tasks.id[tasks], tasks),
            self.used_names(),
        ]

    def used_names(self) -> tuple[Key, Any, Any]:
        """Return the kind, keys and rows of names, which are all that is left after ``forget``."""
        rows_of = np.arange(1, int(self.sched[0].n_names))
        return Key.NAME, self.names.key[rows_of], rows_of

    def string_rows(self, names: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Replace rows below 0, which are names, by the row of strings where the name first appears."""
        found: npt.NDArray[np.int32] = np.where(names < 0, self.names.row[np.where(names < 0, -1 - names, 0)], names)
        return found

    def number(self, row: int) -> int:
        """Return the number of the name in a row of strings that tables refer to."""
        return self.aliases.get(row) or int(np.flatnonzero(self.names.row == row)[0])

    def name(self, number: int) -> bytes:
        """Return the bytes of a name."""
        at, size = int(self.names[number].at), int(self.names[number].length)
        return self.name_bytes[at : at + size].tobytes()


def _longer(table: Any, least: int) -> Any:
    longer = rows(max(2 * len(table), least, _FIRST), table.dtype)
    longer[: len(table)] = table
    return longer


@dataclass(eq=False, repr=False)
class SlabInput:
    """The machine's input of one slab; arrays are in the order of the slab's generations."""

    pool: Any
    waits: Any
    ahead: _lookahead.NamePrefetcher | None
    cursors: Any
    events: Any  # decoded events, see ``Machine.place``
    base: int
    faults: Any
    data: npt.NDArray[np.uint8]
    spec: Any
    blanks: Any  # ORDERED: an initial row of each event type
    numbers: npt.NDArray[np.int64]
    factors: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]  # ns
    first_cursor: npt.NDArray[np.int32]
    samples: Any
    first_sample: npt.NDArray[np.int32]
    rows_of: npt.NDArray[np.int32]  # row of M_STATE by cursor
    front: Any  # FRONTIER: one row per cursor for the frontier, then the CPU samples
    string_at: npt.NDArray[np.int64]
    string_bits: npt.NDArray[np.int64]
    string_keys: npt.NDArray[np.int64]
    string_vals: npt.NDArray[np.int32]
    string_rows: Any
    string_base: int  # row of the slab's first string in the trace's strings
    name_of_row: npt.NDArray[np.int32]  # number of the name by row of strings; 0 not interned yet
    stack_at: npt.NDArray[np.int64]
    stack_bits: npt.NDArray[np.int64]
    stack_keys: npt.NDArray[np.int64]
    stack_vals: npt.NDArray[np.int32]
    stack_base: int
