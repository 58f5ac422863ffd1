"""Live objects counted by type and size class: the tables of the kernel ``_allocs``. Never here: reading of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import Rows
from gotrace.errors import Status
from gotrace.experiments.allocfree import ANOMALIES
from gotrace.hashing import new_map, rehashed
from gotrace.heap import _allocs
from gotrace.heap.rows import COUNTS, PAGE, SPAN, HeapCounter, HeapLayout
from gotrace.wire.rows import Layout

if TYPE_CHECKING:
    pass

GROWTH = 4  # of tables that are copied often: what is not used yet costs no memory
_LITTLE = 1 << 20  # bytes of a table up to which that is so


class CountReplay:
    """Tables that the kernel fills and that grow here when it asks for it."""

    def __init__(self) -> None:
        self.spans = np.empty(256, SPAN)
        self.pages = new_map(512)
        self.leaves = np.zeros(128 * Layout.LEAF, PAGE)
        self.stacks = new_map(512)
        self.loose = new_map(64)
        self.cells = np.empty(1024 * HeapLayout.GROUP, np.int32)
        self.keys = new_map(512)
        self.counts = np.zeros(256, COUNTS)
        self.sizes = np.zeros(len(HeapCounter), np.int64)
        self.sizes[HeapCounter.LATEST] = np.iinfo(np.int64).min
        self.anomalies = np.zeros(len(ANOMALIES), np.int64)

    def tables(self) -> _allocs.HeapTables:
        """All tables, for the kernel; valid until one of them grows."""
        return _allocs.HeapTables(
            spans=self.spans,
            pages=self.pages,
            leaves=self.leaves,
            stacks=self.stacks,
            loose=self.loose,
            cells=self.cells,
            keys=self.keys,
            counts=self.counts,
            sizes=self.sizes,
            anomalies=self.anomalies,
        )

    def grow(self, status: Status) -> None:
        """Make the table larger that the kernel found full."""
        grow: dict[Status, Callable[[], None]] = {
            Status.GROW_SPANS: self._grow_spans,
            Status.GROW_PAGES: self._grow_pages,
            Status.GROW_STACKS: self._grow_stacks,
            Status.GROW_LOOSE: self._grow_loose,
            Status.GROW_CELLS: self._grow_cells,
            Status.GROW_KEYS: self._grow_keys,
        }
        grow[status]()

    def _grow_spans(self) -> None:
        self.spans = larger(self.spans, GROWTH)

    def _grow_pages(self) -> None:
        self.pages = rehashed(self.pages)
        self.leaves = larger(self.leaves)

    def _grow_stacks(self) -> None:
        self.stacks = rehashed(self.stacks)

    def _grow_loose(self) -> None:
        self.loose = rehashed(self.loose)

    def _grow_cells(self) -> None:
        self.cells = larger(self.cells, GROWTH)

    def _grow_keys(self) -> None:
        self.keys = rehashed(self.keys)
        self.counts = larger(self.counts)

    def anomaly_counts(self) -> dict[str, int]:
        """What was odd, without the zeros."""
        return {name: n for name, n in ((ANOMALIES[kind], int(self.anomalies[kind])) for kind in ANOMALIES) if n}

    @property
    def time(self) -> int:
        """Latest time of any event in ns, -1 before the first one."""
        time = int(self.sizes[HeapCounter.LATEST])
        return time if time != np.iinfo(np.int64).min else -1

    def used_counts(self) -> Rows:
        """Rows of COUNTS, one for each pair of type and size class that had an object."""
        counts = self.counts[: int(self.sizes[HeapCounter.N_KEYS])]
        return counts[(counts["alloc_objects"] > 0) | (counts["start_objects"] > 0)]

    def memory(self) -> dict[str, int]:
        """Live spans and stacks: numbers and bytes."""
        live = range(HeapCounter.HEAP_SPANS, HeapCounter.STACK_BYTES + 1)
        return {HeapCounter(place).name.lower(): int(self.sizes[place]) for place in live}


def larger(old: npt.NDArray[Any], most: int = 2) -> npt.NDArray[Any]:
    new = np.empty((most if old.nbytes < _LITTLE else 2) * len(old), old.dtype)
    new[: len(old)] = old
    return new
