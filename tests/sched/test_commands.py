"""The commands about scheduling: their numbers, against the tables; their formats; traces without an answer."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import shlex
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.reference import fixtures, load
from support.trace_builder import GO, PROC

import gotrace
from gotrace import GoState
from gotrace.cli import main
from gotrace.raw import Writer, event

SCHED = Path(__file__).parent.parent / "data" / "sched-go1.27.trace.gz"
COMMANDS: tuple[tuple[str, ...], ...] = (
    *(("goroutines", "--by", by) for by in ("function", "goroutine", "creator")),
    ("goroutines", "--goroutine", "1"),
    *(("sched", "--by", by) for by in ("function", "proc", "reason")),
    *(("block", "--by", by) for by in ("stack", "function", "reason", "waker")),
    ("net",),
    *(("syscalls", "--by", by) for by in ("call", "stack", "function")),
    ("gc",),
    ("mmu",),
    ("mmu", "--per-goroutine", "--include", "stw", "--window", "1ms"),
    ("tasks",),
    ("tasks", "--task", "1"),
    ("regions",),
    ("critical", "--task", "1"),
    ("critical", "--name", "part 0"),
    ("critical", "--region", "locked"),
    ("critical", "--goroutine", "1", "--time", "1ms:2ms"),
    ("procs",),
)
KINDS = {"sched": GoState.RUNNABLE, "block": GoState.WAITING, "syscalls": GoState.SYSCALL}


@pytest.fixture
def sched(tmp_path: Path) -> Path:
    path = tmp_path / "sched.trace"
    path.write_bytes(gzip.decompress(SCHED.read_bytes()))
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_text_and_json(command: tuple[str, ...], sched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, str(sched)]) == 0
    assert capsys.readouterr().out
    assert main([*command, str(sched), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == f"{command[0]}/1"
    assert document["rows"]
    assert document["error"] is None
    assert main([*command, str(sched), "--csv", "-n", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(document["rows"]) + 1


@pytest.mark.parametrize("path", fixtures(), ids=lambda path: path.name)
def test_every_fixture(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load(path)
    whole = tmp_path / "whole.trace"
    whole.write_bytes(data)
    cut = tmp_path / "cut.trace"
    cut.write_bytes(data[: len(data) * 2 // 3])
    with gotrace.open(data) as trace:
        broken = trace.validate().error is not None
    for command in ("goroutines", "sched", "block", "net", "syscalls", "gc", "mmu", "tasks", "regions", "procs"):
        code = main([command, str(whole), "--json"])
        error = json.loads(capsys.readouterr().out)["error"]
        assert code == (0 if error is None else 3)
        assert error is None or broken or error["class"] == "MissingDataError"
        assert main([command, str(cut)]) == 3
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        *(("sched", by) for by in ("function", "reason")),
        *(("block", by) for by in ("function", "reason", "stack")),
        *(("syscalls", by) for by in ("function", "stack")),
    ],
)
def test_waits_are_those_of_the_states(kind: str, by: str) -> None:
    """Counts, sums, extremes and percentiles, against lists of the rows of ``states``."""
    with gotrace.open(SCHED) as trace:
        states, lives = trace.states.to_numpy(), trace.goroutines.to_numpy()
        texts = trace.strings["text"]
        result = getattr(gotrace, kind)(trace, by=by)
        function = {(row["g"], row["life"]): texts[row["function"]] for row in lives}
        found: dict[Any, list[int]] = defaultdict(list)
        left_out = [0, 0]
        for row in states[states["state"] == KINDS[kind]]:
            if kind == "block" and texts[row["reason"]] == "forever":
                continue
            if row["end"] < 0:
                left_out[0] += 1
            elif not row["start_known"]:
                left_out[1] += 1
            else:
                key: Any = function[row["g"], row["life"]] or "(no stack seen)"
                if by == "reason":
                    key = texts[row["reason"]] or "(created or woken)"
                elif by == "stack":
                    key = tuple(trace.stack(int(row["stack"])))
                found[key].append(int(row["end"] - row["start"]))
    assert [result.open, result.unknown] == left_out
    names = result.stacks if by == "stack" else result.table["name"].tolist()
    assert len(names) == len(found)
    for name, row in zip(names, result.table, strict=True):
        waits = sorted(found[name])
        assert (row["count"], row["total"], row["max"]) == (len(waits), sum(waits), waits[-1])
        for column, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)):
            exact = waits[math.ceil(q * len(waits)) - 1]
            assert abs(int(row[column]) - exact) <= 0.008 * exact
    assert result.histogram[1].sum() == result.table["count"].sum()
    assert (np.diff(result.table["total"]) <= 0).all()


def test_goroutines_add_up() -> None:
    with gotrace.open(SCHED) as trace:
        lives = trace.goroutines.to_numpy()
        for by in ("function", "goroutine", "creator"):
            result = gotrace.goroutines(trace, by=by)
            assert result.table["count"].sum() == len(lives)
            for column in ("exec", "sched", "block", "syscall", "total", "assist"):
                assert result.table[column].sum() == lives[column].sum()
        reasons = result.reasons[result.reasons["kind"] == 1]
        assert reasons["time"].sum() == lives["block"].sum()


def test_procs_of_waits() -> None:
    """The P of a wait is that of the interval that follows it."""
    with gotrace.open(SCHED) as trace:
        states = trace.states.to_numpy()
        result = gotrace.sched(trace, by="proc")
    states = states[np.lexsort((states["start"], states["g"]))]
    found: dict[str, int] = defaultdict(int)
    for row, after in pairwise(states):
        if row["state"] == GoState.RUNNABLE and row["end"] >= 0 and row["start_known"]:
            runs = after["g"] == row["g"] and after["state"] == GoState.RUNNING
            found[f"P{after['p']}" if runs else "(unknown)"] += 1
    assert found == {row["name"]: row["count"] for row in result.table}


def test_selections(sched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sched", str(sched), "--time", "1ms:2ms", "--json"]) == 0
    part = json.loads(capsys.readouterr().out)
    with gotrace.open(sched) as trace:
        states = trace.states.to_numpy()
        start = trace.start
    runnable = states[(states["state"] == GoState.RUNNABLE) & (states["start"] >= start + 10**6)]
    runnable = runnable[
        (runnable["start"] < start + 2 * 10**6) & (runnable["end"] >= 0) & (runnable["start_known"] > 0)
    ]
    assert sum(row["count"] for row in part["rows"]) == len(runnable)
    assert main(["sched", str(sched), "--sort", "max", "--json"]) == 0
    longest = [row["max"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert longest == sorted(longest, reverse=True)
    with pytest.raises(SystemExit):
        main(["sched", "-", "--time", "1ms:2ms", "--by", "nothing"])


def test_nothing_to_report(tmp_path: Path, sched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.trace"
    empty.write_bytes(gotrace.raw.Writer(26).frequency(1, 100, 10**9).end_of_generation().getvalue())
    for command, what in (("sched", "goroutines"), ("tasks", "tasks"), ("mmu", "procs")):
        assert main([command, str(empty)]) == 3
        assert f"no {what}" in capsys.readouterr().err
    only_regions = tmp_path / "regions.trace"
    only_regions.write_bytes(trace_of(event("UserRegionBegin", 1, 0, 1, 0)))
    assert main(["tasks", str(only_regions)]) == 3
    assert "no tasks: a program records them" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["net", "sync", "syscall", "sched", "block", "wall", "assist", "stw"])
def test_profiles(kind: str, sched: Path, tmp_path: Path) -> None:
    with gotrace.open(sched) as trace:
        profile = gotrace.profile(trace, kind)
    for suffix in (".pb.gz", ".collapsed", ".speedscope.json"):
        out = tmp_path / f"{kind}{suffix}"
        assert main(["export", "--profile", kind, str(sched), "-o", str(out)]) == 0
        assert out.stat().st_size
    total = sum(int(line.rpartition(" ")[2]) for line in (tmp_path / f"{kind}.collapsed").read_text().splitlines())
    assert total == profile.table["time"].sum()
    document = json.loads((tmp_path / f"{kind}.speedscope.json").read_text())
    assert document["profiles"][-1]["unit"] == "nanoseconds"
    assert sum(document["profiles"][-1]["weights"]) == total


def test_parts_of_profiles(sched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "p.collapsed")
    assert main(["export", "--profile", "sched", "--time", "1ms:2ms", str(sched), "-o", out]) == 0
    with gotrace.open(sched) as trace:
        part = gotrace.profile(trace, "sched", time=(trace.start + 10**6, trace.start + 2 * 10**6))
    total = sum(int(line.rpartition(" ")[2]) for line in Path(out).read_text().splitlines())
    assert 0 < total == part.table["time"].sum()
    for wrong in (["--region", "x", "-o", out], ["--profile", "sched", "-o", str(tmp_path / "p.csv")]):
        with pytest.raises(SystemExit):
            main(["export", str(sched), *wrong])


def test_objects() -> None:
    with gotrace.open(SCHED) as trace:
        for function in ("sched", "block", "net", "syscalls", "goroutines", "gc", "mmu", "tasks", "regions", "procs"):
            result = getattr(gotrace, function)(trace)
            assert len(result.table)
            assert repr(result).startswith(f"<gotrace.{type(result).__name__}: ")
            assert result._repr_html_().startswith("<table>")
    assert gotrace.sched([SCHED, SCHED])[0].table["count"].sum() == gotrace.sched(SCHED).table["count"].sum()


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("tasks --name nope", 0, "no tasks of this name: without --name"),
        ("tasks --name whol", 0, "no tasks of this name (did you mean 'whole'?): "),
        ("tasks --time 20ms:20.1ms", 0, "no tasks start in this range of time"),
        ("tasks --name whole --time 20ms:20.1ms", 0, "no tasks start in this range of time"),
        ("regions --name lock", 0, "no regions of this name (did you mean 'locked'?): "),
        ("goroutines --function main.mian", 0, "no goroutine starts with this function (did you mean 'main.main'?): "),
        ("tasks --task 999", 3, "no such task: "),
        ("tasks --task 0", 3, "no such task: "),
        ("goroutines --goroutine 999", 3, "no such goroutine: "),
        ("critical --goroutine 1 --time 5s:6s", 2, "starts after the end of the trace"),
        ("critical --task 999", 3, "no such task: "),
        ("critical --name whol", 3, "no tasks of this name (did you mean 'whole'?): "),
        ("critical --region lock", 3, "no regions of this name (did you mean 'locked'?): "),
        ("critical --goroutine 999", 3, "no such goroutine: "),
        ("critical --goroutine 999 --time 0:1ms", 3, "no such goroutine in this range of time: "),
        ("mmu --window 0", 2, "argument --window: 0: must be longer than 0"),
        ("export --profile sched --format collapsed -o - --function nope", 3, "no goroutines that start with nope: "),
        ("export --profile sched --format collapsed -o - --region nope", 3, "no regions of the name nope: "),
        ("sched --time 2s:1s", 2, "the range ends before it starts"),
        ("critical --task x", 2, "argument --task: 'x' is not a whole number"),
        ("sched -n x", 2, "argument -n/--top: 'x' is not a whole number"),
    ],
)
def test_what_does_not_exist(
    line: str, code: int, message: str, sched: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert main([*line.split(), str(sched)]) == code
    except SystemExit as stopped:
        assert stopped.code == code
    assert message in "".join(capsys.readouterr())


def trace_of(*events: bytes) -> bytes:
    """Return a trace in which goroutine 1 runs."""
    trace = Writer(26).frequency(1, 100, 10**9).batch(1, 1, 100, [PROC, GO, *events])
    return trace.strings(1, {1: b"work"}).end_of_generation().getvalue()


@pytest.mark.parametrize("what", [{"region": "work"}, {"task": 7}])
def test_what_starts_before_the_trace_has_the_path_from_its_start(what: dict[str, Any]) -> None:
    ends = event("UserRegionEnd", 1000, 5, 1, 0), event("UserTaskEnd", 1000, 7, 0)
    with gotrace.open(trace_of(*ends)) as trace:
        (path,) = gotrace.critical(trace, **what).paths
        created = trace.goroutines["created"][0]
    assert 0 < created == path["start"] < path["end"]


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("--task 2", 'task 2 "part 0", 67.7 µs: '),
        ("--name whole", 'task 1 "whole", 72.5 ms: '),
        ("--name 'part 0'", '4 tasks "part 0", 8.36 ms: '),
        ("--region locked", '12 regions "locked", 23.2 ms: '),
        ("--goroutine 1", "G1 main.main, 72.9 ms: "),
        ("--goroutine 1 --time 1ms:2ms", "G1 main.main, 1 ms: "),
    ],
)
def test_what_a_path_is_of(line: str, subject: str, sched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["critical", *shlex.split(line), str(sched)]) == 0
    assert capsys.readouterr().out.startswith(subject)


def test_where_a_goroutine_is_made_runnable(sched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["goroutines", "--goroutine", "5", "-n", "0", str(sched)]) == 0
    text = capsys.readouterr().out
    assert "runnable, made runnable at main.main\n" in text
    intervals = text.partition("state\n")[2]
    assert "running\n" in intervals
    assert "(no stack seen)" not in intervals


def test_what_a_gap_ends_is_no_complete_wait() -> None:
    waits = event("GoCreate", 1, 2, 0, 0), event("GoBlock", 5, 1, 0)
    broken = Writer(26).frequency(2, 500, 10**9).batch(2, 1, 500, [PROC, GO, event("GoStart", 1, 9, 1)])
    last = Writer(26).frequency(3, 900, 10**9).batch(3, 1, 900, [PROC, GO])
    first = Writer(26).frequency(1, 100, 10**9).batch(1, 1, 100, [PROC, GO, *waits]).strings(1, {1: b"sync"})
    data = first.end_of_generation().getvalue()
    data += b"".join(more.end_of_generation().getvalue()[16:] for more in (broken, last))
    with gotrace.open(data, errors="salvage") as trace:
        found = gotrace.sched(trace), gotrace.block(trace)
        assert trace.losses
    assert [(len(waits.table), waits.open) for waits in found] == [(0, 1), (0, 1)]


def test_mark_assists_are_part_of_the_time_of_goroutines() -> None:
    with gotrace.open(SCHED) as trace:
        (row,) = gotrace.gc(trace).assists
        lives = trace.goroutines.to_numpy()
    lives = lives[lives["assist"] > 0]
    assert [row[name] for name in ("assist", "exec", "total")] == [
        lives[name].sum() for name in ("assist", "exec", "total")
    ]
    assert 0 < row["assist"] <= row["total"]


def test_the_path_of_a_time_is_inside_the_trace(sched: Path) -> None:
    with gotrace.open(sched) as trace:
        (path,) = gotrace.critical(trace, goroutine=1, time=(trace.end - 10**6, trace.end + 10**9)).paths
        assert trace.end - 10**6 == path["start"] < path["end"] <= trace.end + 1
        with pytest.raises(ValueError, match="after the end of the trace"):
            gotrace.critical(trace, goroutine=1, time=(trace.end + 2, trace.end + 10**9))


def test_lists_are_json_in_csv(sched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["critical", "--task", "1", str(sched)]
    assert main([*args, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert main([*args, "--csv"]) == 0
    cells = [row["stack"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert [json.loads(cell) for cell in cells] == [row["stack"] for row in rows]


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        (["gc"], ["total", "stopping", "stopped"]),
        (["procs"], ["running", "idle", "syscall", "gc", "starts", "steals"]),
        (["mmu"], ["window", "mmu", "q01", "q05", "q10", "q50"]),
        (["critical", "--name", "whole"], ["time"]),
    ],
)
def test_sort(command: list[str], columns: list[str], sched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def rows_of(*flags: str) -> list[dict[str, Any]]:
        assert main([command[0], str(sched), *command[1:], *flags, "--json"]) == 0
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["rows"]
        return rows

    parts = {"total": ("start", "end"), "time": ("start", "end")}
    parts |= {"stopping": ("start", "stopped"), "stopped": ("stopped", "restarted")}
    unsorted = rows_of()
    assert len(unsorted) > 1
    for column in columns:
        rows = rows_of("--sort", column)
        if column in parts and command[0] != "procs":
            first, last = parts[column]
            values = [row[last] - row[first] for row in rows]
        else:
            values = [row[column] for row in rows]
        assert values == sorted(values, reverse=True)
        assert sorted(map(repr, rows)) == sorted(map(repr, unsorted))
        assert main([command[0], str(sched), *command[1:], "--sort", column, "-n", "1"]) == 0
        assert "more" in capsys.readouterr().out


def test_sorted_pauses_are_those_of_their_cycles(sched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starts = []
    for flags in ([], ["--sort", "stopped"]):
        assert main(["gc", str(sched), *flags, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        pauses = [cycle["mark_pause"] for cycle in document["cycles"]]
        starts.append([None if row is None else document["rows"][row]["start"] for row in pauses])
    assert starts[0] == starts[1] != []
