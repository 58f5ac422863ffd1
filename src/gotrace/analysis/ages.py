"""Who lives how long: deaths by age in GC cycles, and what was typical. Never here: output, or replay.

An object dies for the trace when its slot is swept, which the next allocation of its size class or the next mark phase
brings about. So ages in cycles are what the program did; ages in time are that and the collector's pace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gotrace.dtypes import I8, Rows
from gotrace.errors import TraceError
from gotrace.heap.objects import ObjectReplay
from gotrace.heap.rows import HeapCounter, ReplayCounter
from gotrace.heap.table import KINDS, group_keys
from gotrace.tables.allocs import LifetimeBuilder
from gotrace.trace import Trace

FIRST_AGES = (0, 1, 2, 3, 4, 8, 16, 32)
"""First age in GC cycles of each bin; the last one has all above."""

AGES = np.dtype(
    [
        ("name", "O"),  # str
        ("died_objects", "i8"),
        ("died_bytes", "i8"),
        ("alive_objects", "i8"),  # in use at the end
        ("alive_bytes", "i8"),
        ("unaged_objects", "i8"),  # of those that died: they were there at the start
        *((f"age_{age}", "i8") for age in FIRST_AGES),  # objects that died at this age or more, below the next one
        ("median_cycles", "i8"),  # age at death, at most 63; -1 none died whose age is known
        ("median_time", "i8"),  # ns from allocation to sweep, to within 7 %; -1 as above
    ],
    align=True,
)
"""A row for each group."""

_OLDEST = 64  # ages from here on are one
_FINE = 8  # bins of time to an octave
_BINS = _OLDEST + 64 * _FINE


@dataclass
class Lifespans:
    """How long objects lived.

    Attributes
    ----------
    table : ndarray of AGES
        Most ``died_bytes`` first.
    by : str
        As asked for.
    cycles : int
        Mark phases that began in the trace.
    start, end : int
        ns, the trace's first and last event; -1 when there is none.
    seen : bool
        Whether there was any alloc/free event.
    anomalies : dict
        What was odd on the way, with counts.
    """

    table: Rows
    by: str
    cycles: int = 0
    start: int = -1
    end: int = -1
    seen: bool = False
    anomalies: dict[str, int] = field(default_factory=dict)


def lifespans(trace: Trace, by: str = "type", progress: Callable[[int], None] | None = None) -> Lifespans:
    """Say how old objects were when they died.

    One pass, in memory for the live heap and a few kilobytes for each type and size class.

    Parameters
    ----------
    trace : Trace
    by : {"type", "class", "package"}
        What a row stands for.

    Returns
    -------
    Lifespans

    Raises
    ------
    TraceError
        The trace is damaged; ``partial`` of the error holds what came before the fault.
    """
    if by not in KINDS:
        raise ValueError(f"by={by!r}: {', '.join(KINDS)}")
    read_pass = trace.reader.new_pass()
    deaths = _Deaths()
    builder = LifetimeBuilder(read_pass, 1, deaths.lives)
    fault: TraceError | None = None
    try:
        for _, rows in read_pass.read(builder, progress=progress):
            deaths.take(rows)
    except TraceError as error:
        fault = error
    heap = builder.allocs.heap
    found = Lifespans(
        deaths.table(*group_keys(deaths.lives.tallies, read_pass.types, by)),
        by,
        cycles=int(deaths.lives.life[ReplayCounter.CYCLE]),
        start=builder.allocs.start,
        end=heap.time,
        seen=bool(heap.sizes[HeapCounter.EVENTS]),
        anomalies=builder.anomaly_counts(),
    )
    if fault is not None:
        fault.partial = found
        raise fault
    return found


class _Deaths:
    """Ages at death, in cycles and time, by group of the replay."""

    def __init__(self) -> None:
        self.lives = ObjectReplay()
        self.lives.write_rows()
        self._bins = np.zeros((64, _BINS), np.int64)

    def take(self, rows: Rows) -> None:
        """Count rows of LIFETIME of objects that ended."""
        groups = _codes(self.lives.tallies)
        while len(self._bins) < len(groups):
            self._bins = np.concatenate((self._bins, np.zeros_like(self._bins)))
        rows = rows[rows["age"] >= 0]
        order = np.argsort(groups)
        at = order[np.searchsorted(groups[order], _codes(rows))] * _BINS
        flat = self._bins.reshape(-1)
        np.add.at(flat, at + np.minimum(rows["age"], _OLDEST - 1), 1)
        parts, octaves = np.frexp(np.maximum(rows["died"] - rows["born"], 1).astype(np.float64))
        np.add.at(flat, at + _OLDEST + octaves * _FINE + (parts * 2 * _FINE - _FINE).astype(np.int64), 1)

    def table(self, names: list[str], group: I8) -> Rows:
        """Rows of AGES; ``group`` says to which name each group of the replay belongs."""
        counts = self.lives.counts()
        bins = np.zeros((len(names), _BINS), np.int64)
        np.add.at(bins, group, self._bins[: len(group)])
        table = np.zeros(len(names), AGES)
        table["name"] = names
        for unit in ("objects", "bytes"):
            died = counts[f"free_{unit}"]
            np.add.at(table[f"died_{unit}"], group, died)
            np.add.at(table[f"alive_{unit}"], group, counts[f"start_{unit}"] + counts[f"alloc_{unit}"] - died)
        ages, times = bins[:, :_OLDEST], bins[:, _OLDEST:]
        for i, first in enumerate(FIRST_AGES):
            end = FIRST_AGES[i + 1] if i + 1 < len(FIRST_AGES) else _OLDEST
            table[f"age_{first}"] = ages[:, first:end].sum(axis=1)
        known = ages.sum(axis=1)
        table["unaged_objects"] = table["died_objects"] - known
        table["median_cycles"] = np.where(known, _median(ages), -1)
        octave, part = np.divmod(_median(times), _FINE)
        nearest = np.ldexp(1 + (part + 0.5) / _FINE, octave - 1)
        table["median_time"] = np.where(known, np.rint(nearest), -1)
        return table[np.lexsort((table["name"].astype(str), -table["alive_bytes"], -table["died_bytes"]))]


def _codes(rows: Rows) -> I8:
    """One number for type and size class."""
    return np.asarray(rows["type"].astype(np.int64) << 8 | rows["spanclass"], np.int64)


def _median(bins: I8) -> I8:
    """The bin in each row where half of what is counted is reached."""
    sums = np.cumsum(bins, axis=1)
    return np.asarray(np.argmax(2 * sums >= sums[:, -1:], axis=1), np.int64)
