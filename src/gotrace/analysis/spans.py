"""Spans at an instant: occupancy by size class, and spans held by a single object. Never here: output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gotrace.analysis.traces import analysis
from gotrace.dtypes import I4, Rows
from gotrace.errors import TraceError
from gotrace.experiments.allocfree import UNRESOLVED, UNTYPED, TypeTable
from gotrace.heap.objects import NEVER, ObjectReplay
from gotrace.heap.rows import ReplayCounter
from gotrace.heap.table import Heap, class_name
from gotrace.spec.sizeclasses import CLASS_BYTES, MANUAL
from gotrace.tables.instants import HeapBuilder, HeapQuery, Instant, QueryError, replay
from gotrace.trace import Trace
from gotrace.views import View, Viewed, cells

SPANS = np.dtype(
    [
        ("name", "O"),  # str, the size class
        ("spanclass", "u1"),  # as in ALLOC
        ("spans", "i8"),
        ("span_bytes", "i8"),
        ("slots", "i8"),
        ("live_objects", "i8"),
        ("live_bytes", "i8"),
        ("free_bytes", "i8"),  # span_bytes - live_bytes: free slots and tails
        ("tail_bytes", "i8"),  # of these, bytes after the last slot: never used
        ("empty_spans", "i8"),  # without a live object
        ("single_spans", "i8"),  # with several slots and a single live object
    ],
    align=True,
)
"""A row for each size class, of its spans of objects."""

HOLDERS = np.dtype(
    [("name", "O"), ("class", "O"), ("spans", "i8"), ("object_bytes", "i8"), ("free_bytes", "i8")], align=True
)
"""A row for each type and size class: spans held by a single object of it, bytes of the objects, free bytes."""


@dataclass(repr=False)
class Spans(Viewed):
    """Spans at an instant.

    Attributes
    ----------
    table : ndarray of SPANS
        Most ``free_bytes`` first.
    holders : ndarray of HOLDERS
        Most ``free_bytes`` first.
    memory : dict
        Spans, manually managed spans and goroutine stacks: numbers and bytes.
    time, start : int
        ns, the instant and the first event of the trace; -1 if there is none.
    at : str
        As requested.
    seen : bool
        True if the trace has alloc/free events.
    anomalies : dict
        Anomalies by name, with counts.
    """

    table: Rows
    holders: Rows
    memory: dict[str, int]
    time: int = -1
    start: int = -1
    at: str = "end"
    seen: bool = False
    anomalies: dict[str, int] = field(default_factory=dict)

    def view(self) -> View:
        """Return the spans by size class."""
        n, free, total = (int(self.table[name].sum()) for name in ("spans", "free_bytes", "span_bytes"))
        columns = ("name", "spans", "span_bytes", "slots", "live_objects", "live_bytes", "free_bytes")
        facts = f"{n:,} spans of objects, {free:,} of {total:,} bytes free, at {self.at}"
        return View(facts, columns, cells(self.table, columns), len(self.table))


@analysis
def spans(trace: Trace, at: Instant = "end", progress: Callable[[int], None] | None = None) -> Spans:
    """Return how full spans are: the fragmentation of the heap.

    One pass; two for the peak.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    at : str, float or timedelta
        The instant, as for :meth:`gotrace.Trace.heap`.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Spans

    Raises
    ------
    ValueError
        The instant does not exist, or a stream would have to be read twice.
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    query, rows, time = HeapQuery(at=at), NEVER, None
    instant = str(query.at)
    if instant == "peak":
        if trace.reader.source.once:
            raise QueryError("spans at the peak require two passes, but a stream can be read once: save it to a file")
        peak = HeapBuilder(trace.reader.new_pass(), query)
        time = replay(peak, progress).time
        query, rows = HeapQuery(), int(peak.lives.life[ReplayCounter.PEAK_ROWS])
    builder = HeapBuilder(trace.reader.new_pass(), query, rows)
    fault: TraceError | None = None
    try:
        heap = replay(builder, progress)
    except TraceError as error:
        if not isinstance(error.partial, Heap):
            raise
        fault, heap = error, error.partial
    table, holders = occupancy(builder.lives, builder.read_pass.types)
    result = Spans(
        *(table, holders, heap.memory, heap.time if time is None else time, heap.start),
        *(instant, heap.seen, heap.anomalies),
    )
    if fault is not None:
        fault.partial = result
        raise fault
    return result


def occupancy(objects: ObjectReplay, types: TypeTable) -> tuple[Rows, Rows]:
    """Return rows of SPANS and of HOLDERS for the live spans of a replay."""
    held, first = objects.live_spans()
    of_objects = held["spanclass"] != MANUAL
    held, first = held[of_objects], first[of_objects]
    kinds = np.full(len(held), UNTYPED, np.int32)
    kinds[first >= 0] = objects.tallies["type"][first[first >= 0]]
    return _by_class(held), _single(held, kinds, types)


def _by_class(held: Rows) -> Rows:
    classes, place = np.unique(held["spanclass"], return_inverse=True)
    table = np.zeros(len(classes), SPANS)
    table["spanclass"] = classes
    table["name"] = [class_name(spanclass) for spanclass in classes.tolist()]
    live_bytes = held["live"] * held["elem"]
    slots = np.array([_slots(int(row["spanclass"]), int(row["bytes"])) for row in held], np.int64)
    for name, values in (
        ("spans", np.ones(len(held), np.int64)),
        ("span_bytes", held["bytes"]),
        ("slots", slots),
        ("live_objects", held["live"]),
        ("live_bytes", live_bytes),
        ("free_bytes", held["bytes"] - live_bytes),
        ("tail_bytes", held["bytes"] - slots * held["elem"]),
        ("empty_spans", held["live"] == 0),
        ("single_spans", (held["live"] == 1) & (held["spanclass"] > 1)),
    ):
        np.add.at(table[name], place, values)
    return table[np.argsort(-table["free_bytes"], kind="stable")]


def _slots(spanclass: int, nbytes: int) -> int:
    return nbytes // CLASS_BYTES[spanclass >> 1] if spanclass > 1 else 1


def _single(held: Rows, kinds: I4, types: TypeTable) -> Rows:
    single = (held["live"] == 1) & (held["spanclass"] > 1)
    sums: dict[tuple[int, int], list[int]] = {}
    for kind, span in zip(kinds[single].tolist(), held[single], strict=True):
        entry = sums.setdefault((kind, int(span["spanclass"])), [0, 0, 0])
        entry[0] += 1
        entry[1] += int(span["elem"])
        entry[2] += int(span["bytes"] - span["elem"])
    table = np.zeros(len(sums), HOLDERS)
    for row, ((kind, spanclass), (n, object_bytes, free_bytes)) in zip(table, sums.items(), strict=True):
        named = kind not in (UNTYPED, UNRESOLVED)
        row["name"] = types.label(kind) if named else types.names[kind]
        row["class"] = class_name(spanclass)
        row["spans"], row["object_bytes"], row["free_bytes"] = n, object_bytes, free_bytes
    return table[np.lexsort((table["name"].astype(str), -table["free_bytes"]))]
