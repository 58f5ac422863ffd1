"""The bytes of a trace by kind of event, thread or generation. Never here: output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from gotrace.analysis.traces import analysis
from gotrace.dtypes import I8, Rows
from gotrace.errors import TraceError, check_choice
from gotrace.tables.builder import Builder
from gotrace.trace import Trace
from gotrace.views import View, Viewed, cells
from gotrace.wire import header
from gotrace.wire.rows import BatchKind
from gotrace.wire.segments import Segment

FOOTPRINT = np.dtype([("name", "O"), ("count", "i8"), ("nbytes", "i8")], align=True)
"""A row for each group: the number of its events or records, and their bytes in the trace."""

Parts: TypeAlias = Iterator[tuple[str, int, int]]
"""Names, numbers of events or records, and bytes."""

_RECORDS = {
    BatchKind.STRINGS: "(strings)",
    BatchKind.STACKS: "(stacks)",
    BatchKind.SAMPLES: "(CPU samples)",
    BatchKind.SYNC: "(clocks)",
    BatchKind.EXPERIMENT: "(experimental batches)",
    BatchKind.END: "(ends of generations)",
}


@dataclass(repr=False)
class Footprint(Viewed):
    """The bytes of a trace by group.

    Attributes
    ----------
    table : ndarray of FOOTPRINT
        Most ``nbytes`` first. By type, names in parentheses are not events: ``(strings)``, ``(batch headers)`` and
        others. By thread and by generation, ``count`` is the number of events, and ``nbytes`` includes all batches.
    by : {"type", "thread", "generation"}
    nbytes : int
        The sum of the column ``nbytes``: the size of the trace, if it is intact.
    error : TraceError or None
        The fault that ended the pass.
    """

    table: Rows = field(default_factory=lambda: np.empty(0, FOOTPRINT))
    by: str = "type"
    nbytes: int = 0
    error: TraceError | None = None

    def view(self) -> View:
        """Return events and bytes by group."""
        columns = ("name", "count", "nbytes")
        return View(f"{self.nbytes:,} bytes by {self.by}", columns, cells(self.table, columns), len(self.table))


@analysis
def footprint(
    trace: Trace,
    *,
    by: Literal["type", "thread", "generation"] = "type",
    progress: Callable[[int], None] | None = None,
) -> Footprint:
    """Return how many bytes of a trace each kind of event takes, in one pass.

    Bytes are counted as they are in the trace. ``go tool trace -d=footprint`` counts those of the shortest encoding.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    by : {"type", "thread", "generation"}
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Footprint
        If the trace is damaged, that of everything before the fault, which is in ``error``.

    Raises
    ------
    ValueError
        ``by`` is not one of the groups.
    """
    check_choice("by", by, _SPLITS)
    builder = FootprintBuilder(trace, by)
    error = trace.reader.new_pass().run(builder, progress=progress)
    table = builder.table()
    return Footprint(table, by, int(table["nbytes"].sum()), error)


class FootprintBuilder(Builder):
    """Adds up the parts of segments; yields no rows."""

    def __init__(self, trace: Trace, by: str = "type") -> None:
        self._trace = trace
        self._split = _SPLITS[by]
        self.counts: Counter[str] = Counter()
        self.nbytes: Counter[str] = Counter({"(header)": header.SIZE})

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Add the parts of a segment."""
        for name, count, nbytes in self._split(segment, self._trace):
            self.counts[name] += count
            self.nbytes[name] += nbytes
        return iter(())

    def table(self) -> Rows:
        """Return rows of FOOTPRINT, most bytes first."""
        return np.array([(name, self.counts[name], n) for name, n in self.nbytes.most_common()], FOOTPRINT)


def _by_type(segment: Segment, trace: Trace) -> Parts:
    batches, tables = segment.slab.batches, segment.tables
    sums = segment.footprint(np.zeros(len(segment.by_thread().cursors), np.int32), 1)[0]
    for number in np.flatnonzero(sums[:, 0]).tolist():
        yield trace.experiments.event_names[number], *sums[number].tolist()
    records = {BatchKind.STRINGS: tables.strings, BatchKind.STACKS: tables.stacks, BatchKind.SAMPLES: tables.samples}
    for kind, name in _RECORDS.items():
        sizes = batches["size"][batches["kind"] == kind]
        if len(sizes):
            yield name, len(records.get(kind, sizes)), int(sizes.sum(dtype=np.int64))
    yield "(batch headers)", len(batches), int(batches["head"].sum(dtype=np.int64))


def _by_thread(segment: Segment, trace: Trace) -> Parts:
    batches = segment.slab.batches
    cursors = segment.by_thread().cursors["m"]
    ms = np.unique(np.concatenate((cursors, batches["m"])))
    counts = segment.footprint(np.searchsorted(ms, cursors).astype(np.int32), len(ms))[:, :, 0].sum(axis=1)
    nbytes = np.zeros(len(ms), np.int64)
    np.add.at(nbytes, np.searchsorted(ms, batches["m"]), _whole(batches))
    for m, count, n in zip(ms.tolist(), counts.tolist(), nbytes.tolist(), strict=True):
        yield "(no thread)" if m == -1 else str(m), count, n


def _by_generation(segment: Segment, trace: Trace) -> Parts:
    slab = segment.slab
    counts = segment.count(segment.by_thread())[0].sum(axis=1)
    nbytes = np.zeros(slab.n_gens, np.int64)
    np.add.at(nbytes, slab.batches["gen"], _whole(slab.batches))
    yield from zip(map(str, slab.numbers.tolist()), counts.tolist(), nbytes.tolist(), strict=True)


def _whole(batches: Rows) -> I8:
    """Return the bytes of batches, with their headers."""
    return batches["head"] + batches["size"].astype(np.int64)


_SPLITS = {"type": _by_type, "thread": _by_thread, "generation": _by_generation}
