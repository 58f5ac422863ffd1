"""Spans at an instant: occupancy by size class, and spans held by a single object. Never here: output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gotrace.analysis.traces import analysis
from gotrace.dtypes import I4, Rows
from gotrace.errors import TraceError, check_choice
from gotrace.experiments.allocfree import TypeTable
from gotrace.heap.objects import NEVER, ObjectReplay
from gotrace.heap.rows import ReplayCounter
from gotrace.heap.table import Heap, class_name
from gotrace.spec.sizeclasses import CLASS_BYTES, MANUAL
from gotrace.tables.instants import EXACT_GROUPS, ExactGroup, HeapBuilder, HeapQuery, Instant, QueryError, replay
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
"""A row for each type, or other group, and size class: spans held by a single object of it, bytes of the objects, free
bytes."""


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
    at, by : str
        As requested; ``by`` is what a row of ``holders`` groups.
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
    by: str = "type"
    seen: bool = False
    anomalies: dict[str, int] = field(default_factory=dict)

    def view(self) -> View:
        """Return the spans by size class."""
        n, free, total = (int(self.table[name].sum()) for name in ("spans", "free_bytes", "span_bytes"))
        columns = ("name", "spans", "span_bytes", "slots", "live_objects", "live_bytes", "free_bytes")
        facts = f"{n:,} spans of objects, {free:,} of {total:,} bytes free, at {self.at}"
        return View(facts, columns, cells(self.table, columns), len(self.table))


@analysis
def spans(
    trace: Trace, at: Instant = "end", *, by: ExactGroup = "type", progress: Callable[[int], None] | None = None
) -> Spans:
    """Return how full spans are: the fragmentation of the heap.

    One pass; two for the peak.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    at : str, float or timedelta
        The instant, as for :meth:`gotrace.Trace.heap`.
    by : {"type", "class", "package", "goroutine", "task", "region"}
        What holders are grouped by, as for :meth:`gotrace.Trace.heap`; those of different size classes are separate.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Spans

    Raises
    ------
    TypeError, ValueError
        The group is wrong, the instant does not exist, or a stream would have to be read twice.
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    check_choice("by", by, EXACT_GROUPS)
    query, rows, time = HeapQuery(by, at), NEVER, None
    instant = str(query.at)
    if instant == "peak":
        if trace.reader.source.once:
            raise QueryError("spans at the peak require two passes, but a stream can be read once: save it to a file")
        peak = HeapBuilder(trace.reader.new_pass(), HeapQuery(at="peak"))
        time = replay(peak, progress).time
        query, rows = HeapQuery(by), int(peak.lives.life[ReplayCounter.PEAK_ROWS])
    builder = HeapBuilder(trace.reader.new_pass(), query, rows)
    fault: TraceError | None = None
    try:
        heap = replay(builder, progress)
    except TraceError as error:
        if not isinstance(error.partial, Heap):
            raise
        fault, heap = error, error.partial
    result = Spans(
        occupancy(builder.lives),
        holders(builder.lives, _names(builder, by)),
        heap.memory,
        time=heap.time if time is None else time,
        start=heap.start,
        at=instant,
        by=by,
        seen=heap.seen,
        anomalies=heap.anomalies,
    )
    if fault is not None:
        fault.partial = result
        raise fault
    return result


def occupancy(objects: ObjectReplay) -> Rows:
    """Return rows of SPANS for the live spans of a replay."""
    held, _ = _spans_of_objects(objects)
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


def _spans_of_objects(objects: ObjectReplay) -> tuple[Rows, I4]:
    """Return rows of HELD_SPAN of spans of objects, and the row of ``tallies`` of each span's first object, or -1."""
    held, first = objects.live_spans()
    of_objects = held["spanclass"] != MANUAL
    return held[of_objects], first[of_objects]


def _names(heap: HeapBuilder, by: ExactGroup) -> list[str]:
    """Return what each group of a replay is called as a holder, which does not include its size class."""
    if by == "type":
        return type_names(heap.lives, heap.read_pass.types)
    names, group = heap.groups(heap.lives.tallies)
    return [names[i] for i in group.tolist()]


def type_names(objects: ObjectReplay, types: TypeTable) -> list[str]:
    """Return the type of each group of a replay of types and size classes."""
    return [types.label(kind) for kind in objects.tallies["type"].tolist()]


def holders(objects: ObjectReplay, names: list[str]) -> Rows:
    """Return rows of HOLDERS for the live spans of a replay, by the name of each of its groups."""
    held, first = _spans_of_objects(objects)
    single = (held["live"] == 1) & (held["spanclass"] > 1)
    sums: dict[tuple[str, int], list[int]] = {}
    for group, span in zip(first[single].tolist(), held[single], strict=True):
        entry = sums.setdefault((names[group], int(span["spanclass"])), [0, 0, 0])
        entry[0] += 1
        entry[1] += int(span["elem"])
        entry[2] += int(span["bytes"] - span["elem"])
    table = np.zeros(len(sums), HOLDERS)
    for row, ((name, spanclass), (n, object_bytes, free_bytes)) in zip(table, sums.items(), strict=True):
        row["name"], row["class"] = name, class_name(spanclass)
        row["spans"], row["object_bytes"], row["free_bytes"] = n, object_bytes, free_bytes
    return table[np.lexsort((table["name"].astype(str), -table["free_bytes"]))]
