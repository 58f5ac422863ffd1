"""The heap by call stack, type and size class, at the end of a trace: for profiles. Never here: a file format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gotrace.dtypes import HEAP, Rows
from gotrace.heap.objects import ObjectReplay
from gotrace.heap.rows import HeapCounter
from gotrace.heap.table import SampleCounts, class_name
from gotrace.tables.allocs import LifetimeBuilder
from gotrace.tables.passes import ReadPass
from gotrace.tables.sites import Site, StackLabels
from gotrace.trace import Trace


@dataclass(kw_only=True)
class HeapStacks(SampleCounts):
    """What was allocated, and what is in use at the end, by call stack, type and size class.

    Attributes
    ----------
    table : ndarray of HEAP
        Estimates of each row; ``name`` is the type. The sums over all stacks of a type and size class are exact.
    sampled : ndarray of int64
        CPU samples of each row.
    sites : list of tuple of Frame or str
        Call stack of each row from the allocation site on, leaf first, or a word in place of one.
    classes : list of str
        Size class of each row.
    seen : bool
        True if the trace has alloc/free events.
    """

    table: Rows
    sampled: Rows
    sites: list[Site | str]
    classes: list[str]
    seen: bool

    @property
    def covered(self) -> float:
        """Share of the allocated bytes whose type and size class has samples."""
        kinds = list(zip(self.table["name"].tolist(), self.classes, strict=True))
        sampled = {kind for kind, n in zip(kinds, self.sampled.tolist(), strict=True) if n}
        allocated = self.table["alloc_bytes"]
        return float(allocated[[kind in sampled for kind in kinds]].sum() / max(int(allocated.sum()), 1))


def heap_stacks(trace: Trace, progress: Callable[[int], None] | None = None) -> HeapStacks:
    """Return the heap of a trace by call stack, estimated from its CPU samples.

    One pass.

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    read_pass = trace.reader.new_pass()
    builder = _StackBuilder(read_pass)
    fault = read_pass.run(builder, progress=progress)
    result = builder.stacks()
    if fault is not None:
        fault.partial = result
        raise fault
    return result


class _StackBuilder(LifetimeBuilder):
    """Replays objects with their call stacks as labels; yields no rows."""

    def __init__(self, read_pass: ReadPass) -> None:
        self._pass = read_pass
        self._stacks = StackLabels(read_pass)
        super().__init__(read_pass, 1, ObjectReplay(), self._stacks)

    def stacks(self) -> HeapStacks:
        """Return the heap by call stack, type and size class."""
        counts = self.lives.counts()
        cells = np.zeros(len(counts), HEAP)
        for name in counts.dtype.names or ():
            if name in (HEAP.names or ()):
                cells[name] = counts[name]
        for unit in ("objects", "bytes"):
            cells[f"inuse_{unit}"] = cells[f"start_{unit}"] + cells[f"alloc_{unit}"] - cells[f"free_{unit}"]
        labels = self.lives.tallies["label"]
        table, errors, ordered = self._stacks.distribute(cells, cells.copy(), labels)
        kind = dict(zip(labels.tolist(), counts[["type", "spanclass"]].tolist(), strict=True))
        kinds = [kind[label] for label in ordered.tolist()]
        table["name"] = [self._pass.types.label(row) for row, _ in kinds]
        places = self._stacks.places(ordered)
        return HeapStacks(
            table=table,
            sampled=errors["alloc_samples"],
            sites=[place if isinstance(place, str) else self._stacks.stacks[place] for place in places],
            classes=[class_name(spanclass) for _, spanclass in kinds],
            seen=bool(self.allocs.heap.sizes[HeapCounter.EVENTS]),
            **vars(self._stacks.counts),
        )
