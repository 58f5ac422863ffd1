"""AllocFree: its batches become heap parameters and type tables (FORMAT 9.5, 9.6), and one type table for the trace.

Never here: the events of the experiment, which the kernels resolve.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace import _varint
from gotrace.dtypes import I4, I8, TYPE, Rows
from gotrace.errors import Status, message, new_fault
from gotrace.experiments import _types
from gotrace.experiments.rows import RAW_TYPE, Anomaly
from gotrace.spec.limits import HEAP_ADDRESS_BITS
from gotrace.spec.sizeclasses import CLASS_BYTES, HEADER_BYTES, HEADER_FROM, LARGEST_SMALL, PAGE_BYTES

_MAX_TYPE_BYTES = 1 << 40  # larger sizes are not believed
_MAX_UNDECODED = 1 << 20  # bytes of tables whose names are decoded only on access

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
"""Descriptions of the anomalies that the kernels count."""

CAUSES: dict[Anomaly, str] = {
    Anomaly.RELATIVE: "The trace has no info batch, as that of a flight recorder or of a program that was being traced "
    "already: addresses count from the unknown base of the heap.",
    Anomaly.UNRESOLVED_TYPE: "An event has the id of a type that no type table of the trace contains.",
    Anomaly.OVERLAPPING_SPAN: "A span replaces others before their frees: objects in them end there.",
    Anomaly.UNKNOWN_SPAN_FREED: "The allocation of the span is not in the trace.",
    Anomaly.OBJECT_IN_FREED_SPAN: "A span was freed with objects in it, whose frees are missing: they end with it.",
    Anomaly.OBJECT_OUTSIDE: "The span of the object is not in the trace, as in that of a flight recorder: its size is "
    "that of one object of its type, or 0 without a type.",
    Anomaly.LIVE_SLOT_ALLOCATED: "The free of the previous object comes later, or the compiler freed it. It ends here.",
    Anomaly.TINY_SHARED: "Normal from Go 1.24 on: objects below 16 bytes without pointers share a slot, which keeps "
    "the type of its first object and counts once.",
    Anomaly.UNKNOWN_OBJECT_FREED: "The allocation of the object is not in the trace.",
    Anomaly.STACK_OF_ORDER_0: "The descriptor of a goroutine whose stack was released: without effect.",
    Anomaly.LIVE_STACK_ALLOCATED: "The free of the previous stack comes later: it ends there.",
    Anomaly.UNKNOWN_STACK_FREED: "The allocation of the stack is not in the trace.",
    Anomaly.LATE_FREE: "Clocks of threads differ by a little: the free is of the previous object in that slot.",
}
"""What causes each anomaly, and how it is treated; docs/allocfree.md has the details."""

UNTYPED, UNRESOLVED = 0, 1
"""Rows of the type table for objects without a type."""

ARENA_CHUNK = "(arena chunk)"
"""Name of a type without a name: the runtime describes each chunk of a user arena by one of its own."""


class Info(NamedTuple):
    """Base address of the heap and units of ids, all in bytes."""

    heap_base: int
    page_size: int
    object_align: int
    stack_align: int


DEFAULT_INFO = Info(0, PAGE_BYTES, 8, 2048)
"""Values without an info batch: addresses are relative to an unknown base."""


class Damage(NamedTuple):
    """A record of a batch that cannot be read, or not completely.

    ``batch`` is the batch's place among those of its generation, ``at`` the record's first byte in its data.
    """

    batch: int
    at: int
    detail: str


@dataclass
class AllocFreeData:
    """The tables of one generation.

    Attributes
    ----------
    info : Info or None
        Only in the first generation of a session.
    types : ndarray of RAW_TYPE
        Types with their ids in this generation, in file order.
    unknown : list of bytes
        Batches of an unknown kind.
    notes : list of str
        Warnings about the batches.
    damage : list of Damage
        Records that could not be read.
    """

    info: Info | None = None
    types: Rows = field(default_factory=lambda: np.empty(0, RAW_TYPE))
    unknown: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    _tables: list[bytes] = field(default_factory=list, repr=False)
    _ends: list[int] = field(default_factory=list, repr=False)  # cumulative number of types after each table

    @property
    def nbytes(self) -> int:
        """Size of the tables in bytes."""
        return sum(map(len, self._tables))

    @property
    def names(self) -> list[bytes]:
        """Name of each of ``types``."""
        return self.names_of(np.arange(len(self.types)))

    def names_of(self, rows: npt.NDArray[np.int64]) -> list[bytes]:
        """Return the names of some rows of ``types``."""
        tables = [self._tables[bisect_right(self._ends, row)] for row in rows.tolist()]
        at = self.types["at"][rows]
        ends = at + self.types["length"][rows]
        return [table[i:j] for table, i, j in zip(tables, at.tolist(), ends.tolist(), strict=True)]


def parse(batches: list[tuple[int, bytes]]) -> AllocFreeData:
    """Read the batches of one generation, in the layout of Go releases or of the original change to Go.

    What cannot be read is left out: the rest of a table from a damaged record on, an info batch with impossible values.
    """
    data = AllocFreeData()
    rows = np.empty(sum(len(batch) // 5 + 1 for _, batch in batches), RAW_TYPE)
    n = 0
    for i, (_, batch) in enumerate(batches):
        if not batch:
            continue
        if batch[0] == 1 and (info := _info(data, i, batch)) is not None:
            if data.info is not None and data.info != info:
                data.notes.append("a second info batch with different values is ignored")
            data.info = data.info or info
        elif batch[0] != 1 or not data.damage or data.damage[-1].batch != i:
            n += _read_types(data, i, batch, rows[n:])
    data.types = rows[:n]
    if len(set(data.types["id"].tolist())) < n:
        data.notes.append("a type id is defined twice; the first definition is used")
    return data


def _info(data: AllocFreeData, number: int, batch: bytes) -> Info | None:
    """Read an info batch; None if it is invalid, or a table in the original layout whose first id is 1."""
    values = np.empty(5, np.uint64)
    n, at, _ = _varint.decode(np.frombuffer(batch, np.uint8)[1:], values)
    if n < 4 or at < len(batch) - 1:
        return None
    info = Info(*(int(v) for v in values[:4]))
    wrong = [size for size in info[1:] if size & (size - 1) or not 1 <= size <= 1 << 20]
    if info.page_size < 512:
        wrong.append(info.page_size)
    elif info.heap_base % info.page_size or info.heap_base >> HEAP_ADDRESS_BITS > 1 << 15:
        wrong.append(info.heap_base)
    if wrong:
        data.damage.append(Damage(number, 0, f"{_message(Status.BAD_INFO, wrong[0])}; the batch is ignored"))
        return None
    return info


def _read_types(data: AllocFreeData, number: int, batch: bytes, rows: Rows) -> int:
    """Read a table into the first rows; return their number."""
    at = int(batch[0] == 0)
    fault = new_fault()
    n = _types.parse_types(np.frombuffer(batch, np.uint8), at, rows, fault)
    if fault[0]["status"]:
        detail, start = message(fault[0])[1], int(fault[0]["offset"])
        shortened = bool(n) and int(rows["at"][n - 1]) > start
        if at == 0 and n == shortened:  # a kind that later releases may define
            data.unknown.append(batch)
            data.notes.append(f"an alloc/free batch of unknown kind {batch[0]} is ignored")
            return 0
        lost = "its name is shortened" if shortened else "it is lost, and so is the rest of its batch"
        data.damage.append(Damage(number, start, f"{detail}; {lost}"))
    data._tables.append(batch)
    data._ends.append(n + (data._ends[-1] if data._ends else 0))
    return n


def _message(status: Status, detail: int) -> str:
    fault = new_fault()
    fault["status"], fault["detail"] = status, detail
    return message(fault[0])[1]


def slot_bytes(types: Rows) -> I8:
    """Return the bytes that Go's allocator reserves for one object of each of these RAW_TYPE rows, 0 for none."""
    size = np.where(types["size"] <= _MAX_TYPE_BYTES, types["size"], 0).astype(np.int64)
    with_header = size + HEADER_BYTES * ((types["ptr_bytes"] > 0) & (size > HEADER_FROM) & (size < LARGEST_SMALL))
    large = -(-size // PAGE_BYTES) * PAGE_BYTES
    classes = np.array(CLASS_BYTES)
    return np.where(
        with_header > LARGEST_SMALL, large, classes[np.searchsorted(classes, np.minimum(with_header, LARGEST_SMALL))]
    )


class TypeTable:
    """Types of the whole trace: one row for each type descriptor, in order of first appearance."""

    def __init__(self) -> None:
        self._names: list[str] = ["(untyped)", "(unresolved)"]
        self._name_counts = Counter(self._names)
        self._undecoded: list[tuple[AllocFreeData, npt.NDArray[np.int64]]] = []  # tables and their new rows
        self._nbytes = 0  # of these tables
        self._parts = [np.zeros(2, RAW_TYPE)]
        self._known: npt.NDArray[np.uint64] = np.empty(0, np.uint64)  # sorted addresses; ``_rows`` are their rows
        self._rows: I4 = np.empty(0, np.int32)
        self.slots: I8 = np.zeros(2, np.int64)  # bytes of the slot of one object of each row; 0 if unknown

    def __len__(self) -> int:
        return 2 + len(self._rows)

    @property
    def names(self) -> list[str]:
        """Name of each row, decoded on access: this takes longer than all other work on types."""
        for table, rows in self._undecoded:
            names = [name.decode("utf-8", "surrogateescape") or ARENA_CHUNK for name in table.names_of(rows)]
            self._names += names
            self._name_counts.update(names)
        self._undecoded.clear()
        self._nbytes = 0
        return self._names

    def enter(self, tables: list[AllocFreeData]) -> I4:
        """Return the row of each type in some tables, concatenated; new descriptors get new rows."""
        address = np.concatenate([np.empty(0, np.uint64), *(table.types["address"] for table in tables)])
        known = np.zeros(len(address), bool)
        if len(self._known):
            place = np.minimum(np.searchsorted(self._known, address), len(self._known) - 1)
            known = self._known[place] == address
            if known.all():
                return self._rows[place]
        _, first = np.unique(address, return_index=True)
        fresh = np.sort(first[~known[first]])
        n_parts = len(self._parts)
        firsts = np.cumsum([0, *(len(table.types) for table in tables)])
        table_of = np.searchsorted(firsts, fresh, side="right") - 1
        for i in np.flatnonzero(np.bincount(table_of)).tolist():  # np.unique would import numpy.ma
            rows = fresh[table_of == i] - firsts[i]
            self._undecoded.append((tables[i], rows))
            self._nbytes += tables[i].nbytes
            self._parts.append(tables[i].types[rows])
        if len(fresh):
            self.slots = np.concatenate((self.slots, slot_bytes(np.concatenate(self._parts[n_parts:]))))
        if self._nbytes > _MAX_UNDECODED:
            _ = self.names  # decodes them and releases the tables
        addresses = np.concatenate((self._known, address[fresh]))
        rows_of = np.concatenate((self._rows, np.arange(len(self), len(self) + len(fresh), dtype=np.int32)))
        order = np.argsort(addresses)
        self._known, self._rows = addresses[order], rows_of[order].astype(np.int32)
        return self._rows[np.searchsorted(self._known, address)]

    def rows(self, start: int = 0) -> Rows:
        """Return rows of TYPE from row ``start`` on."""
        types = self._raw_rows()[start:]
        table = np.empty(len(types), TYPE)
        table["name"] = self.names[start:]
        for name in ("address", "size", "ptr_bytes"):
            table[name] = types[name]
        return table

    def label(self, row: int) -> str:
        """Return the name of a row for reports; a name that several types share is followed by the address."""
        name = self.names[row]
        return f"{name}@{int(self._raw_rows()['address'][row]):#x}" if self._name_counts[name] > 1 else name

    def _raw_rows(self) -> Rows:
        """Return all rows as RAW_TYPE."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]
