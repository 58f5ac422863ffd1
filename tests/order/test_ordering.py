"""Ordered events by hand-made traces, and the views of them: tables, Event, chunks."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.trace_builder import GO, PROC

import gotrace
from gotrace import Kind
from gotrace.dtypes import EVENT
from gotrace.order.rows import ORDERED
from gotrace.raw import Writer, event
from gotrace.spec.events import EVENTS
from gotrace.spec.rules import Rule

NONE = 2**64 - 1
FIXTURES = [path for path in reference.fixtures() if path.name.startswith(("sched-go1.2", "session-go1.27", "joined"))]


def trace(*threads: tuple[int, list[bytes]], version: int = 23, base: int = 100) -> bytes:
    writer = Writer(version).frequency(1, base, 15_625_000)
    for m, events in threads:
        writer.batch(1, m, base, b"".join(events))
    return writer.end_of_generation().getvalue()


def lines(data: bytes) -> list[str]:
    with gotrace.open(data) as opened:
        return [str(row) for row in opened]


def refusal(*threads: tuple[int, list[bytes]]) -> gotrace.OrderingError:
    with pytest.raises(gotrace.OrderingError) as caught:
        lines(trace(*threads))
    return caught.value


def test_a_switch_makes_three_rows() -> None:
    waiting = event("GoStatus", 1, 2, NONE, 4)
    data = trace((1, [PROC, GO, waiting, event("GoSwitch", 1, 2, 1), event("GoSwitchDestroy", 1, 1, 1)]))
    with gotrace.open(data) as opened:
        rows = opened.events.to_numpy()
        moves = opened.transitions.to_numpy()
    assert rows["time"].tolist() == [6400, 6464, 6528, 6592, 6656, 6657, 6658, 6720, 6721, 6722, 6723]
    assert rows["part"].tolist() == [0, 0, 0, 0, 0, 1, 2, 0, 1, 2, 0]
    assert rows["g"].tolist() == [-1, -1, -1, 1, 1, 1, -1, 2, 2, -1, -1]
    assert moves["id"].tolist() == [0, 1, 2, 2, 1, 2, 1, 2, 1]
    states = [(gotrace.GoState(a).name, gotrace.GoState(b).name) for a, b in moves[["old", "new"]][3:].tolist()]
    assert states[:3] == [("WAITING", "RUNNABLE"), ("RUNNING", "WAITING"), ("RUNNABLE", "RUNNING")]
    assert states[4] == ("RUNNING", "NOT_EXIST")


def test_a_c_thread_leaves_with_its_proc() -> None:
    found = lines(trace((1, [PROC, GO, event("GoSyscallBegin", 1, 1, 0), event("GoDestroySyscall", 1)])))
    assert found[4:6] == [
        'M=1 P=0 G=1 StateTransition Time=6656 ProcID=0 Running->Idle Reason=""',
        'M=1 P=0 G=1 StateTransition Time=6657 GoID=1 Syscall->NotExist Reason=""',
    ]


def test_threads_wait_for_each_other() -> None:
    one = [event("ProcStatus", 0, 0, 2), event("ProcStart", 0, 0, 1), event("GoStart", 0, 7, 1)]
    one.append(event("GoUnblock", 0, 8, 1, 0))
    two = [event("GoStatus", 0, 7, NONE, 1), event("GoStatus", 0, 8, NONE, 4)]
    with gotrace.open(trace((1, one), (2, two), version=22, base=5)) as opened:
        rows = opened.events.to_numpy()
    assert rows["m"].tolist() == [-1, 1, 1, 2, 1, 2, 1, -1]
    assert rows["time"].tolist() == list(range(320, 328))


def test_a_refusal_says_who_waits_for_what() -> None:
    error = refusal((1, [PROC, GO, event("GoUnblock", 1, 9, 1, 0)]), (2, [event("GoStart", 7, 3, 1)]))
    assert "broken trace" in str(error)
    assert error.frontier == ["M 1: GoUnblock at 6592 ns g=9 g_seq=1 stack=0", "M 2: GoStart at 6848 ns g=3 g_seq=1"]
    assert "M 1: G 1, P 0" in error.state
    assert any(line.startswith("G 1: running") for line in error.state)


def test_a_refusal_tells_numbers_of_experiments_too() -> None:
    """Where events are all that is asked for, these numbers are not decoded."""
    data = reference.load(reference.DATA / "frees-idle-proc-go1.26-allocfree.trace.gz")
    told = []
    for tables, jobs in (("events", 1), ("events", 2), (["events", "ranges"], 1)):
        with gotrace.open(data, jobs=jobs) as opened, pytest.raises(gotrace.OrderingError) as caught:
            list(opened.iterate(tables))
        told.append(caught.value.frontier)
    assert "M 5652: HeapObjectFree at 8105805419648 ns id=329728" in told[0]
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([GO, event("GoBlock", 1, 0, 0)], "expected a proc but didn't have one"),
        ([PROC, event("GoBlock", 1, 0, 0)], "expected a goroutine but didn't have one"),
        ([PROC, GO, event("GoCreate", 1, 1, 0, 0)], "G 1 is created, but already exists"),
        ([PROC, GO, GO, event("GoStatus", 1, 1, 1, 4)], "status waiting of G 1 contradicts its events"),
        ([PROC, GO, event("GoSyscallBegin", 1, 5, 0)], "sequence number 5"),
        ([PROC, GO, event("STWEnd", 1)], "the range is not open"),
        ([PROC, GO, event("GCMarkAssistBegin", 1, 0), event("GCMarkAssistBegin", 1, 0)], "already open"),
        ([PROC, GO, event("UserTaskBegin", 1, 5, 0, 0, 0), event("UserTaskBegin", 1, 5, 0, 0, 0)], "task 5 starts"),
        ([PROC, GO, event("UserRegionBegin", 1, 5, 0, 0), event("UserRegionEnd", 1, 6, 0, 0)], "innermost"),
        ([PROC, GO, event("UserRegionBegin", 1, 5, 77, 0)], "unknown string id 77"),
        ([event("GoStatus", 1, 4, NONE, 3)], "on no thread"),
        ([event("ProcStatus", 1, 1, 9)], "status 9"),
    ],
)
def test_words(events: list[bytes], words: str) -> None:
    error = refusal((1, events))
    assert words in str(error)
    assert error.m == 1
    assert error.event


def test_an_unknown_stack_is_reported_after_the_rows_before_it() -> None:
    data = trace((1, [PROC, GO, event("GoStop", 1, 0, 9)]))
    found = []
    with gotrace.open(data) as opened, pytest.raises(gotrace.TableError, match="unknown stack id 9"):
        for rows in opened.iterate("events"):
            found += rows["type"].tolist()
    assert found == [255, 13, 25]


def test_rows_of_events_begin_as_all_ordered_ones_do() -> None:
    ordered, fields = dict(ORDERED.fields or {}), dict(EVENT.fields or {})
    assert fields == {name: ordered[name] for name in fields}
    assert {name for name, (_, at, *_) in ordered.items() if at < EVENT.itemsize} == {*fields, "zero"}


def test_every_rule_has_a_method_and_events() -> None:
    from gotrace.order import machine

    source = (Path(machine.__file__ or "").parent / "machine.py").read_text()
    used = {spec.rule for spec in EVENTS if spec.timed and spec.id != 51}
    assert used | {Rule.NONE, Rule.EXPERIMENT} == set(Rule)
    for rule in used:
        assert f"def {rule.name.lower()}(self)" in source
        assert f"RULE_{rule.name}:" in source


def texts(opened: gotrace.Trace) -> list[str]:
    return list(opened.strings["text"])


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name.removesuffix(".trace.gz"))
def test_tables_say_what_events_say(path: Path) -> None:
    names = ["events", "transitions", "ranges", "tasks", "regions", "logs", "labels", "metrics"]
    found: dict[str, list[Any]] = {name: [] for name in names}
    data = reference.load(path)
    try:
        with gotrace.open(data) as opened:
            for chunk in opened.iterate(names, step_size=100_000):
                for name, rows in chunk.items():
                    found[name].append(rows)
    except gotrace.OrderingError:
        pass
    tables = {name: np.concatenate(chunks) for name, chunks in found.items()}
    with gotrace.open(data) as opened:
        words = texts(opened)
    said: dict[str, list[Any]] = {name: [] for name in names}
    lines = []
    with gotrace.open(data) as opened:
        try:
            for row in opened:
                lines.append(str(row))
                said["events"].append((row.time, row.offset, row.goroutine, row.thread, row.proc, row.kind))
                if (move := row.transition) is not None:
                    said["transitions"].append((move.id, move.old, move.new, move.reason))
                elif (span := row.range) is not None:
                    said["ranges"].append((span.id, span.attributes.get("bytes swept", -1), "stop" in span.name))
                elif (task := row.task) is not None:
                    said["tasks"].append((task.id, task.parent, task.type))
                elif (region := row.region) is not None:
                    said["regions"].append((region.task, region.type))
                elif (log := row.log) is not None:
                    said["logs"].append(log)
                elif row.label is not None:
                    said["labels"].append((row.goroutine, row.label))
                elif (metric := row.metric) is not None:
                    said["metrics"].append(metric.value)
        except gotrace.OrderingError:
            pass
    t = tables
    assert said["events"] == [
        (r["time"], r["offset"], r["g"], r["m"], r["p"], r["kind"]) for r in t["events"]
    ]  # fmt: skip
    assert said["transitions"] == [(r["id"], r["old"], r["new"], words[r["reason"]]) for r in t["transitions"]]
    assert said["ranges"] == [(r["id"], r["swept"], r["start"] == 26) for r in t["ranges"]]
    assert said["tasks"] == [(r["task"], r["parent"], words[r["name"]]) for r in t["tasks"]]
    assert said["regions"] == [(r["task"], words[r["name"]]) for r in t["regions"]]
    assert said["logs"] == [(r["task"], words[r["category"]], words[r["message"]]) for r in t["logs"]]
    assert said["labels"] == [(r["g"], words[r["label"]]) for r in t["labels"]]
    assert said["metrics"] == t["metrics"]["value"].tolist()
    text = b""
    with gotrace.open(data) as opened:
        try:
            for piece in opened.text():
                text += piece
        except gotrace.OrderingError:
            pass
    assert text.decode() == "".join(f"{line}\n" for line in lines)


def test_experimental_events_know_their_generation_s_data() -> None:
    data = reference.load(next(path for path in FIXTURES if path.name.startswith("session")))
    with gotrace.open(data) as opened:
        by_number = {g.number: g.experiments.get(1) for g in opened.generations}
    with gotrace.open(data) as opened:
        seen = 0
        for row in opened:
            if row.kind == Kind.EXPERIMENTAL:
                view = row.experimental
                assert view is not None
                assert len(view.args) == len(view.arg_names)
                known = by_number[row.generation]
                assert (view.data is None) == (known is None)
                if view.data is not None and known is not None:
                    assert view.data.batches == known.batches
                seen += 1
        assert seen


def test_samples_of_one_time_stand_in_go_s_order() -> None:
    """Table samples has them as the events have them (FORMAT, Appendix A)."""
    dice = random.Random(1)
    rows = [(100 + dice.randrange(4), 1, 0, 1 + i, 0) for i in range(200)]
    trace = Writer(26).frequency(1, 100).batch(1, 1, 100, PROC + GO).samples(1, rows).end_of_generation().getvalue()
    with gotrace.open(trace) as opened:
        samples = opened.samples.to_numpy()
        events = opened.events.to_numpy()
    goroutines = events["g"][events["type"] == 7].tolist()
    assert samples["g"].tolist() == goroutines
    stable = [row[3] for row in sorted(rows, key=lambda row: row[0])]
    assert goroutines != stable
    assert sorted(goroutines) == sorted(stable)
