"""The replay that counts: alloc/free events come in through kernel ``_allocs``; counts by type and size class go out.

Never here: reading of events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import Rows
from gotrace.errors import Status
from gotrace.experiments.allocfree import ANOMALIES
from gotrace.hashing import new_map, rehashed
from gotrace.heap import _allocs
from gotrace.heap.rows import COUNTS, PAGE, SPAN, HeapCounter, HeapLayout, SpaceCounter
from gotrace.wire.rows import Layout

GROWTH = 4  # factor for tables that are not zeroed: pages not written yet take no memory
_SMALL = 1 << 20  # bytes of a table up to which that factor applies


class CountReplay:
    """Tables that the kernel fills, and that grow here on its request."""

    def __init__(self) -> None:
        self.spans = np.empty(256, SPAN)
        self.pages = new_map(512)
        self.leaves = np.zeros(128 * Layout.LEAF, PAGE)
        self.stacks = new_map(512)
        self.loose = new_map(64)
        self.cells = np.empty(1024 * HeapLayout.GROUP, np.int32)
        self.keys = new_map(512)
        self.counts = np.zeros(256, COUNTS)
        self.sizes = np.zeros(max(HeapCounter) + 1, np.int64)
        self.sizes[HeapCounter.LATEST] = np.iinfo(np.int64).min
        self.anomalies = np.zeros(len(ANOMALIES), np.int64)

    def tables(self) -> _allocs.HeapTables:
        """Return all tables for the kernel; valid until one of them grows."""
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
        """Grow the table that the kernel's status names."""
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
        """Return the nonzero counts of anomalies by name."""
        return {name: n for name, n in ((ANOMALIES[kind], int(self.anomalies[kind])) for kind in ANOMALIES) if n}

    @property
    def time(self) -> int:
        """Latest time of any event in ns; -1 before the first event."""
        time = int(self.sizes[HeapCounter.LATEST])
        return time if time != np.iinfo(np.int64).min else -1

    def used_counts(self) -> Rows:
        """Return rows of COUNTS, one for each pair of type and size class that had an object."""
        counts = self.counts[: int(self.sizes[SpaceCounter.N_KEYS])]
        return counts[(counts["alloc_objects"] > 0) | (counts["start_objects"] > 0)]

    def memory(self) -> dict[str, int]:
        """Return the number and bytes of live spans and stacks, by name."""
        live = range(SpaceCounter.HEAP_SPANS, SpaceCounter.STACK_BYTES + 1)
        return {SpaceCounter(place).name.lower(): int(self.sizes[place]) for place in live}


def larger(old: npt.NDArray[Any], most: int = 2) -> npt.NDArray[Any]:
    """Return a copy that is ``most`` times as long, or twice if the table is large; new rows are not initialized."""
    new = np.empty((most if old.nbytes < _SMALL else 2) * len(old), old.dtype)
    new[: len(old)] = old
    return new
