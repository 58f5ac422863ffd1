"""Damaged and odd traces: only TraceError comes out, what came before is there, nothing hangs."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference, reference_decoder
from support.streams import Stream
from support.trace_builder import GO, PROC, alloc_trace, free, manual, new, old, span

import gotrace
from gotrace.analysis.ages import lifespans
from gotrace.raw import Writer, allocfree_types, assemble, event

SMALL = [
    path
    for path in reference.fixtures()
    if path.name.startswith(("coro", "session-go1.23", "session-go1.27", "sched-go1.27.", "joined-go1.25"))
]


def read_all(data: bytes) -> tuple[list[str], gotrace.TraceError | None]:
    """Alloc/free rows before the fault, and the fault."""
    rows: list[str] = []
    try:
        with gotrace.open(data) as trace:
            for chunk in trace.iterate(["allocs", "experimental", "generations", "frames", "samples", "strings"]):
                rows += map(repr, chunk["allocs"].tolist())
    except gotrace.TraceError as error:
        assert error.detail
        assert error.offset <= len(data)
        return rows, error
    return rows, None


def survive(data: bytes) -> None:
    """Every way to read it ends well or with a TraceError."""
    read_all(data)
    for read in (
        *(lambda t: t.heap(), lambda t: t.heap(by="task", at="peak"), lambda t: t.heap(by="goroutine", min_age=1)),
        lambda t: t.heap(by="site", max_age=1),
        *(lambda t: list(t.generations), lambda t: b"".join(t.text("wire")), gotrace.sites, lifespans),
    ):
        try:
            with gotrace.open(data) as trace:
                read(trace)
        except gotrace.TraceError:
            pass


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.name[:-9])
def test_cut_anywhere(path: object) -> None:
    """A prefix gives a prefix of the rows, and an error unless it ends between batches of an old version."""
    data = reference.load(path)  # type: ignore[arg-type]
    whole, error = read_all(data)
    assert error is None
    cuts = range(len(data)) if len(data) < 3000 else sorted(random.Random(5).sample(range(len(data)), 400))
    for cut in cuts:
        try:
            rows, error = read_all(data[:cut])
        except gotrace.TraceError:
            continue
        if error is None:
            assert data[5:7] != b"26" or cut == 16 or data[cut - 1] == 0x34
        else:
            assert error.offset <= cut
        if data[5:7] == b"26":  # older ones deliver a generation that lacks its tables
            assert rows == whole[: len(rows)]
        else:
            assert len(rows) <= len(whole)


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.name[:-9])
def test_flipped_bytes(path: object) -> None:
    data = reference.load(path)  # type: ignore[arg-type]
    dice = random.Random(zlib.crc32(data))
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 5))):
            damaged[dice.randrange(len(damaged))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        survive(bytes(damaged))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([22, 23, 25, 26]), st.booleans())
def test_noise(noise: bytes, version: int, framed: bool) -> None:
    trace = Writer(version)
    if framed:
        trace.frequency(1, 5).batch(1, 1, 5, noise).end_of_generation()
    else:
        trace.raw(noise)
    survive(trace.getvalue())


words = st.integers(0, 3000)
kinds = st.integers(0, 4)
steps = st.sampled_from([0, 1, 1, 1, 2, 60, 5000])
events = st.lists(
    st.one_of(
        st.builds(new, words, kinds, steps),
        st.builds(new, words, kinds, steps),
        st.builds(free, words, steps),
        st.builds(free, words, steps),
        st.builds(old, words, kinds, steps),
        st.builds(span, st.integers(0, 3), st.just(1), st.sampled_from([1, 2, 5, 28]), noscan=st.booleans(), dt=steps),
        st.builds(span, st.integers(0, 3), st.just(1), st.sampled_from([2, 28]), new=st.just(False)),
        st.builds(span, st.integers(0, 3), st.integers(1, 9), st.just(0)),
        st.builds(manual, st.integers(0, 3)),
        st.builds(lambda page, dt: event("SpanFree", dt, page), st.integers(0, 3), steps),
        st.builds(lambda i, o: event("GoroutineStackAlloc", 1, i, o), st.integers(0, 8), st.integers(0, 14)),
        st.builds(lambda i, o: event("GoroutineStack", 1, i, o), st.integers(0, 8), st.integers(0, 14)),
        st.builds(lambda i: event("GoroutineStackFree", 1, i), st.integers(0, 8)),
        st.sampled_from([PROC, GO, event("ProcStop", 1), event("GoBlock", 1, 0, 0), event("HeapGoal", 1, 5)]),
        st.builds(lambda dt: event("GCBegin", dt, 1, 0), steps),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(events, st.integers(1, 400)), min_size=1, max_size=5),
    st.sampled_from([23, 26]),
    st.booleans(),
    st.sampled_from([15_625_000, 3_579_545, 1_000_000_007]),
    st.integers(1, 40),
)
def test_any_events_agree_with_the_account(
    threads: list[tuple[list[bytes], int]], version: int, info: bool, frequency: int, length: int
) -> None:
    """Whatever happens, also what no runtime writes: rows, counts and oddities equal the brute-force replay."""
    tables = [allocfree_types([(1, 64, 8, 0, b"a"), (3, 128, 8, 0, b"b")])]
    data = alloc_trace(
        *(thread for thread, _ in threads), version=version, tables=tables, info=info, frequency=frequency,
        times=[base for _, base in threads],
    )  # fmt: skip
    replay = reference_decoder.Replay(data)
    with gotrace.open(data) as trace:
        rows = [row for chunk in trace.iterate("allocs", step_size=64 * length) for row in chunk]
        heap = trace.heap()
        lives = [life for chunk in trace.iterate("lifetimes", step_size=64 * length) for life in chunk]
    for name in gotrace.ALLOC.names or ():
        assert [row[name] for row in rows] == [row[name] for row in replay.rows], name
    with gotrace.open(data) as trace:
        peak = trace.heap(at="peak")
        time = int(rows[len(rows) // 2]["time"]) if rows else trace.start
        then = trace.heap(at=f"{max(time - trace.start, 0)}ns")
    stopped = reference_decoder.Replay(data, stop=max(time, trace.start) + 1)
    far = any(row["inset"] == 255 for row in rows)  # then the rows do not say what pointer was meant
    for name in () if far else gotrace.LIFETIME.names or ():
        assert [life[name] for life in lives] == [life[name] for life in replay.lifetimes], name
    if not far:
        for found, said in ((peak, replay.peak), (then, stopped.inuse)):
            assert found.table["inuse_objects"].sum() == sum(objects for objects, _ in said.values())
            assert found.table["inuse_bytes"].sum() == sum(size for _, size in said.values())
    assert heap.anomalies == {name: n for name, n in replay.odd.items() if n}
    for column in ("alloc_objects", "alloc_bytes", "free_objects", "free_bytes", "start_objects", "start_bytes"):
        assert heap.table[column].sum() == sum(counts[column] for counts in replay.counts.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8), st.sampled_from([22, 26]))
def test_text_and_back(texts: list[bytes], version: int) -> None:
    """What dump prints, assemble reads: the same records, in the shortest form."""
    texts = [text for text in texts if text]  # Go's text leaves empty data out
    trace = Writer(version).frequency(1, 5).strings(1, dict(enumerate(texts, 1)))
    trace.stacks(1, {1: [(1, 2, 3, 4), (5, 6, 7, 8)]} if not texts else {})
    trace.batch(1, -1, 3, b"\0" + b"".join(texts), experiment=1).end_of_generation()
    if not texts:
        trace = Writer(version).frequency(1, 5).end_of_generation()
    with gotrace.open(trace.getvalue()) as read:
        text = b"".join(read.text("wire"))
    again = assemble(text, version=version)
    with gotrace.open(Stream(again)) as read:
        # Only the sizes of batches may tell them apart: they are written as they were, padded or not.
        assert b"".join(read.text("wire")) == text


def test_memory_is_bounded_by_the_input() -> None:
    """Spans and objects that claim much and fill little."""
    import tracemalloc

    pages = [span(64 * i, 1, 1) + new(64 * 1024 * i + 7 * i % 1024) for i in range(40_000)]
    trace = Writer(23).frequency(1, 5)
    for at in range(0, len(pages), 3000):
        trace.batch(1, 1, 5, b"".join(pages[at : at + 3000]))
    data = trace.getvalue()
    tracemalloc.start()
    with gotrace.open(data) as read:
        heap = read.heap()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert heap.table["inuse_objects"].sum() == 40_000
    assert peak < 80 * len(data) + (8 << 20)
