"""The truth about a simulated program: the runtime's counts come in; counts by type and live objects go out.

Never here: reading of traces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import HEAP, Rows
from gotrace.heap.table import class_name
from gotrace.simulation.rows import Tally

LIVE = np.dtype([("address", "u8"), ("size", "i8"), ("time", "i8"), ("type", "i4"), ("spanclass", "i4")], align=True)
"""A live object: address of its slot, bytes of the slot, time of its allocation in ns (-1: before the session), row of
its type in ``Truth.types``, span class as in ALLOC."""

SPAN_CLASSES = 136


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth about a simulated trace.

    Types are as in the trace: a snapshot has the types of objects with a header and of large objects with pointers
    only. All other objects of the snapshot have row 0 of ``types``.

    Attributes
    ----------
    events : int
        Timed events of the trace.
    generations : int
        Generations of the trace.
    cycles : int
        Collections that ended since the start of the process.
    least : int
        The heap's base address in this session.
    start, end : int
        Start and end of the session in ns of the trace's clock.
    types : ndarray of TYPE
        All types of the program; row 0 is none.
    counts : ndarray of int64, shape (types + 136, 6)
        Counts of the trace: allocations, their bytes, frees, their bytes, objects of the snapshot, their bytes. Rows
        are types, then span classes of objects without a type.
    """

    events: int
    generations: int
    cycles: int
    least: int
    start: int
    end: int
    types: Rows
    counts: npt.NDArray[np.int64]
    _live: Rows = field(repr=False)
    _rows_until: Callable[[int], Rows] = field(repr=False)

    def live(self, time: int | None = None) -> Rows:
        """Return the objects that are live at the end, or after all events up to a time, by address.

        With a time, the program runs again and its output is discarded: this takes the time and the memory of the
        simulation. Where threads run ahead of the clock, the time is that of the program.

        Parameters
        ----------
        time : int, optional
            Time in ns of the trace's clock. Default is the end.

        Returns
        -------
        ndarray of LIVE
        """
        if time is None:
            return self._live.copy()
        rows = self._rows_until(time)
        return np.sort(rows[rows["time"] <= time], order="address")

    @property
    def table(self) -> Rows:
        """Rows of HEAP, as in ``Trace.heap().table``."""
        untyped = [f"{self.types['name'][0]} {class_name(spanclass)}" for spanclass in range(SPAN_CLASSES)]
        table = np.zeros(len(self.counts), HEAP)
        table["name"] = [*self.types["name"], *untyped]
        for name, what in (("alloc", Tally.ALLOCS), ("free", Tally.FREES), ("start", Tally.START)):
            table[f"{name}_objects"], table[f"{name}_bytes"] = self.counts[:, what], self.counts[:, what + 1]
        row = np.where(self._live["type"] > 0, self._live["type"], len(self.types) + self._live["spanclass"])
        np.add.at(table["inuse_objects"], row, 1)
        np.add.at(table["inuse_bytes"], row, self._live["size"])
        seen = table[(table["alloc_objects"] > 0) | (table["start_objects"] > 0)]
        return seen[np.lexsort((seen["name"].astype(str), -seen["inuse_objects"], -seen["inuse_bytes"]))]

    def asdict(self) -> dict[str, Any]:
        """Return counts and the table as values for JSON."""
        rows = [
            {name: row[name] if name == "name" else int(row[name]) for name in HEAP.names or ()} for row in self.table
        ]
        return {
            "events": self.events,
            "generations": self.generations,
            "cycles": self.cycles,
            "start": self.start,
            "end": self.end,
            "inuse_objects": len(self._live),
            "inuse_bytes": int(self._live["size"].sum()),
            "rows": rows,
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return ``live``, ``counts``, and names and addresses of types, as arrays for npz."""
        return {
            "live": self._live,
            "counts": self.counts,
            "type_names": self.types["name"].astype(np.str_),
            "type_addresses": self.types["address"],
        }
