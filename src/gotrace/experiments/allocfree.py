"""AllocFree: what its batches say (FORMAT 9.5, 9.6), and one table of types for the whole trace.

Never here: its events; the kernel resolves them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace import _varint
from gotrace.dtypes import I4, TYPE, Rows
from gotrace.errors import ExperimentError, Status, from_fault, new_fault
from gotrace.experiments import _types
from gotrace.experiments.rows import RAW_TYPE, Anomaly
from gotrace.spec.limits import HEAP_ADDRESS_BITS
from gotrace.spec.sizeclasses import PAGE_BYTES

_NAMELESS = 1 << 20  # bytes of tables whose names may wait until somebody looks

ANOMALIES: dict[Anomaly, str] = {
    Anomaly.RELATIVE: "relative addresses",
    Anomaly.UNRESOLVED_TYPE: "unresolved types",
    Anomaly.OVERLAPPING_SPAN: "overlapping spans",
    Anomaly.UNKNOWN_SPAN_FREED: "frees of an unknown span",
    Anomaly.OBJECT_IN_FREED_SPAN: "objects in a freed span",
    Anomaly.OBJECT_OUTSIDE: "objects outside any span",
    Anomaly.LIVE_SLOT_ALLOCATED: "allocations in a live slot",
    Anomaly.TINY_SHARED: "tiny objects in a shared slot",
    Anomaly.UNKNOWN_OBJECT_FREED: "frees of an unknown object",
    Anomaly.STACK_OF_ORDER_0: "stacks of order 0",
    Anomaly.LIVE_STACK_ALLOCATED: "allocations of a live stack",
    Anomaly.UNKNOWN_STACK_FREED: "frees of an unknown stack",
    Anomaly.LATE_FREE: "frees after the slot's next allocation",
}
"""What the kernel counts, in words."""

UNTYPED, UNRESOLVED = 0, 1
"""Rows of the type table that are no types."""


class Info(NamedTuple):
    """Where the heap begins and how ids are scaled, all in bytes."""

    heap_base: int
    page_size: int
    object_align: int
    stack_align: int


DEFAULT_INFO = Info(0, PAGE_BYTES, 8, 2048)
"""Without an info batch: addresses count from an unknown base."""


@dataclass
class AllocFreeData:
    """The tables of one generation.

    Attributes
    ----------
    info : Info or None
        Only the first generation of a session has it.
    types : ndarray of RAW_TYPE
        Types with their ids of this generation, in file order.
    unknown : list of bytes
        Batches of a kind that nobody knows.
    notes : list of str
        What is odd about them.
    """

    info: Info | None = None
    types: Rows = field(default_factory=lambda: np.empty(0, RAW_TYPE))
    unknown: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _tables: list[bytes] = field(default_factory=list, repr=False)
    _ends: list[int] = field(default_factory=list, repr=False)  # rows of types up to the end of each table

    @property
    def nbytes(self) -> int:
        """Bytes of the tables."""
        return sum(map(len, self._tables))

    @property
    def names(self) -> list[bytes]:
        """Name of each of ``types``."""
        return self.names_of(np.arange(len(self.types)))

    def names_of(self, rows: npt.NDArray[np.int64]) -> list[bytes]:
        """Names of some rows of ``types``."""
        tables = [self._tables[bisect_right(self._ends, row)] for row in rows.tolist()]
        at = self.types["at"][rows]
        ends = at + self.types["length"][rows]
        return [table[i:j] for table, i, j in zip(tables, at.tolist(), ends.tolist(), strict=True)]


def parse(batches: list[tuple[int, bytes]]) -> AllocFreeData:
    """Read the batches of one generation, in the layout of the releases or of the original change.

    Raises
    ------
    ExperimentError
        When a table is cut off or an info batch holds impossible values; ``offset`` is -1.
    """
    data = AllocFreeData()
    tables: list[Rows] = []
    for _, batch in batches:
        if not batch:
            continue
        if batch[0] == 1 and (info := _info(batch)) is not None:
            if data.info is not None and data.info != info:
                data.notes.append("a second info batch with other values")
            data.info = data.info or info
        elif batch[0] == 0:
            tables.append(_read_types(data, batch, 1))
        else:
            try:
                tables.append(_read_types(data, batch, 0))
            except ExperimentError:
                data.unknown.append(batch)
                data.notes.append(f"an alloc/free batch of unknown kind {batch[0]}")
    if tables:
        data.types = np.concatenate(tables) if len(tables) > 1 else tables[0]
        if len(set(data.types["id"].tolist())) < len(data.types):
            data.notes.append("a type id stands twice; the first one counts")
    return data


def _info(batch: bytes) -> Info | None:
    """Read an info batch; None if it is a table of the original layout that begins with id 1."""
    values = np.empty(5, np.uint64)
    n, at, _ = _varint.decode(np.frombuffer(batch, np.uint8)[1:], values)
    if n < 4 or at < len(batch) - 1:
        return None
    info = Info(*(int(v) for v in values[:4]))
    for size in info[1:]:
        if size & (size - 1) or not 1 <= size <= 1 << 20:
            raise _error(Status.BAD_INFO, size)
    if info.page_size < 512 or info.heap_base % info.page_size or info.heap_base >> HEAP_ADDRESS_BITS > 1 << 15:
        raise _error(Status.BAD_INFO, info.page_size if info.page_size < 512 else info.heap_base)
    return info


def _read_types(data: AllocFreeData, batch: bytes, at: int) -> Rows:
    rows = np.empty(len(batch) // 5 + 1, RAW_TYPE)
    fault = new_fault()
    n = _types.parse_types(np.frombuffer(batch, np.uint8), at, rows, fault)
    if fault[0]["status"]:
        raise from_fault(fault[0])
    data._tables.append(batch)
    data._ends.append(n + (data._ends[-1] if data._ends else 0))
    return rows[:n]


def _error(status: Status, detail: int) -> ExperimentError:
    fault = new_fault()
    fault["status"], fault["detail"] = status, detail
    error = from_fault(fault[0])
    assert isinstance(error, ExperimentError)
    return error


class TypeTable:
    """Types of the whole trace: one row for each descriptor, in order of first appearance."""

    def __init__(self) -> None:
        self._names: list[str] = ["(untyped)", "(unresolved)"]
        self._bearers = Counter(self._names)
        self._nameless: list[tuple[AllocFreeData, npt.NDArray[np.int64]]] = []  # tables, and rows of theirs
        self._nbytes = 0  # of those
        self._parts = [np.zeros(2, RAW_TYPE)]
        self._known: npt.NDArray[np.uint64] = np.empty(0, np.uint64)  # addresses, sorted, and the rows they have
        self._rows: I4 = np.empty(0, np.int32)

    def __len__(self) -> int:
        return 2 + len(self._rows)

    @property
    def names(self) -> list[str]:
        """Name of each row; made when somebody looks, since that takes longer than all the rest."""
        for table, rows in self._nameless:
            names = [name.decode("utf-8", "surrogateescape") for name in table.names_of(rows)]
            self._names += names
            self._bearers.update(names)
        self._nameless.clear()
        self._nbytes = 0
        return self._names

    def enter(self, tables: list[AllocFreeData]) -> I4:
        """Return the rows of the types of some generations, one after the other; new descriptors get new rows."""
        address = np.concatenate([np.empty(0, np.uint64), *(table.types["address"] for table in tables)])
        known = np.zeros(len(address), bool)
        if len(self._known):
            place = np.minimum(np.searchsorted(self._known, address), len(self._known) - 1)
            known = self._known[place] == address
            if known.all():
                return self._rows[place]
        _, first = np.unique(address, return_index=True)
        fresh = np.sort(first[~known[first]])
        firsts = np.cumsum([0, *(len(table.types) for table in tables)])
        table_of = np.searchsorted(firsts, fresh, side="right") - 1
        for i in np.flatnonzero(np.bincount(table_of)).tolist():  # np.unique would import numpy.ma
            rows = fresh[table_of == i] - firsts[i]
            self._nameless.append((tables[i], rows))
            self._nbytes += tables[i].nbytes
            self._parts.append(tables[i].types[rows])
        if self._nbytes > _NAMELESS:
            _ = self.names  # lets go of their bytes
        every = np.concatenate((self._known, address[fresh]))
        every_row = np.concatenate((self._rows, np.arange(len(self), len(self) + len(fresh), dtype=np.int32)))
        order = np.argsort(every)
        self._known, self._rows = every[order], every_row[order].astype(np.int32)
        return self._rows[np.searchsorted(self._known, address)]

    def rows(self, start: int = 0) -> Rows:
        """Rows of TYPE from row ``start`` on."""
        types = self._described()[start:]
        table = np.empty(len(types), TYPE)
        table["name"] = self.names[start:]
        for name in ("address", "size", "ptr_bytes"):
            table[name] = types[name]
        return table

    def label(self, row: int) -> str:
        """Name of a row for reports: a name that several types share gets its address."""
        name = self.names[row]
        return f"{name}@{int(self._described()['address'][row]):#x}" if self._bearers[name] > 1 else name

    def _described(self) -> Rows:
        """All rows as their tables describe them."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]
