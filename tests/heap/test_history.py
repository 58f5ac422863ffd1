"""The heap over time against the replay of ``Trace.heap``, against a slow account, and against programs that know."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support import reference, reference_decoder, trace_builder

import gotrace
from gotrace.analysis import history as heap_history
from gotrace.analysis.history import History
from gotrace.analysis.history import history as collect
from gotrace.heap import objects as replay_of_objects
from gotrace.heap.rows import HeapLayout
from gotrace.heap.table import UNKNOWN_SPAN, package_of
from gotrace.raw import Writer, allocfree_info, event

FIXTURES = [path for path in reference.fixtures() if "allocfree" in path.name]
COUNTS = [f"{what}_{unit}" for what in ("inuse", "alloc", "free", "start") for unit in ("objects", "bytes")]


def by_type(history: History, name: str) -> dict[str, int]:
    return {key: int(n) for key, n in zip(history.names, history.types[name].tolist(), strict=True) if n}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name.split(".trace")[0])
def test_ends_where_the_replay_ends(path: Path) -> None:
    data = reference.load(path)
    history = collect(data)
    with gotrace.open(data) as trace:
        heap = trace.heap()
    for name in COUNTS:
        assert by_type(history, name) == {row["name"]: int(row[name]) for row in heap.table if row[name]}, name
    assert history.anomalies == heap.anomalies
    last = history.moments[-1]
    assert int(last["inuse_bytes"]) == int(heap.table["inuse_bytes"].sum()) == int(history.series[:, -1].sum())
    assert int(last["inuse_objects"]) == int(heap.table["inuse_objects"].sum())
    assert int(last["span_bytes"]) == heap.memory["heap_span_bytes"]
    assert int(last["manual_bytes"]) == heap.memory["manual_span_bytes"]
    assert int(last["stack_bytes"]) == heap.memory["stack_bytes"]
    outside = sum(row["inuse_bytes"] for row in history.classes if row["name"] == UNKNOWN_SPAN)
    assert int(history.grid[-1, 0].sum()) == int(last["inuse_bytes"]) - outside
    assert int(history.grid[-1, 1].sum()) == int(last["span_bytes"] + last["manual_bytes"])


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name.split(".trace")[0])
def test_parts_add_up(path: Path) -> None:
    history = collect(reference.load(path))
    moments, types = history.moments, history.types
    assert (history.series.sum(axis=0) == moments["inuse_bytes"]).all()
    assert history.peak_bytes == int(types["peak_bytes"].sum()) == int(moments["most_bytes"].max())
    assert (moments["most_bytes"] >= moments["inuse_bytes"]).all()
    for name in ("alloc_objects", "alloc_bytes", "free_objects", "free_bytes"):
        assert int(history.cycles[name].sum()) == int(moments[name].sum()) == int(types[name].sum())
    assert len(history.cycles) == len(history.begins) + 1
    assert sum(row["inuse_bytes"] for row in history.classes) == int(types["inuse_bytes"].sum())
    assert int(history.left[2:, 0].sum()) == int(types["old_objects"].sum())
    assert int(history.left[2:, 1].sum()) == int(types["old_bytes"].sum())


@pytest.mark.parametrize("path", [path for path in FIXTURES if "known" in path.name], ids=lambda path: path.name[:12])
def test_what_a_program_knows_of_itself(path: Path) -> None:
    truth = json.loads(path.with_name(path.name.replace(".trace.gz", ".json")).read_text())
    history = collect(reference.load(path))
    for name, known in truth.items():
        row = history.names.index(name)
        types = history.types
        assert int(types["alloc_objects"][row]) == known["alloc"], name
        assert int(types["inuse_objects"][row]) == known["inuse"], name
        assert int(types["inuse_bytes"][row]) == known["inuse"] * known["size"], name
        # All of it was allocated before three forced collections, and what was garbage went with the first of them.
        assert int(types["old_objects"][row]) == known["inuse"], name
    assert len(history.begins) >= 3


def test_ages_and_bins_against_a_slow_account(tmp_path: Path) -> None:
    """Random objects and collections on one thread; a dict of live objects is the account."""
    draw = random.Random(7)
    events = [trace_builder.PROC, trace_builder.span(0), trace_builder.span(1, sizeclass=5, noscan=True)]
    time = 100 + 3
    live: dict[int, tuple[int, int]] = {}  # word: bytes, cycle
    cycle, total, peak = 0, 0, 0
    ages, sizes, times = [], [], []
    for _ in range(3000):
        kind = draw.random()
        time += 1
        if kind < 0.01:
            events.append(event("GCBegin", 1, cycle, 0))
            cycle += 1
        elif kind < 0.02:
            events.append(event("GCEnd", 1, cycle))
        elif kind < 0.6:
            word = draw.choice([2 * draw.randrange(500), 1024 + 6 * draw.randrange(150)])
            if word in live:
                time -= 1
                continue
            live[word] = (16 if word < 1024 else 48, cycle)
            events.append(trace_builder.new(word))
        elif live:
            word = draw.choice(list(live))
            size, born = live.pop(word)
            ages.append((cycle - born, size))
            events.append(trace_builder.free(word))
        else:
            time -= 1
            continue
        total = sum(size for size, _ in live.values())
        peak = max(peak, total)
        times.append(time)
        sizes.append(total)
    trace = Writer(23).frequency(1, 100, 10**9).batch(1, -1, 100, allocfree_info(trace_builder.BASE), experiment=1)
    trace.batch(1, 1, 100, b"".join(events))
    history = collect(trace.end_of_generation().getvalue())
    assert history.peak_bytes == peak
    assert int(history.bins[-1]) == history.end == times[-1]
    for end, moment in zip(history.bins[:-1].tolist(), history.moments[:-1], strict=True):
        before = [size for at, size in zip(times, sizes, strict=True) if at < end]
        assert int(moment["inuse_bytes"]) == (before[-1] if before else 0)
    assert len(history.begins) == cycle
    for age in range(HeapLayout.AGES - 1):
        died = [size for a, size in ages if a == age]
        left = [size for size, born in live.values() if cycle - born == age]
        assert history.ages[age].tolist() == [len(died), sum(died)]
        assert history.left[age].tolist() == [len(left), sum(left)]


def test_the_map_grows_downward_and_upward() -> None:
    spans = [trace_builder.span(page) for page in (40_000, 3, 900_000, 39_999, 12)]
    objects = [trace_builder.new(page * 1024) for page in (40_000, 3, 900_000, 39_999, 12)]
    history = collect(trace_builder.alloc_trace([trace_builder.PROC, *spans, *objects]))
    low, step = history.grid_base, history.grid_step
    held: npt.NDArray[np.int64] = np.zeros(128, np.int64)
    for page in (40_000, 3, 900_000, 39_999, 12):
        held[(trace_builder.BASE + page * trace_builder.PAGE - low) // step] += trace_builder.PAGE
    assert history.grid[-1, 1].tolist() == held.tolist()
    assert int(history.grid[-1, 0].sum()) == 5 * 16


def test_many_types_share_the_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from gotrace.raw import allocfree_types

    monkeypatch.setattr(heap_history, "MOST_SERIES", 256)
    names = [f"main.T{i}" for i in range(600)]
    types = [(1 + i, 0x400000 + 64 * i, 16, 8, name.encode()) for i, name in enumerate(names)]
    events = [
        trace_builder.PROC,
        trace_builder.span(0),
        trace_builder.span(1),
        *(trace_builder.new(2 * i, i + 1) for i in range(600)),
    ]
    history = collect(trace_builder.alloc_trace(events, tables=[allocfree_types(types)]))
    assert history.crowded
    assert sorted(history.names) == sorted(names)
    assert int(history.series[:-1, -1].sum()) == 256 * 16
    assert int(history.series[-1, -1]) == (600 - 256) * 16


def test_a_damaged_trace_gives_what_came_before() -> None:
    data = trace_builder.alloc_trace(
        [trace_builder.PROC, trace_builder.span(0), trace_builder.new(0), trace_builder.new(2)]
    )
    history = collect(data + b"\xff\xff")
    assert history.error is not None
    whole = collect(data)
    assert whole.error is None
    assert by_type(history, "inuse_bytes") == by_type(whole, "inuse_bytes") == {"(untyped) 16 B": 32}


def test_nothing_to_replay() -> None:
    history = collect(Writer(23).frequency(1, 100).batch(1, 1, 100, trace_builder.PROC + trace_builder.GO).getvalue())
    assert not history.seen
    assert not history.names


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("main.Order", "main"),
        ("*ssa.Value", "ssa"),
        ("[]*ssa.Value", "ssa"),
        ("[4]net/http.Header", "net/http"),
        ("string", "(builtin)"),
        ("map[string]main.Order", "(builtin)"),
        ("map.group[string]main.Order", "map"),
        ("sync/atomic.Pointer[main.T]", "sync/atomic"),
        ("func(main.T) error", "(builtin)"),
        ("struct { a main.T }", "(builtin)"),
        ("(untyped) 16 B noscan", "(untyped)"),
        ("", "(builtin)"),
        ("</script><script>alert(1)", "(builtin)"),
    ],
)
def test_package_of(name: str, package: str) -> None:
    assert package_of(name) == package


def test_the_account_agrees_on_live_bytes() -> None:
    """The slow replay of tests/support/reference_decoder.py, which shares nothing with gotrace."""
    path = next(path for path in FIXTURES if "heap-go1.27" in path.name)
    data = reference.load(path)
    truth = reference_decoder.Replay(data)
    inuse = sum(c["start_bytes"] + c["alloc_bytes"] - c["free_bytes"] for c in truth.counts.values())
    assert int(collect(data).types["inuse_bytes"].sum()) == inuse


@pytest.mark.parametrize("path", FIXTURES[::6], ids=lambda path: path.name.split(".trace")[0])
def test_damage_ends_in_an_error_and_sums_hold(path: Path) -> None:
    data = bytearray(reference.load(path))
    draw = random.Random(path.name)
    for _ in range(25):
        damaged = bytearray(data)
        for _ in range(draw.randrange(1, 4)):
            damaged[draw.randrange(16, len(damaged))] = draw.randrange(256)
        for errors in ("raise", "salvage"):
            with gotrace.open(bytes(damaged), errors=errors) as opened:
                history = opened.history()
            types = history.types
            if history.names:
                assert int(types["inuse_bytes"].sum()) == int(history.moments["inuse_bytes"][-1])
                inuse = types["start_objects"] + types["alloc_objects"] - types["free_objects"]
                assert (inuse == types["inuse_objects"]).all()


def test_cycles_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (heap_history, replay_of_objects):
        monkeypatch.setattr(module, "MOST_CYCLES", 10)
    pairs = [event(name, 1, i, *([0] * (name == "GCBegin"))) for i in range(50) for name in ("GCBegin", "GCEnd")]
    history = collect(trace_builder.alloc_trace([trace_builder.PROC, *pairs]))
    assert len(history.begins) == 10
    assert len(history.cycles) == 11
    assert len(history.marks) == 10
