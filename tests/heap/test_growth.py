"""What grew between two instants: against plain accounts at both, and against the heaps that ``heap`` gives."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference, reference_decoder
from support.trace_builder import GO, PROC, alloc_trace, free, mark, new, old, span

import gotrace
from gotrace.cli import main
from gotrace.heap.table import class_name
from gotrace.tables.growth import heaps_at
from gotrace.tables.instants import GROUPS

ALLOC_FREE = [path for path in reference.fixtures() if "allocfree" in path.name]
EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"
INSTANTS = (("start", "end"), ("gc:1", "gc:2"), ("gc:1", "end"), ("peak", "end"), ("start", "peak"), ("gc:2", "gc:2"))


def grown(trace: gotrace.Trace, by: Any, first: str, last: str) -> tuple[dict[str, tuple[int, int]], gotrace.Diff]:
    diff = gotrace.growth(trace, first, last, by=by)
    rows = {row["name"]: (int(row["inuse_objects_diff"]), int(row["inuse_bytes_diff"])) for row in diff.table}
    return {name: change for name, change in rows.items() if change != (0, 0)}, diff


def by_class(counts: dict[tuple[int, int], tuple[int, int]], sign: int, sums: dict[str, Any]) -> None:
    for (_, spanclass), (objects, size) in counts.items():
        before = sums.get(class_name(spanclass), (0, 0))
        sums[class_name(spanclass)] = (before[0] + sign * objects, before[1] + sign * size)


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
def test_as_in_two_plain_accounts(path: Path) -> None:
    data = reference.load(path)
    try:
        whole = reference_decoder.Replay(data)
    except AssertionError:
        pytest.skip("the account reads well-formed traces only")
    with gotrace.open(data) as trace:
        start, end = trace.start, trace.end
        instants = [(f"gc:{n}", begin) for n, begin in enumerate(whole.begins, 1)]
        instants += [(f"{time}ns", start + time + 1) for time in ((end - start) // 3, (end - start) * 4 // 5)]
        instants = sorted(instants, key=lambda item: item[1])[:6]
        for (first, since), (last, until) in pairwise(instants):
            want: dict[str, tuple[int, int]] = {}
            by_class(reference_decoder.Replay(data, stop=until).inuse, 1, want)
            by_class(reference_decoder.Replay(data, stop=since).inuse, -1, want)
            got, _ = grown(trace, "class", first, last)
            assert got == {name: change for name, change in want.items() if change != (0, 0)}


@pytest.mark.parametrize("by", GROUPS)
def test_growth_is_the_difference_of_two_heaps(by: Any) -> None:
    for path in (EXAMPLE, reference.DATA / "sites-go1.27-allocfree.trace.gz"):
        with gotrace.open(reference.load(path) if path.suffix == ".gz" else path) as trace:
            for first, last in INSTANTS:
                _, diff = grown(trace, by, first, last)
                before, after = (trace.heap(by=by, at=at) for at in (first, last))
                for metric, total in diff.totals.items():
                    assert total.diff == after.table[metric].sum() - before.table[metric].sum()
                    assert total.diff == diff.table[f"{metric}_diff"].sum()
                assert (diff.table["inuse_bytes_diff"][:-1] >= diff.table["inuse_bytes_diff"][1:]).all()
                pair = heaps_at(trace.reader, by, first, last)
                assert [heap.time for heap in pair] == [before.time, after.time]
                if by == "site":
                    noise = diff.table["inuse_bytes_high"] - diff.table["inuse_bytes_diff"]
                    assert noise.any() == ("sites" in path.name)


def test_objects_from_before_the_trace_are_included() -> None:
    events = [span(0, new=False), old(0), old(2), PROC, GO, mark(1), free(0), new(4), new(6), mark(2), free(2)]
    with gotrace.open(alloc_trace(events)) as trace:
        assert grown(trace, "type", "gc:1", "gc:2")[0] == {"(untyped) 16 B": (1, 16)}
        assert grown(trace, "type", "gc:2", "end")[0] == {"(untyped) 16 B": (-1, -16)}
        pair = heaps_at(trace.reader, "type", "start", "end")
        assert [heap.table["inuse_objects"].sum() for heap in pair] == [2, 2]
        assert [heap.cycles for heap in pair] == [0, 2]


def test_a_snapshot_is_of_the_start() -> None:
    """Events of another thread come before it in the file's order of time."""
    data = alloc_trace([span(0, new=False, dt=50), old(0)], [new(2), free(2, dt=200)], times=(100, 100))
    with gotrace.open(data) as trace:
        for last in ("64ns", "end"):
            before, _ = heaps_at(trace.reader, "type", "0s", last)
            assert before.table["inuse_objects"].sum() == trace.heap(at="0s").table["inuse_objects"].sum() == 1


def test_instants_without_an_answer() -> None:
    for first, last, words in (
        ("gc:2", "gc:1", "gc:1 is before gc:2"),
        ("gc:9", "end", "gc:9"),
        ("gc:1", "gc:9", "gc:9"),
        ("end", "peak", "peak is before end"),
        ("90s", "end", "end is before 90s"),
        ("3ms", "1ms", "1ms is before 3ms"),
        ("noon", "end", "noon"),
    ):
        with gotrace.open(EXAMPLE) as trace, pytest.raises(ValueError, match=words):
            heaps_at(trace.reader, "type", first, last)


def test_heaps_that_cannot_be_compared() -> None:
    with gotrace.open(EXAMPLE) as trace:
        heap = trace.heap()
        with pytest.raises(ValueError, match="grouped by type, the other by class"):
            gotrace.diff(heap, trace.heap(by="class"))
        with pytest.raises(TypeError, match="only be compared with a heap"):
            gotrace.diff(heap, EXAMPLE)
        with pytest.raises(ValueError, match="sort='luck'"):
            gotrace.diff(heap, heap, sort="luck")
        diff = gotrace.diff(heap, heap)
        assert not diff.exceeds(0)
        assert (diff.sort, diff.old, diff.new) == ("inuse_bytes", ["end"], ["end"])


def test_a_fault_after_the_first_instant() -> None:
    data = alloc_trace([PROC, GO, span(0), new(0), mark(1), new(2)]) + b"\7\7\7"
    with gotrace.open(data) as trace, pytest.raises(gotrace.TraceError) as caught:
        heaps_at(trace.reader, "type", "gc:1", "end")
    assert grown_objects(caught.value.partial) == 1
    with gotrace.open(data) as trace, pytest.raises(gotrace.TraceError) as caught:
        heaps_at(trace.reader, "type", "gc:2", "end")
    assert caught.value.partial is None
    stream = io.BytesIO(data[:-3])
    with gotrace.open(stream) as trace:
        assert grown_objects(heaps_at(trace.reader, "type", "gc:1", "end")) == 1


def grown_objects(pair: Any) -> int:
    return int(np.diff([heap.table["inuse_objects"].sum() for heap in pair])[0])


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heap", "--from", "gc:1", "--to", "gc:4", "-n", "1", str(EXAMPLE)]) == 0
    out, err = capsys.readouterr()
    assert not err
    assert re.search(r"to +2.6 MiB at the start of mark phase 4, \S+ ms after the start, 3 GC cycles later", out)
    assert out.count("objects") == 1
    assert main(["heap", "--to", "gc:1", "--json", str(EXAMPLE)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["from"]["at"], answer["to"]["cycles"]) == ("growth/1", "start", 0)
    assert answer["totals"]["inuse_bytes"]["diff"] == sum(row["inuse_bytes_diff"] for row in answer["rows"])
    plain = tmp_path / "plain.trace"
    plain.write_bytes(alloc_trace([PROC, GO]))
    assert main(["heap", "--from", "start", str(plain)]) in (0, 3)
    assert "GODEBUG=traceallocfree=1" in "".join(capsys.readouterr())
    for flags in (["--at", "peak"], ["--min-age", "1"], ["--leaks"], ["--temporary"]):
        with pytest.raises(SystemExit) as caught:
            main(["heap", "--from", "gc:1", *flags, str(EXAMPLE)])
        assert caught.value.code == 2
