"""What simulated programs really did is what gotrace reads back."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.gotrace_text import parsed
from support.validator import Validator

import gotrace
from gotrace.simulation import ANOMALIES, Program, Shape, simulate

ACTS = ("block", "unblock", "stop", "create", "destroy", "syscall", "long_syscall", "switch", "grow_stack", "assist")

sizes = st.dictionaries(
    st.tuples(st.one_of(st.integers(1, 2048), st.integers(1, 200_000)), st.booleans()),
    st.integers(1, 100),
    min_size=1,
    max_size=8,
)
shapes = st.builds(
    Shape,
    live_bytes=st.integers(1000, 400_000),
    least_heap=st.integers(1000, 400_000),
    sizes=sizes,
    untyped=st.floats(0, 1),
    types=st.integers(1, 40),
    goroutines=st.integers(1, 40),
    acts=st.fixed_dictionaries({act: st.sampled_from([0, 200, 5000, 30_000]) for act in ACTS}),
    busy=st.floats(0, 1),
    short_run=st.integers(1, 8),
    long_run=st.integers(1, 300),
    long_share=st.floats(0, 1),
    pace=st.integers(1, 9),
    survive=st.floats(0, 1),
    clustered=st.floats(0, 0.99),
    gogc=st.integers(1, 200),
    mark_events=st.integers(0, 3000),
)
EXACT = ("frees outside a proc", "dropped events", "next generation", "allocation under way")
"""Anomalies that leave no doubt of what happened."""


@st.composite
def programs(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, Any]:
    release = draw(st.integers(23, 27))
    possible = [name for name in names if release in ANOMALIES[name].releases]
    return {
        "shape": draw(shapes),
        "seed": draw(st.integers(0, 1 << 40)),
        "version": f"1.{release}",
        "procs": draw(st.integers(1, 9)),
        "generation_events": draw(st.sampled_from([None, 40, 700, 5000])),
        "session": draw(st.integers(1, 3)),
        "warmup": draw(st.sampled_from([0, 500, 8000])),
        "events": draw(st.sampled_from([0, 30, 3000, 12_000])),
        "anomalies": draw(st.lists(st.sampled_from(possible), unique=True)) if possible else [],
    }


DYING: dict[str, Any] = {
    "shape": Shape(
        procs=4, live_bytes=35_263, least_heap=11_265, sizes={(641, False): 1}, untyped=0.0, types=1, goroutines=30,
        acts=dict(zip(ACTS, (30_000, 200, 5000, 0, 5000, 0, 5000, 30_000, 5000, 0), strict=True)), busy=1.0,
        short_run=1, long_run=169, long_share=1.0, pace=1, survive=0.4568647351979821,
        clustered=0.5518539326929618, gogc=144, mark_events=132,
    ),
    "seed": 499_176_733, "version": "1.26", "procs": 9, "generation_events": 5000, "session": 3, "warmup": 8000,
    "events": 30, "anomalies": ["frees outside a proc", "allocation under way"],
}  # fmt: skip
"""The session begins while marking, which ends at once; the object whose allocation was under way did not survive."""


REUSED: dict[str, Any] = {
    "shape": Shape(
        procs=4, live_bytes=1000, least_heap=191_233, sizes={(129, False): 1}, untyped=0.0, types=1, goroutines=2,
        acts={"block": 0, "unblock": 0, "stop": 0, "create": 0, "destroy": 0, "syscall": 0, "long_syscall": 5000,
              "switch": 200, "grow_stack": 5000, "assist": 0},
        busy=0.0, short_run=1, long_run=1, long_share=0.0, pace=1, survive=0.0, clustered=0.0, gogc=1, mark_events=0,
    ),
    "seed": 0, "version": "1.23", "procs": 1, "generation_events": None, "session": 1, "warmup": 0, "events": 3000,
    "anomalies": ["frees outside a proc", "dropped events"],
}  # fmt: skip
"""The free of an empty span is dropped, the span is reused, and another thread frees its new objects at once."""


@settings(deadline=None, max_examples=40)
@given(programs(EXACT))
@example(DYING)
@example(REUSED)
def test_truth_is_what_is_read(arguments: dict[str, Any]) -> None:
    file = io.BytesIO()
    truth = simulate(file, **arguments)
    with gotrace.open(file.getvalue()) as trace:
        heap = trace.heap()
        rows = trace.objects.to_numpy()
        names = trace.types["name"]
        assert sum(trace.generations["events"]) == truth.events
    assert (heap.table == truth.table).all()
    allocs = rows[rows["op"] == gotrace.Op.ALLOC]
    live = truth.live()
    inside = live[live["time"] >= 0]
    place = np.lexsort((allocs["address"], allocs["time"]))
    found = allocs[place][np.searchsorted(allocs["time"][place], inside["time"])]
    for field in ("address", "size", "time", "spanclass"):
        assert (found[field] == inside[field]).all(), field
    assert (names[found["type"]] == truth.types["name"][inside["type"]]).all()


@settings(deadline=None, max_examples=25)
@given(programs((*EXACT, "times ahead", "snapshot interleaved", "freed by the compiler")))
def test_what_is_read_is_the_truth_but_for_what_is_counted_odd(arguments: dict[str, Any]) -> None:
    """Threads that run ahead leave doubts: no more objects are mistaken than gotrace counts as odd."""
    file = io.BytesIO()
    truth = simulate(file, **arguments)
    with gotrace.open(file.getvalue()) as trace:
        heap = trace.heap()
    tiny = heap.anomalies.pop("tiny objects in a shared slot", 0)
    odd = sum(heap.anomalies.values()) + (tiny if "times ahead" in arguments["anomalies"] else 0)
    for column in ("inuse_objects", "alloc_objects", "free_objects", "start_objects"):
        assert abs(int(heap.table[column].sum()) - int(truth.table[column].sum())) <= odd, column


@settings(deadline=None, max_examples=15)
@given(programs(()), st.floats(0, 1))
def test_live_at_any_time(arguments: dict[str, Any], share: float) -> None:
    """What the truth says of a time in the session is what lived then, row by row."""
    file = io.BytesIO()
    truth = simulate(file, **arguments)
    with gotrace.open(file.getvalue()) as trace:
        rows = trace.objects.to_numpy()
    exists = rows["op"] == gotrace.Op.EXISTS
    first = int(rows["time"][exists].max()) if exists.any() else truth.start
    time = int(first + share * (truth.end - first))
    live: dict[int, int] = {}
    for row in rows[rows["time"] <= time]:
        if row["op"] == gotrace.Op.FREE:
            del live[int(row["address"])]
        else:
            live.setdefault(int(row["address"]), -1 if row["op"] == gotrace.Op.EXISTS else int(row["time"]))
    said = truth.live(time)
    assert dict(zip(said["address"].tolist(), said["time"].tolist(), strict=True)) == live
    with gotrace.open(file.getvalue()) as trace:
        heap = trace.heap(by="class", at=f"{time - trace.start}ns").table
    assert (heap["inuse_objects"].sum(), heap["inuse_bytes"].sum()) == (len(said), said["size"].sum())


@settings(deadline=None, max_examples=25)
@given(programs((*EXACT, "times ahead", "snapshot interleaved", "freed by the compiler")))
def test_ordered_events_hold_together(arguments: dict[str, Any]) -> None:
    """An independent validator finds nothing wrong, and every event is there."""
    file = io.BytesIO()
    simulate(file, **{**arguments, "procs": min(arguments["procs"], 4)})  # what ties of many threads do: simulate.md
    text, error = parsed(file.getvalue())
    assert error is None
    assert not Validator().feed(text.decode().splitlines())
    with gotrace.open(file.getvalue()) as trace:
        events = trace.events.to_numpy()
        told = np.unique(events["offset"][events["offset"] >= 0])
        assert len(told) <= sum(trace.generations["events"])
        assert set(trace.experimental["offset"].tolist()) <= set(told.tolist())


@settings(deadline=None, max_examples=10)
@given(shapes, st.integers(0, 1 << 30), st.lists(st.integers(0, 4000), min_size=1, max_size=4))
def test_sessions_follow_each_other(shape: Shape, seed: int, lengths: list[int]) -> None:
    """Each session has the snapshot of what lived when it began."""
    program = Program(dataclasses.replace(shape, live_bytes=50_000), seed=seed)
    before = None
    for length in lengths:
        program.run(length)
        file = io.BytesIO()
        program.start(file)
        program.run(length)
        truth = program.stop()
        with gotrace.open(file.getvalue()) as trace:
            assert (trace.heap().table == truth.table).all()
            assert before is None or next(iter(trace.generations)).number > before
            before = list(trace.generations)[-1].number
