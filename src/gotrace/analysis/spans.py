"""Spans and what is live in them: occupancy by size class, and spans that one object keeps. Never here: output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gotrace.dtypes import Rows
from gotrace.errors import TraceError
from gotrace.experiments.allocfree import UNRESOLVED, UNTYPED, TypeTable
from gotrace.heap.objects import NEVER, ObjectReplay
from gotrace.heap.rows import ReplayCounter
from gotrace.heap.table import Heap, class_name
from gotrace.spec.sizeclasses import CLASS_BYTES, MANUAL
from gotrace.tables.instants import HeapBuilder, HeapQuery, QueryError, replay
from gotrace.trace import Trace

SPANS = np.dtype(
    [
        ("name", "O"),  # str, the size class
        ("spanclass", "u1"),  # as in ALLOC
        ("spans", "i8"),
        ("span_bytes", "i8"),
        ("slots", "i8"),
        ("live_objects", "i8"),
        ("live_bytes", "i8"),
        ("free_bytes", "i8"),  # span_bytes without live_bytes: free slots, and what is too short for one
        ("tail_bytes", "i8"),  # of these, behind the last slot: never used
        ("empty_spans", "i8"),  # no live object
        ("single_spans", "i8"),  # one live object of several slots
    ],
    align=True,
)
"""A row for each size class of spans that hold objects."""

HOLDERS = np.dtype(
    [("name", "O"), ("class", "O"), ("spans", "i8"), ("object_bytes", "i8"), ("free_bytes", "i8")], align=True
)
"""A row for each type and size class: spans that one object of it keeps alone, its bytes, and the bytes free there."""


@dataclass
class Spans:
    """Spans at an instant.

    Attributes
    ----------
    table : ndarray of SPANS
        Most ``free_bytes`` first.
    holders : ndarray of HOLDERS
        Most ``free_bytes`` first.
    memory : dict
        Spans and goroutine stacks: numbers and bytes; those managed by hand, too.
    time, start : int
        ns, the instant and the trace's first event; -1 when there is none.
    at : str
        As asked for.
    seen : bool
        Whether there was any alloc/free event.
    anomalies : dict
        What was odd on the way, with counts.
    """

    table: Rows
    holders: Rows
    memory: dict[str, int]
    time: int = -1
    start: int = -1
    at: str = "end"
    seen: bool = False
    anomalies: dict[str, int] = field(default_factory=dict)


def spans(trace: Trace, at: str = "end", progress: Callable[[int], None] | None = None) -> Spans:
    """Say how full spans are: the heap's true fragmentation.

    One pass; two for the peak.

    Parameters
    ----------
    trace : Trace
    at : str
        The instant, as of :meth:`gotrace.Trace.heap`.

    Returns
    -------
    Spans

    Raises
    ------
    ValueError
        There is no such instant, or a stream would have to be read twice.
    TraceError
        The trace is damaged; ``partial`` of the error holds what came before the fault.
    """
    query, rows, time = HeapQuery(at=at), NEVER, None
    if at == "peak":
        if trace.reader.source.once:
            raise QueryError("spans at the peak need two passes, which a stream cannot: save it to a file first")
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
    found = Spans(
        *(table, holders, heap.memory, heap.time if time is None else time, heap.start),
        *(at, heap.seen, heap.anomalies),
    )
    if fault is not None:
        fault.partial = found
        raise fault
    return found


def occupancy(lives: ObjectReplay, types: TypeTable) -> tuple[Rows, Rows]:
    """Rows of SPANS and of HOLDERS of the spans that are live now."""
    held, first = lives.live_spans()
    objects = held["spanclass"] != MANUAL
    held, kinds = held[objects], lives.tallies["type"][first[objects]]
    return _by_class(held), _alone(held, kinds, types)


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


def _alone(held: Rows, kinds: Rows, types: TypeTable) -> Rows:
    alone = (held["live"] == 1) & (held["spanclass"] > 1)
    sums: dict[tuple[int, int], list[int]] = {}
    for kind, row in zip(kinds[alone].tolist(), held[alone], strict=True):
        entry = sums.setdefault((kind, int(row["spanclass"])), [0, 0, 0])
        entry[0] += 1
        entry[1] += int(row["elem"])
        entry[2] += int(row["bytes"] - row["elem"])
    table = np.zeros(len(sums), HOLDERS)
    for found, ((kind, spanclass), (n, object_bytes, free_bytes)) in zip(table, sums.items(), strict=True):
        named = kind not in (UNTYPED, UNRESOLVED)
        found["name"] = types.label(kind) if named else types.names[kind]
        found["class"] = class_name(spanclass)
        found["spans"], found["object_bytes"], found["free_bytes"] = n, object_bytes, free_bytes
    return table[np.lexsort((table["name"].astype(str), -table["free_bytes"]))]
