"""The pass that makes the scheduling tables: inputs, chunks, faults, gaps, properties, and input that means harm."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support import reference
from support.random_schedules import Schedule
from support.trace_builder import GO, PROC

import gotrace
from gotrace import GoState, RegionEnd
from gotrace.cli import main
from gotrace.dtypes import Rows
from gotrace.raw import Writer, event
from gotrace.tables.catalog import TABLES

NAMES = (
    *("states", "goroutines", "goroutine_times", "region_times", "task_times"),
    *("pauses", "cycles", "procs", "threads"),
)
Tables = dict[str, Rows]
_IN_BATCH = 4000  # events of a batch of ``trace_of``


def read(trace: gotrace.Trace, *, step_size: int = 32_000_000) -> tuple[Tables, gotrace.TraceError | None]:
    """Return all scheduling tables of one pass, and the fault that ended it."""
    parts: dict[str, list[Rows]] = {name: [np.empty(0, TABLES[name].dtype)] for name in NAMES}
    fault = None
    try:
        for chunk in trace.iterate(NAMES, step_size=step_size):
            for name, rows in chunk.items():
                parts[name].append(rows)
    except gotrace.TraceError as error:
        fault = error
    return {name: np.concatenate(rows) for name, rows in parts.items()}, fault


def tables_of(source: object, **options: object) -> Tables:
    with gotrace.open(source, **options) as trace:  # type: ignore[arg-type]
        found, fault = read(trace)
    assert fault is None
    return found


def assert_same(some: Tables, others: Tables) -> None:
    for name in NAMES:
        assert some[name].tolist() == others[name].tolist(), name


def trace_of(*events: bytes, strings: dict[int, bytes] | None = None) -> bytes:
    """Return a trace of one thread, on which goroutine 1 runs on proc 0."""
    trace, all_events = Writer(26).frequency(1, 100, 1_000_000_000), [PROC, GO, *events]
    for at in range(0, len(all_events), _IN_BATCH):
        trace.batch(1, 1, 100 + at, all_events[at : at + _IN_BATCH])
    return trace.strings(1, strings or {}).end_of_generation().getvalue()


SOURCES = {
    **{path.name: reference.load(path) for path in reference.fixtures() if path.name.startswith(("sched", "coro"))},
    **{f"schedule {seed}": Schedule(seed, steps=300).trace for seed in range(8)},
}


@pytest.mark.parametrize("name", SOURCES)
def test_rows_do_not_depend_on_how_they_are_read(name: str) -> None:
    data = SOURCES[name]
    with gotrace.open(data) as trace:
        want, fault = read(trace)
    with gotrace.open(data) as trace:
        assert_same(read(trace, step_size=2000)[0], want)
    with gotrace.open(data, jobs=2) as trace:
        assert_same(read(trace)[0], want)
    with gotrace.open(io.BytesIO(data)) as trace:
        assert_same(read(trace)[0], want)
    if fault is None:
        with gotrace.open(data) as trace:
            for table in NAMES:
                assert getattr(trace, table).to_numpy().tolist() == want[table].tolist(), table
        assert_same(tables_of(data, errors="salvage"), want)


@pytest.mark.parametrize("name", SOURCES)
def test_properties(name: str) -> None:
    with gotrace.open(SOURCES[name]) as trace:
        found, fault = read(trace)
    states, lives = found["states"], found["goroutines"]
    end = int(max(states["end"].max(), states["start"].max(), found["procs"]["running"].max()))
    if fault is None:
        with gotrace.open(SOURCES[name]) as trace:
            end = int(trace.events["time"].max())
    states = states[np.lexsort((states["start"], states["life"], states["g"]))]
    ends = np.where(states["end"] < 0, end, states["end"])
    same = (states["g"][1:] == states["g"][:-1]) & (states["life"][1:] == states["life"][:-1])
    assert (states["start"][1:][same] == states["end"][:-1][same]).all()
    assert (states["state"][1:][same] == states["next_state"][:-1][same]).all()
    assert len(np.unique(lives[["g", "life"]])) == len(lives)
    if fault is not None:
        return
    for life in lives:
        of = (states["g"] == life["g"]) & (states["life"] == life["life"])
        lasted, kinds, lost = (ends - states["start"])[of], states["state"][of], states["p_lost"][of]
        assert states["start"][of].min() == life["created"]
        in_syscall = np.where(lost < 0, ends[of], lost) - states["start"][of]
        assert life["exec"] == lasted[kinds == GoState.RUNNING].sum()
        assert life["sched"] == lasted[kinds == GoState.RUNNABLE].sum()
        assert life["syscall"] == in_syscall[kinds == GoState.SYSCALL].sum()
        assert life["syscall_block"] == (lasted - in_syscall)[kinds == GoState.SYSCALL].sum()
        if life["state"] != GoState.WAITING or life["ended"] < 0:
            assert life["block"] == lasted[kinds == GoState.WAITING].sum()
            assert life["total"] == lasted.sum()
            assert life["unknown"] == 0
        times = found["goroutine_times"]
        times = times[(times["g"] == life["g"]) & (times["life"] == life["life"])]
        assert times["time"][times["kind"] == gotrace.TimeKind.WAITING].sum() == life["block"]
    on_p = states["p"] >= 0
    until = np.where(states["p_lost"] < 0, ends, states["p_lost"])
    for p in np.unique(states["p"][on_p]):
        used = states["p"] == p
        spans = sorted(zip(states["start"][used].tolist(), until[used].tolist(), strict=True))
        assert all(stop <= start for (_, stop), (start, _) in pairwise(spans))


def test_text_of_names_that_older_segments_define() -> None:
    """Names are rows where the pass first uses them, in any later batch of columns."""
    for data in (SOURCES[name] for name in ("sched-go1.25-tiny.trace.gz", "schedule 1") if name in SOURCES):
        with gotrace.open(data) as trace:
            texts = trace.strings["text"]
            for table, column in (("states", "reason"), ("goroutines", "function"), ("goroutine_times", "name")):
                rows = texts[getattr(trace, table)[column]].tolist()
                found = getattr(trace, table).to_arrow()[column].to_pylist()
                assert [text or "" for text in found] == rows
                used = set(getattr(trace, table)[column].tolist())
                assert len({texts[row] for row in used}) == len(used)


def test_a_broken_order_ends_the_tables_where_it_breaks() -> None:
    with gotrace.open(trace_of(event("GoBlock", 1, 0, 0), event("GoStart", 1, 7, 1))) as trace:
        found, fault = read(trace)
    assert isinstance(fault, gotrace.OrderingError)
    assert found["states"][["g", "state", "next_state"]].tolist() == [
        (1, GoState.RUNNING, GoState.WAITING),
        (1, GoState.WAITING, 0),
    ]
    assert found["states"]["end"][-1] == -1
    assert found["goroutines"]["ended"].tolist() == [-1]


def test_a_gap_ends_all_intervals() -> None:
    opens = (event("UserRegionBegin", 1, 0, 1, 0), event("GoCreate", 1, 2, 0, 0))
    broken = Writer(26).frequency(2, 500, 1_000_000_000).batch(2, 1, 500, [PROC, GO, event("GoStart", 1, 9, 1)])
    last = Writer(26).frequency(3, 900, 1_000_000_000).batch(3, 1, 900, [PROC, GO, event("GoStop", 1, 0, 0)])
    data = trace_of(*opens, strings={1: b"work"}) + b"".join(
        more.end_of_generation().getvalue()[16:] for more in (broken, last)
    )
    with gotrace.open(data, errors="salvage") as trace:
        found, fault = read(trace)
        assert trace.losses
    assert fault is None
    states, lives = found["states"], found["goroutines"]
    at_gap = states[(states["next_state"] == 0) & (states["end"] >= 0)]
    assert sorted(at_gap["g"].tolist()) == [1, 2]
    after = states[states["life"] == 1]
    assert after["g"].tolist() == [1, 1]
    assert after["start_known"].tolist() == [0, 1]
    assert lives[["g", "life", "ended"]].tolist() == [(1, 0, -1), (2, 0, -1), (1, 1, -1)]
    assert found["region_times"]["end_kind"].tolist() == [RegionEnd.OPEN]


def test_ids_that_are_used_again() -> None:
    events = []
    for seq in (1, 2, 3):
        events += [event("GoCreateBlocked", 1, 7, 0, 0), event("GoSwitch", 1, 7, 1)]
        events += [event("GoSwitchDestroy", 1, 1, seq)]
    found = tables_of(trace_of(*events))
    lives = found["goroutines"]
    assert lives[lives["g"] == 7]["life"].tolist() == [0, 1, 2]
    assert found["states"][found["states"]["g"] == 7]["life"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("n", [1, 100, 20_000])
def test_many_open_regions_of_one_goroutine(n: int) -> None:
    """They end together, in one event, and come out innermost first."""
    begins = [event("UserRegionBegin", 1, 5, 1, 0)] * n
    found = tables_of(trace_of(*begins, event("GoDestroy", 1), strings={1: b"work"}))
    regions = found["region_times"]
    assert regions["depth"].tolist() == list(range(n))[::-1]
    assert set(regions["end_kind"].tolist()) == {RegionEnd.GOROUTINE}
    assert found["task_times"][["task", "regions", "goroutines"]].tolist() == [(5, n, 1)]


@pytest.mark.parametrize("n", [1, 20_000])
def test_what_is_not_complete_is_counted(n: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Regions and tasks that never end, that end without a start, and that end twice."""
    events = [event("UserTaskBegin", 1, 1 + i, 0, 1, 0) for i in range(n)]
    events += [event("UserTaskEnd", 1, 10**6 + i, 0) for i in range(n)]
    events += [event("UserRegionEnd", 1, 5, 1, 0)] * n
    events += [event("GoCreateBlocked", 1, 7, 0, 0), *[event("UserRegionBegin", 1, 5, 1, 0)] * n]
    path = tmp_path / "odd.trace"
    path.write_bytes(trace_of(*events, event("GoSwitchDestroy", 1, 7, 1), strings={1: b"work"}))
    wanted = {
        "regions that end with their goroutine": n,
        "regions without a start": n,
        "tasks open at the end": n + (n == 1),  # with task 5, which regions name
        "tasks without a start": n,
    }
    for command in ("tasks", "regions"):
        assert main([command, "--json", str(path)]) == 0
        found = json.loads(capsys.readouterr().out)["anomalies"]
        assert found == {name: count for name, count in wanted.items() if name.startswith(command)}


@pytest.mark.parametrize("n", [10, 20_000])
def test_many_goroutines_and_tasks(n: int) -> None:
    creates = [event("GoCreate", 1, 10 + i, 0, 0) for i in range(n)]
    tasks = [event("UserTaskBegin", 1, 1 + i, 0, 1, 0) for i in range(n)]
    found = tables_of(trace_of(*creates, *tasks, strings={1: b"task"}))
    assert found["goroutines"]["g"].tolist() == [1, *range(10, 10 + n)]
    assert found["states"]["start"].tolist() == sorted(found["states"]["start"].tolist())
    assert found["task_times"]["task"].tolist() == list(range(1, n + 1))
    assert set(found["task_times"]["end"].tolist()) == {-1}


def test_a_task_is_complete_when_it_ends() -> None:
    names = {1: b"task", 2: b"late"}
    found = tables_of(
        trace_of(
            *(event("UserTaskBegin", 1, 3, 0, 1, 0), event("UserLog", 1, 3, 0, 2, 0), event("UserTaskEnd", 1, 3, 0)),
            event("UserLog", 1, 3, 0, 2, 0),
            strings=names,
        )
    )
    rows = found["task_times"][["task", "g", "end_g", "logs", "goroutines"]].tolist()
    assert rows == [(3, 1, 1, 1, 1), (3, -1, -1, 1, 1)]


def test_inherited_regions() -> None:
    names = {1: b"work", 2: b"main.child"}
    trace = Writer(26).frequency(1, 100, 1_000_000_000)
    trace.batch(1, 1, 100, [PROC, GO, event("UserRegionBegin", 1, 4, 1, 0), event("GoCreate", 1, 2, 1, 0)])
    trace.strings(1, names).stacks(1, {1: [(0x1000, 2, 2, 1)]})
    regions = tables_of(trace.end_of_generation().getvalue())["region_times"]
    assert regions[["g", "task", "inherited", "depth", "end_kind"]].tolist() == [
        (1, 4, 0, 0, RegionEnd.OPEN),
        (2, 4, 1, 0, RegionEnd.OPEN),
    ]


def test_no_events() -> None:
    found = tables_of(Writer(26).frequency(1, 100).batch(1, 1, 100, b"").end_of_generation().getvalue())
    assert {name: len(rows) for name, rows in found.items()} == dict.fromkeys(NAMES, 0)
