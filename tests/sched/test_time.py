"""Parts of a trace by time: a range has what happens up to its end, less what happens up to its start."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.proc_oracle import ProcOracle
from support.random_schedules import Schedule
from support.sched_oracle import Oracle, Row

import gotrace
from gotrace import GoState
from gotrace.analysis.profiles import KINDS
from gotrace.cli import main

SCHED = reference.load(reference.DATA / "sched-go1.27.trace.gz")
BROKEN = reference.load(reference.DATA / "sched-go1.27-tiny.trace.gz")
SUMS = ("exec", "sched", "block", "syscall", "syscall_block", "assist", "sweep", "stw", "total")
USE = ("running", "idle", "syscall", "gc", "starts", "steals")
SOURCES = {
    "trace": SCHED,
    "ids that are used again": reference.load(reference.DATA / "coro-go1.27.trace.gz"),
    **{f"schedule {seed}": Schedule(seed, steps=300).trace for seed in range(6)},
}


def windows(data: bytes, n: int) -> list[tuple[int, int]]:
    """Return ranges of time, at or just after events."""
    with gotrace.open(data) as trace:
        times = trace.events["time"][:-1].tolist()
    dice = random.Random(0)
    found = [sorted(dice.choice(times) + dice.randrange(2) for _ in range(2)) for _ in range(n)]
    return [(first, end) for first, end in found if first < end]


def clipped(states: list[Row], first: int, end: int) -> list[int]:
    """Return how long states last in a range."""
    return [(row["end"] if row["end"] >= 0 else end) - max(row["start"], first) for row in states]


def time_by(oracle: Oracle) -> Counter[tuple[int, str]]:
    """Return the time of all goroutines by kind and reason."""
    found: Counter[tuple[int, str]] = Counter()
    for row in oracle.goroutine_times:
        found[row["kind"], row["name"] if row["kind"] == gotrace.TimeKind.WAITING else ""] += row["time"]
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_goroutines(name: str) -> None:
    data = SOURCES[name]
    for first, end in windows(data, 5):
        before, whole = Oracle(data, until=first), Oracle(data, until=end)
        past = {(row["g"], row["life"]): row for row in before.goroutines}
        running = {
            (row["g"], row["life"]) for row in before.states if row["end"] < 0 and row["state"] == GoState.RUNNING
        }
        with gotrace.open(data) as trace:
            found = gotrace.goroutines(trace, by="goroutine", time=(first, end))
        rows = {row["name"]: row for row in found.table}
        for life in whole.goroutines:
            key = life["g"], life["life"]
            old = past.get(key, {"ended": -1})
            if old["ended"] >= 0:
                continue
            row = rows.pop(f"G{key[0]}{f' life {key[1]}' if key[1] else ''} {life['function'] or '(no stack seen)'}")
            assert {column: row[column] for column in SUMS} == {c: life[c] - old.get(c, 0) for c in SUMS}
            assert row["starts"] == life["starts"] - old.get("starts", 0) + (key in running)
            waits = [s for s in whole.states if (s["g"], s["life"], s["state"]) == (*key, GoState.RUNNABLE)]
            assert row["sched_max"] == max([0, *clipped(waits, first, end)])
        assert not rows
        wanted = time_by(whole)
        wanted.subtract(time_by(before))
        times: Counter[tuple[int, str]] = Counter()
        for kind, reason, time in found.reasons[["kind", "reason", "time"]].tolist():
            times[kind, "" if kind == gotrace.TimeKind.RANGE else reason.replace("(no reason)", "")] += time
        assert +times == +wanted


@pytest.mark.parametrize("name", SOURCES)
def test_procs(name: str) -> None:
    data = SOURCES[name]
    for first, end in windows(data, 4):
        before, whole = (ProcOracle(Oracle(data, until=until)) for until in (first, end))
        with gotrace.open(data) as trace:
            found = gotrace.procs(trace, time=(first, end))
        assert found.duration == end - first
        for some, old, rows in (
            (found.procs, before.procs, whole.procs),
            (found.threads, before.threads, whole.threads),
        ):
            past = {row["id"]: row for row in old}
            assert some["id"].tolist() == [row["id"] for row in rows]
            for row, wanted in zip(some, rows, strict=True):
                before_first = past.get(row["id"], dict.fromkeys(USE, 0))
                for column in USE:
                    if column == "idle" and not before_first[column]:
                        continue  # a thread is not idle before its first transition, but may have a proc
                    assert row[column] == wanted[column] - before_first[column], column


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOURCES)
def test_profiles(kind: str, name: str) -> None:
    """Ranges that follow each other divide a profile, also one of regions."""
    with gotrace.open(SOURCES[name]) as trace:
        start, end = trace.start, trace.end
        cuts = [None, start + (end - start) // 3, start + (end - start) // 2, None]
        regions = [None, *set(trace.strings["text"][trace.region_times["name"]])]
        for region in regions:
            whole = gotrace.profile(trace, kind, region=region).table["time"].sum()
            parts = [gotrace.profile(trace, kind, region=region, time=part) for part in pairwise(cuts)]
            assert sum(part.table["time"].sum() for part in parts) == whole, region


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("per_goroutine", [False, True])
def test_utilization(per_goroutine: bool, name: str) -> None:
    with gotrace.open(SOURCES[name]) as trace:
        whole = gotrace.utilization(trace, per_goroutine=per_goroutine)
        for first, end in windows(SOURCES[name], 5):
            part = gotrace.utilization(trace, per_goroutine=per_goroutine, time=(first, end))
            inside = [rows for rows in whole if rows["time"][-1] > first and rows["time"][0] < end]
            assert len(part) == len(inside)
            for rows, all_rows in zip(part, inside, strict=True):
                times = np.unique(np.concatenate((rows["time"][:-1], all_rows["time"])))
                times = times[(times >= rows["time"][0]) & (times < rows["time"][-1])]
                assert (rows["time"][0], rows["time"][-1]) == (
                    max(first, all_rows["time"][0]),
                    min(end, all_rows["time"][-1]),
                )
                some, wanted = (
                    r["util"][np.searchsorted(r["time"], times, side="right") - 1] for r in (rows, all_rows)
                )
                assert some.tolist() == wanted.tolist()


@pytest.mark.parametrize("name", SOURCES)
def test_pauses_and_cycles(name: str) -> None:
    with gotrace.open(SOURCES[name]) as trace:
        whole = gotrace.gc(trace)
        for first, end in windows(SOURCES[name], 5):
            part = gotrace.gc(trace, time=(first, end))
            for rows, all_rows in ((part.pauses, whole.pauses), (part.cycles, whole.cycles)):
                ended = {row["start"]: row["end"] for row in all_rows if row["end"] >= 0}
                wanted = {start: time for start, time in ended.items() if first <= time and start < end}
                found = {row["start"]: row["end"] for row in rows}
                assert wanted.keys() == found.keys() & ended.keys()
                assert all(found[start] == (time if time < end else -1) for start, time in wanted.items())
            for cycle in part.cycles:
                of_cycle = part.pauses[[row for row in (cycle["sweep_pause"], cycle["mark_pause"]) if row >= 0]]
                assert (of_cycle["end"] >= first).all()
            assert part.start == whole.start


def test_tasks_and_regions() -> None:
    with gotrace.open(SCHED) as trace:
        for analysis, table in ((gotrace.tasks, "task_times"), (gotrace.regions, "region_times")):
            rows = getattr(trace, table).to_numpy()
            rows = rows[rows["inherited"] == 0] if table == "region_times" else rows[rows["task"] > 0]
            for first, end in [*windows(SCHED, 5), (None, trace.start + 3_000_000)]:
                inside = (rows["start"] >= (first or -1)) & (rows["start"] < end)
                found = analysis(trace, time=(first, end)).table
                assert (found["count"] + found["incomplete"] * (table == "task_times")).sum() == inside.sum()


def test_waits_that_start_in_a_range_last_beyond_it() -> None:
    with gotrace.open(SCHED) as trace:
        states = trace.states.to_numpy()
        waits = states[(states["state"] == GoState.RUNNABLE) & (states["end"] >= 0) & (states["start_known"] > 0)]
        longest = waits[np.argmax(waits["end"] - waits["start"])]
        found = gotrace.sched(trace, time=(int(longest["start"]), int(longest["start"]) + 1))
    assert found.table["max"].tolist() == [longest["end"] - longest["start"]]


ANALYSES: dict[str, Callable[[Any, Any], Any]] = {
    "goroutines": lambda source, time: gotrace.goroutines(source, time=time).table.tolist(),
    "one goroutine": lambda source, time: gotrace.goroutines(source, goroutine=1, time=time).intervals.tolist(),
    "gc": lambda source, time: gotrace.gc(source, time=time).cycles.tolist(),
    "procs": lambda source, time: gotrace.procs(source, time=time).threads.tolist(),
    "profile": lambda source, time: gotrace.profile(source, "wall", time=time).table.tolist(),
    "utilization": lambda source, time: [rows.tolist() for rows in gotrace.utilization(source, time=time)],
    "critical": lambda source, time: gotrace.critical(source, goroutine=1, time=time).table.tolist(),
}


@pytest.mark.parametrize("name", ANALYSES)
def test_what_follows_is_not_read(name: str) -> None:
    """A fault after the generation in which a range ends has no effect, nor the kind of input or the jobs."""
    analysis = ANALYSES[name]
    data = reference.load(reference.DATA / "sched-go1.26-tiny.trace.gz")
    with gotrace.open(data) as trace:
        last, after = trace.generations[60:62]
        time = trace.start + 1_000_000, int(last["start"]) + 1
        wanted = analysis(trace, time)
        end = trace.end
    assert wanted
    damaged = data[: after["offset"] + 50]
    with pytest.raises(gotrace.TruncatedError):
        analysis(damaged, (time[0], end))
    assert analysis(damaged, time) == wanted
    assert analysis(io.BytesIO(damaged), time) == wanted
    with gotrace.open(damaged, jobs=2) as trace:
        assert analysis(trace, time) == wanted


def test_ranges_since_the_start() -> None:
    with gotrace.open(SCHED) as trace:
        wanted = gotrace.sched(trace, time=(trace.start + 1_500_000, trace.start + 3_000_000)).table.tolist()
        assert wanted
        for time in (
            *(("1.5ms", "3ms"), (0.0015, 0.003), (timedelta(milliseconds=1.5), np.timedelta64(3, "ms"))),
            (trace.start + 1_500_000, "3ms"),
        ):
            assert gotrace.sched(trace, time=time).table.tolist() == wanted


@pytest.mark.parametrize("name", ANALYSES)
def test_ranges_that_are_none(name: str) -> None:
    analysis = ANALYSES[name]
    with gotrace.open(SCHED) as trace:
        for time in (("60m", "61m"), (trace.end + 1, trace.end + 2), (0, 5), ("1s", "1ms"), ("1", "2"), (0.0, -1.0)):
            with pytest.raises(ValueError, match="range of time|ends before it starts|not a time since the start"):
                analysis(trace, time)
        wrong: Any
        for wrong in (5, "1ms", ("1ms",), (True, False), ([], 2)):
            with pytest.raises(TypeError, match="time="):
                analysis(trace, wrong)


def test_generations_after_a_range_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.trace"
    gotrace.simulate(path, events=1_200_000, allocfree=False, generation_events=20_000)
    read: list[int] = []
    with gotrace.open(path) as trace:
        start, end = trace.start, trace.end
        gotrace.goroutines(trace, time=(start, (start + end) // 2), progress=read.append)
    assert 0 < max(read) < path.stat().st_size * 2 // 3


@pytest.mark.parametrize(
    "command",
    [
        *(["goroutines"], ["goroutines", "--goroutine", "1"], ["sched"], ["block"], ["net"], ["syscalls"], ["gc"]),
        *(["mmu"], ["tasks"], ["tasks", "--task", "1"], ["regions"], ["procs"], ["critical", "--goroutine", "1"]),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("part", ["1ms:2ms", ":2ms", "5ms:", "2ms:2ms", ":1ns", "0s:9999999m"])
def test_commands(command: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sched.trace"
    path.write_bytes(SCHED)
    if command[0] == "critical" and ":" in (part[0], part[-1]):
        pytest.skip("a path has two ends")
    assert main([*command, "--time", part, str(path)]) in (0, 3)
    assert "Traceback" not in capsys.readouterr().err
    assert main([*command, "--time", part, str(path), "--json"]) in (0, 3)
    assert json.loads(capsys.readouterr().out)["schema"] == f"{command[0]}/1"


@pytest.mark.parametrize(
    "command", ["sched", "gc", "mmu", "tasks", "procs", "goroutines", "dump", "export -o x.pb.gz --profile sched"]
)
def test_commands_outside_the_trace(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sched.trace"
    path.write_bytes(SCHED)
    with pytest.raises(SystemExit, match="2"):
        main([*command.split(), "--time", "60m:", str(path)])
    assert "the range of time starts after the end of the trace: 72.9 ms after its start" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows up to the fault are printed, then the error."""
    path = tmp_path / "broken.trace"
    path.write_bytes(BROKEN)
    assert main(["sched", "--time", "0s:60m", str(path)]) == 3
    printed = capsys.readouterr()
    assert "waits for a P" in printed.out
    assert "--salvage" not in printed.out


@pytest.mark.parametrize("name", [name for name in ANALYSES if name != "critical"])
def test_ranges_beyond_64_bits(name: str) -> None:
    with gotrace.open(SCHED) as trace:
        assert ANALYSES[name](trace, (-(1 << 70), 1 << 70)) == ANALYSES[name](trace, (trace.start, trace.end + 1))
