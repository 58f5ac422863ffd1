"""Lifetimes: every object's birth and end, against the plain account and on cases made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import reference, reference_decoder
from support.streams import Stream
from support.trace_builder import BASE, GO, PROC, alloc_trace, free, new, old, span

import gotrace
from gotrace import End
from gotrace.raw import event

ALLOC_FREE = [path for path in reference.fixtures() if "allocfree" in path.name]
COLUMNS = ("address", "born", "died", "born_cycle", "died_cycle", "age", "end")


def lives(data: bytes, *columns: str) -> list[tuple[Any, ...]]:
    with gotrace.open(data) as trace:
        rows = trace.lifetimes.to_numpy()
    return [tuple(row[c].item() for c in columns) for row in rows]


def mark(number: int, dt: int = 1) -> bytes:
    """A whole mark phase."""
    return event("GCBegin", dt, 2 * number, 0) + event("GCEnd", 1, 2 * number + 1)


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
def test_every_object_as_in_the_account(path: Any) -> None:
    data = reference.load(path)
    try:
        told = reference_decoder.Replay(data)
    except AssertionError:
        pytest.skip("the account reads well-formed traces only")
    with gotrace.open(data) as trace:
        rows = trace.lifetimes.to_numpy()
        heap = trace.heap()
    assert len(rows) == len(told.lifetimes)
    for name in rows.dtype.names or ():
        assert rows[name].tolist() == [life[name] for life in told.lifetimes], name
    living = rows[rows["end"] == End.ALIVE]
    assert len(living) == heap.table["inuse_objects"].sum()
    assert living["size"].sum() == heap.table["inuse_bytes"].sum()
    assert trace.anomalies == heap.anomalies


def test_a_life() -> None:
    rows = lives(alloc_trace([PROC, GO, span(0), new(0), mark(1), free(0), new(2), mark(2), mark(3)]), *COLUMNS)
    (first, second) = rows
    assert first == (BASE, 64 * 104, 64 * 107, 0, 1, 1, End.FREED)
    assert second == (BASE + 16, 64 * 108, -1, 1, -1, 2, End.ALIVE)


def test_what_was_there_has_no_age() -> None:
    rows = lives(alloc_trace([span(0, new=False), old(0), old(2), mark(1), free(0)]), "born", "age", "end")
    assert rows == [(-1, -1, End.FREED), (-1, -1, End.ALIVE)]


def test_ends_without_a_free() -> None:
    events = [span(0), new(0), new(0), new(2), event("SpanFree", 1, 0)]
    assert lives(alloc_trace(events), "address", "end") == [
        (BASE, End.REUSED), (BASE, End.SPAN), (BASE + 16, End.SPAN),
    ]  # fmt: skip


def test_a_tiny_slot_is_one_object() -> None:
    assert lives(alloc_trace([span(0, noscan=True), new(0), new(1), free(0)]), "end") == [(End.FREED,)]


def test_an_object_outside_all_spans() -> None:
    assert lives(alloc_trace([new(81), free(80)]), "address", "size", "end") == [(BASE + 648, 0, End.FREED)]


def test_a_snapshot_comes_first_whatever_its_times_say() -> None:
    snapshot = [span(0, new=False), *(old(2 * i, dt=10) for i in range(50)), event("HeapGoal", 1, 5)]
    other = [free(2 * 40), free(2 * 45), new(2 * 45)]
    rows = lives(alloc_trace(snapshot, other, times=(100, 200)), "born", "end")
    assert rows.count((-1, End.FREED)) == 2
    assert len(rows) == 51


def test_neither_steps_nor_streams_change_a_row() -> None:
    data = reference.load(next(path for path in ALLOC_FREE if path.name.startswith("known-go1.27")))
    with gotrace.open(data) as trace:
        whole = trace.lifetimes.to_numpy()
    for source in (data, Stream(data)):
        with gotrace.open(source) as trace:
            parts = list(trace.iterate("lifetimes", step_size=1000))
        assert max(map(len, parts)) == 1000 // gotrace.LIFETIME.itemsize
        assert (np.concatenate(parts) == whole).all()


def test_rows_before_a_fault() -> None:
    data = alloc_trace([span(0), new(0), free(0), new(2)]) + b"\7\7\7"
    n = 0
    with pytest.raises(gotrace.TraceError), gotrace.open(data) as trace:
        for rows in trace.iterate("lifetimes"):
            n += len(rows)
    assert n == 2
