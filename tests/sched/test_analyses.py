"""The public functions of scheduling: filters, streams, damaged traces, wrong arguments."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support import reference
from support.random_schedules import Schedule

import gotrace
from gotrace.analysis.profiles import KINDS

SCHED = reference.load(reference.DATA / "sched-go1.27.trace.gz")
BROKEN = reference.load(reference.DATA / "sched-go1.27-tiny.trace.gz")


def times(profile: gotrace.Profile) -> dict[tuple[str, ...], tuple[int, int]]:
    found: Counter[tuple[str, ...]] = Counter()
    counts: Counter[tuple[str, ...]] = Counter()
    for stack, count, time in profile.table.tolist():
        name = tuple(f"{frame.function}:{frame.line}" for frame in profile.stacks[stack])
        found[name] += time
        counts[name] += count
    return {name: (counts[name], found[name]) for name in found}


@pytest.mark.parametrize("kind", KINDS)
def test_profiles_add_up(kind: str) -> None:
    """Functions divide a profile; so do two ranges of time, except for the number of intervals."""
    with gotrace.open(SCHED) as trace:
        whole = gotrace.profile(trace, kind)
        lives, texts = trace.goroutines.to_numpy(), trace.strings["text"]
        functions = sorted(set(texts[lives["function"]]))
        parts = [gotrace.profile(trace, kind, function=name) for name in functions]
        start, end = int(lives["created"].min()), int((lives["created"] + lives["total"]).max())
        middle = start + (end - start) // 3
        halves = [gotrace.profile(trace, kind, time=window) for window in ((start, middle), (middle, end))]
    assert sum(sum(part.table["time"]) for part in parts) == sum(whole.table["time"])
    assert sum(sum(part.table["count"]) for part in parts) == sum(whole.table["count"])
    assert sum(sum(half.table["time"]) for half in halves) == sum(whole.table["time"])
    assert (np.diff(whole.table["time"]) <= 0).all()
    total = {
        "syscall": lives["syscall"] + lives["syscall_block"],
        "sched": lives["sched"],
        "block": lives["block"],
        "wall": lives["total"] - lives["unknown"],
        "assist": lives["assist"],
        "stw": lives["stw"],
    }
    if kind in total:
        assert sum(whole.table["time"]) == sum(total[kind])


@pytest.mark.parametrize("step", [1_000, 10_000])
def test_steps_of_a_profile(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the size of chunks nor how often intervals are added up changes a profile by function."""
    functions = None, "main.main", "main.main.func1", "runtime.bgsweep"
    with gotrace.open(SCHED) as trace:
        wanted = [times(gotrace.profile(trace, "wall", function=name)) for name in functions]
        monkeypatch.setattr("gotrace.analysis.gather._STEP", step)
        monkeypatch.setattr("gotrace.analysis.profiles._STEP", step // 50)
        assert [times(gotrace.profile(trace, "wall", function=name)) for name in functions] == wanted


@pytest.mark.parametrize("step", [1_000, 30_000])
@pytest.mark.parametrize("per_goroutine", [False, True])
def test_steps_of_utilization(step: int, per_goroutine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in reference.DATA.glob("s*-go1.2[247]*.gz"):
        with gotrace.open(path, errors="salvage") as trace:
            wanted = [rows.tolist() for rows in gotrace.utilization(trace, per_goroutine=per_goroutine)]
            with monkeypatch.context() as patched:
                patched.setattr("gotrace.analysis.gather._STEP", step)
                found = [rows.tolist() for rows in gotrace.utilization(trace, per_goroutine=per_goroutine)]
        assert found == wanted


def test_regions_of_a_profile() -> None:
    with gotrace.open(SCHED) as trace:
        profile = gotrace.profile(trace, "block", region="locked")
        regions, texts = trace.region_times.to_numpy(), trace.strings["text"]
    locked = regions[texts[regions["name"]] == "locked"]
    assert sum(profile.table["time"]) == sum(locked["block"]) > 0


def test_streams() -> None:
    with gotrace.open(SCHED) as trace:
        wanted = times(gotrace.profile(trace, "sched"))
        path, util = gotrace.critical(trace, name="whole"), gotrace.utilization(trace)
    with gotrace.open(io.BytesIO(SCHED)) as stream:
        assert times(gotrace.profile(stream, "sched")) == wanted
    with gotrace.open(io.BytesIO(SCHED)) as stream:
        assert gotrace.critical(stream, name="whole").table.tolist() == path.table.tolist()
    with gotrace.open(io.BytesIO(SCHED)) as stream:
        assert [one.tolist() for one in gotrace.utilization(stream)] == [one.tolist() for one in util]


@pytest.mark.parametrize(
    "data", [SCHED, *(Schedule(seed, steps=300).trace for seed in range(3))], ids=("trace", *"012")
)
def test_paths(data: bytes) -> None:
    with gotrace.open(data) as trace:
        lives = trace.goroutines.to_numpy()
        paths = [gotrace.critical(trace, goroutine=int(g)) for g in np.unique(lives["g"])]
        first = gotrace.critical(trace, goroutine=int(lives["g"][0]), time=(0, int(lives["created"][0]) + 1))
    assert sum(len(path.paths) for path in paths) == len(lives)
    for path in paths:
        for number, (start, end) in enumerate(path.paths[["start", "end"]].tolist()):
            table = path.table[path.table["path"] == number]
            assert sum(table["end"] - table["start"]) == end - start
    assert first.paths["start"] == lives["created"].min()


@pytest.mark.parametrize(
    ("call", "attribute"),
    [
        (lambda trace: gotrace.profile(trace, "sched"), "table"),
        (lambda trace: gotrace.critical(trace, name="whole"), "table"),
        (gotrace.utilization, "__len__"),
    ],
    ids=("profile", "critical", "utilization"),
)
def test_damaged(call: object, attribute: str) -> None:
    with gotrace.open(BROKEN) as trace, pytest.raises(gotrace.OrderingError) as caught:
        call(trace)  # type: ignore[operator]
    assert hasattr(caught.value.partial, attribute)
    if attribute == "table":
        assert len(caught.value.partial.table)


def test_wrong_arguments() -> None:
    with gotrace.open(SCHED) as trace:
        with pytest.raises(ValueError, match="kind='cpu': must be one of 'net', 'sync'"):
            gotrace.profile(trace, "cpu")
        with pytest.raises(ValueError, match="include='gc': must be one of 'stw'"):
            gotrace.utilization(trace, ["gc"])
        for arguments in ({}, {"task": 1, "name": "whole"}):
            with pytest.raises(ValueError, match="one of task, name, region and goroutine"):
                gotrace.critical(trace, **arguments)  # type: ignore[call-overload]
        assert not len(gotrace.critical(trace, task=10**6).table)
        assert not len(gotrace.profile(trace, "sched", function="no.such").table)


def test_empty(tmp_path: Path) -> None:
    empty = gotrace.raw.Writer(26).frequency(1, 100).end_of_generation().getvalue()
    with gotrace.open(empty) as trace:
        assert not len(gotrace.profile(trace, "wall").table)
        assert gotrace.utilization(trace) == []
        assert not len(gotrace.critical(trace, name="").table)
    assert gotrace.MMU([]).mmu(1000) == 1.0
