"""How long objects live: deaths by age in GC cycles, and median ages. Never here: output, or replay.

In a trace, an object dies when its slot is swept, which the next allocation of its size class or the next mark phase
causes. Ages in cycles therefore reflect the program, ages in time also the pace of the collector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from gotrace.analysis.traces import analysis
from gotrace.dtypes import I4, I8, Rows
from gotrace.errors import check_choice
from gotrace.heap.objects import ObjectReplay
from gotrace.heap.rows import HeapCounter, ReplayCounter
from gotrace.heap.table import group_keys
from gotrace.tables.allocs import LifetimeBuilder
from gotrace.tables.instants import EXACT_GROUPS, ExactGroup
from gotrace.tables.owners import OWNERS
from gotrace.tables.passes import ReadPass
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import View, Viewed, cells
from gotrace.wire.segments import Segment

FIRST_AGES = (0, 1, 2, 3, 4, 8, 16, 32)
"""First age of each bin in GC cycles; the last bin is unbounded."""

AGES = np.dtype(
    [
        ("name", "O"),  # str
        ("died_objects", "i8"),
        ("died_bytes", "i8"),
        ("alive_objects", "i8"),  # in use at the end
        ("alive_bytes", "i8"),
        ("unaged_objects", "i8"),  # of those that died: objects that existed at the start
        *((f"age_{age}", "i8") for age in FIRST_AGES),  # objects that died from this age up to the next one
        ("median_cycles", "i8"),  # age at death, at most 63; -1 if no age is known
        ("median_time", "i8"),  # ns from allocation to sweep, accurate to 7 %; -1 as above
    ],
    align=True,
)
"""A row for each group."""

_AGE_BINS = 64  # the last one has all larger ages
_PER_OCTAVE = 8  # bins of time
_LONGEST = np.uint64(np.iinfo(np.int64).max)  # ns
_MAX_PENDING = 1 << 18  # bins that wait to be added up, at least
_BINS = _AGE_BINS + 65 * _PER_OCTAVE


@dataclass(repr=False)
class Lifespans(Viewed):
    """How long objects lived.

    Attributes
    ----------
    table : ndarray of AGES
        Most ``died_bytes`` first.
    by : str
        As requested.
    cycles : int
        Mark phases that started in the trace.
    start, end : int
        ns, the first and the last event of the trace; -1 if there is none.
    seen : bool
        True if the trace has alloc/free events.
    anomalies : dict
        Anomalies by name, with counts.
    """

    table: Rows
    by: str
    cycles: int = 0
    start: int = -1
    end: int = -1
    seen: bool = False
    anomalies: dict[str, int] = field(default_factory=dict)

    def view(self) -> View:
        """Return deaths and median ages by group."""
        columns = ("name", "died_objects", "died_bytes", "alive_objects", "alive_bytes", "median_cycles", "median_time")
        died = human_count(int(self.table["died_objects"].sum()), "object")
        facts = f"{died} died in {human_count(self.cycles, 'GC cycle')}, by {self.by}"
        return View(facts, columns, cells(self.table, columns), len(self.table))


@analysis
def lifespans(trace: Trace, by: ExactGroup = "type", progress: Callable[[int], None] | None = None) -> Lifespans:
    """Return how old objects were when they died.

    One pass. Memory is bounded by the live heap and a few kilobytes per type and size class, or per group.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    by : {"type", "class", "package", "goroutine", "task", "region"}
        What a row groups, as for :meth:`gotrace.Trace.heap`.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Lifespans

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    check_choice("by", by, EXACT_GROUPS)
    builder = _DeathBuilder(trace.reader.new_pass(), by)
    fault = builder.read_pass.run(builder, progress=progress)
    heap = builder.allocs.heap
    result = Lifespans(
        builder.table(),
        by,
        cycles=int(builder.lives.life[ReplayCounter.CYCLE]),
        start=builder.allocs.start,
        end=heap.time,
        seen=bool(heap.sizes[HeapCounter.EVENTS]),
        anomalies=builder.anomaly_counts(),
    )
    if fault is not None:
        fault.partial = result
        raise fault
    return result


class _DeathBuilder(LifetimeBuilder):
    """Counts ages at death, in cycles and in time, by group of the replay; yields no rows.

    Only the bins that count an object are kept, so that groups without deaths take no memory.
    """

    def __init__(self, read_pass: ReadPass, by: ExactGroup) -> None:
        self._owners = OWNERS[by](read_pass) if by in OWNERS else None
        super().__init__(read_pass, 1, ObjectReplay(), self._owners)
        self.lives.write_rows()
        self.read_pass = read_pass
        self._by = by
        self._bins: I8 = np.empty(0, np.int64)  # group * _BINS + bin, rising
        self._counts: I8 = np.empty(0, np.int64)
        self._pending: list[I8] = []
        self._n_pending = 0

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay the events of a segment, and count the objects that died."""
        for rows in super().feed(segment):
            self._add(rows, self.lives.groups)
        yield from ()

    def _add(self, rows: Rows, groups: I4) -> None:
        aged = rows["age"] >= 0
        rows, at = rows[aged], groups[aged].astype(np.int64) * _BINS
        lived = rows["died"].astype(np.uint64) - rows["born"].astype(np.uint64)  # may have 64 bits
        lived = np.where(rows["died"] > rows["born"], np.minimum(lived, _LONGEST), np.uint64(1))
        fractions, octaves = np.frexp(lived.astype(np.float64))
        places = octaves * _PER_OCTAVE + ((2 * fractions - 1) * _PER_OCTAVE).astype(np.int64)
        self._pending += [at + np.minimum(rows["age"], _AGE_BINS - 1), at + _AGE_BINS + places]
        self._n_pending += 2 * len(rows)
        if self._n_pending > max(_MAX_PENDING, len(self._bins)):
            self._compact()

    def _compact(self) -> None:
        bins = np.concatenate((self._bins, *self._pending))
        counts = np.ones(len(bins), np.int64)
        counts[: len(self._counts)] = self._counts
        self._bins, self._counts = _summed(bins, counts)
        self._pending, self._n_pending = [], 0

    def table(self) -> Rows:
        """Return rows of AGES."""
        self._compact()
        tallies, counts = self.lives.tallies, self.lives.counts()
        if self._owners is None:
            names, group = group_keys(tallies, self.read_pass.types, self._by)
        else:
            names, group = self._owners.groups(tallies["label"])
        table = np.zeros(len(names), AGES)
        table["name"] = names
        for unit in ("objects", "bytes"):
            died = counts[f"free_{unit}"]
            np.add.at(table[f"died_{unit}"], group, died)
            np.add.at(table[f"alive_{unit}"], group, counts[f"start_{unit}"] + counts[f"alloc_{unit}"] - died)
        bins, n = _summed(group[self._bins // _BINS] * _BINS + self._bins % _BINS, self._counts)
        rows, bins = np.divmod(bins, _BINS)
        ages = bins < _AGE_BINS
        edges = np.searchsorted(FIRST_AGES, bins[ages], side="right") - 1
        for i, first in enumerate(FIRST_AGES):
            np.add.at(table[f"age_{first}"], rows[ages][edges == i], n[ages][edges == i])
        known = np.bincount(rows[ages], n[ages], len(names)).astype(np.int64)
        table["unaged_objects"] = table["died_objects"] - known
        table["median_cycles"] = _median(rows[ages], bins[ages], n[ages], len(names))
        octave, part = np.divmod(_median(rows[~ages], bins[~ages] - _AGE_BINS, n[~ages], len(names)), _PER_OCTAVE)
        nearest = np.ldexp(1 + (part + 0.5) / _PER_OCTAVE, octave - 1)
        table["median_time"] = np.where(known, np.minimum(np.rint(nearest), np.nextafter(2.0**63, 0)), -1)
        return table[np.lexsort((table["name"].astype(str), -table["alive_bytes"], -table["died_bytes"]))]


def _summed(keys: I8, counts: I8) -> tuple[I8, I8]:
    """Return the distinct keys, rising, and the sum of the counts of each."""
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    return keys[first], np.add.reduceat(counts, first) if len(first) else counts


def _median(rows: I8, bins: I8, counts: I8, n: int) -> I8:
    """Return the bin of each of n rows in which half of its count is reached, -1 for a row without any.

    ``bins`` rise within each row, and rows do.
    """
    upto = np.cumsum(counts)
    total = np.bincount(rows, counts, n).astype(np.int64)
    before = np.cumsum(total) - total
    half = np.flatnonzero(2 * (upto - before[rows]) >= total[rows])
    found, first = np.unique(rows[half], return_index=True)
    medians = np.full(n, -1, np.int64)
    medians[found] = bins[half[first]]
    return medians
