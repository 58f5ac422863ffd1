"""Small hand-written traces, for tests. Never here: assertions."""

from __future__ import annotations

from collections.abc import Sequence

from gotrace.raw import Writer, allocfree_info, event

BASE = 0xC000000000
PROC, GO = event("ProcStatus", 1, 0, 1), event("GoStatus", 1, 1, 1, 2)
PAGE = 8192


def types(*names: str, first: int = 1) -> list[tuple[int, int, int, int, bytes]]:
    """Return types with ids from ``first`` on, whose addresses differ by name."""
    return [(first + i, 0x400000 + 64 * sum(name.encode()), 16, 8, name.encode()) for i, name in enumerate(names)]


def alloc_trace(
    *threads: Sequence[bytes],
    version: int = 23,
    tables: Sequence[bytes] = (),
    info: bool = True,
    times: Sequence[int] = (),
    frequency: int = 15_625_000,
) -> bytes:
    """Return a trace of one generation: threads 1, 2, ... with these events, from ``times`` on, default 100."""
    trace = Writer(version).frequency(1, 100, frequency)
    if info:
        trace.batch(1, -1, 100, allocfree_info(BASE), experiment=1)
    for m, events in enumerate(threads, 1):
        trace.batch(1, m, times[m - 1] if times else 100, b"".join(events))
    for table in tables:
        trace.batch(1, -1, 100, table, experiment=1)
    return trace.end_of_generation().getvalue()


def span(
    page: int, pages: int = 1, sizeclass: int = 2, *, noscan: bool = False, dt: int = 1, new: bool = True
) -> bytes:
    """A heap span of a size class."""
    return event("SpanAlloc" if new else "Span", dt, page, pages, sizeclass << 2 | noscan << 1)


def manual(page: int, pages: int = 4) -> bytes:
    """A manually managed span."""
    return event("SpanAlloc", 1, page, pages, 1)


def new(word: int, kind: int = 0, dt: int = 1) -> bytes:
    """An object allocated at the 8-byte word counted from the heap's base."""
    return event("HeapObjectAlloc", dt, word, kind)


def old(word: int, kind: int = 0, dt: int = 1) -> bytes:
    """An object of the snapshot."""
    return event("HeapObject", dt, word, kind)


def free(word: int, dt: int = 1) -> bytes:
    """The free of an object."""
    return event("HeapObjectFree", dt, word)


def mark(number: int, dt: int = 1) -> bytes:
    """A whole mark phase."""
    return event("GCBegin", dt, 2 * number, 0) + event("GCEnd", 1, 2 * number + 1)
