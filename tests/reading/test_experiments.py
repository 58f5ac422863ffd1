"""The registry, with a second experiment that lives in a test package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.trace_builder import GO, PROC, types

import gotrace
from gotrace.experiments import Experiment
from gotrace.raw import Writer, allocfree_types, event, uvarint
from gotrace.spec.events import EventSpec

PLUGIN = Path(__file__).parent.parent / "plugin"
WEATHER = b"".join([b"\x89", *map(uvarint, (1, 21, 3))])  # type 137: dt, temperature, wind


def trace_with(*batches: bytes, events: bytes = b"") -> bytes:
    trace = Writer(26).frequency(1, 100).batch(1, 1, 100, PROC + GO + events)
    for data in batches:
        trace.batch(1, 5, 100, data, experiment=2)
    return trace.end_of_generation().frequency(2, 500).end_of_generation().getvalue()


@pytest.mark.parametrize("first", [2, 4, 6, 8, 50, 52, 1])
@pytest.mark.parametrize("version", [23, 25, 26])
def test_an_experimental_batch_is_known_by_its_type_byte_alone(first: int, version: int) -> None:
    """Its bytes are never taken for stacks, strings, samples, a frequency or a sync."""
    content = bytes([first, 5, 5, 5])
    trace = Writer(version).frequency(1, 100).batch(1, 7, 1, content, experiment=2).batch(1, 1, 1, PROC)
    with gotrace.open(trace.end_of_generation().getvalue()) as read:
        (generation,) = read.generations
        assert generation.experiments[2].batches == [(7, content)]
        assert len(generation.strings) == len(generation.stacks) == len(generation.samples) == 0


def test_experiment_0_is_none() -> None:
    trace = Writer(23).frequency(1, 100).batch(1, 1, 1, event("Strings"), experiment=0)
    with gotrace.open(trace.getvalue()) as read:
        (generation,) = read.generations
    assert not generation.experiments


def test_experiment_0_is_no_table() -> None:
    """Go's reader takes such a batch for events; only an event batch can be a table that a recorder rewrote."""
    trace = Writer(26).frequency(1, 100).batch(1, -1, 1, allocfree_types(types("main.T")), experiment=0)
    with (
        gotrace.open(trace.end_of_generation().getvalue()) as read,
        pytest.raises(gotrace.MalformedError, match="event type 0 has no timestamp") as caught,
    ):
        read.events.to_numpy()
    assert caught.value.m == -1


def test_without_the_package_batches_stay_readable() -> None:
    with gotrace.open(trace_with(b"one", b"two")) as trace:
        first, second = trace.generations
        data = first.experiments[2]
        assert data.batches == [(5, b"one"), (5, b"two")]
        assert data.parsed is None
        assert data.experiment.name == "experiment 2"
        assert 2 not in second.experiments


def test_without_the_package_events_fail_with_an_offset() -> None:
    data = trace_with(events=WEATHER)
    with pytest.raises(gotrace.MalformedError, match="unknown event type 137") as caught, gotrace.open(data) as trace:
        trace.experimental.to_numpy()
    assert data[caught.value.offset] == 137


def test_one_object_per_experiment_and_generation() -> None:
    with gotrace.open(trace_with(b"a")) as trace:
        first = [g.experiments[2] for g in trace.generations if 2 in g.experiments]
        again = [g.experiments[2] for g in trace.generations if 2 in g.experiments]
    assert len(first) == 1
    assert first[0] is again[0]
    assert {first[0]: "a cache key"}[again[0]]


WITH_PLUGIN = """
import gotrace, sys, weather
data = open(sys.argv[1], "rb").read()
with gotrace.open(data) as trace:
    rows = trace.experimental.to_numpy()
    names = trace.experiments["Weather"].events[137].arg_names
    first, second = trace.generations
    print(rows["type"].tolist(), rows["experiment"].tolist(), rows["args"][:, :3].tolist(), names)
    print(first.experiments["Weather"].parsed, 2 in second.experiments)
    print(len(trace.allocs))
"""


def run_with_plugin(program: str, trace: bytes, folder: Path, *arguments: str) -> str:
    path = folder / "x.trace"
    path.write_bytes(trace)
    package = Path(gotrace.__file__).parent.parent
    run = subprocess.run(
        [sys.executable, "-c", program, path, *arguments],
        env={**os.environ, "PYTHONPATH": f"{PLUGIN}:{package}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


@pytest.mark.parametrize("program", [WITH_PLUGIN, WITH_PLUGIN.replace(", weather", "")], ids=["import", "entry point"])
def test_with_the_package_both_decode(program: str, tmp_path: Path) -> None:
    """By register() when it is imported, and by its entry point alone."""
    rain = b"\x8a" + uvarint(1) + uvarint(2**40)
    said = run_with_plugin(program, trace_with(b"Berlin", b"Oslo", events=WEATHER + rain), tmp_path)
    assert said.splitlines() == [
        "[137, 138] [2, 2] [[21, 3, 0], [1099511627776, 0, 0]] ('temperature', 'wind_value')",
        "['Berlin', 'Oslo'] False",
        "0",
    ]


WITH_STACKS = """
import gotrace, sys
from gotrace.wire import helper
args = ("dt", "value", "stack")
spec = gotrace.EventSpec(140, "SiteLabels", args, since=26, kind=gotrace.Kind.EXPERIMENTAL, experiment=3)
gotrace.register(gotrace.Experiment(3, "Sampler", (spec,), needs=sys.argv[2]))
data = open(sys.argv[1], "rb").read()
helper._LARGE, helper.available_cores = 0, lambda: 2
for jobs, tables in ((1, ["events"]), (2, ["events"]), (1, ["events", "logs"])):
    with gotrace.open(data, jobs=jobs) as trace:
        rows = next(chunk["events"] for chunk in trace.iterate(tables))
        print(rows["stack"][rows["type"] == 140].tolist())
"""


@pytest.mark.parametrize("needs", ["R??", "RR?", "RRR", "???"])
def test_stacks_that_events_of_an_experiment_name(needs: str, tmp_path: Path) -> None:
    """In events alone, too, whatever they need."""
    events = b"".join(b"\x8c" + b"".join(map(uvarint, (1, 1000 * i, i % 3))) for i in range(5))
    trace = Writer(26).frequency(1, 100).stacks(1, {1: [(9, 0, 0, 5)], 2: [(8, 0, 0, 5)]})
    data = trace.batch(1, 1, 100, PROC + GO + events).end_of_generation().getvalue()
    said = run_with_plugin(WITH_STACKS, data, tmp_path, needs)
    assert said.splitlines() == ["[0, 1, 2, 0, 1]"] * 3


def bad(id: int = 9, events: tuple[EventSpec, ...] = (), needs: str = "R??") -> Experiment:
    return Experiment(id, "Bad", events, None, needs)


@pytest.mark.parametrize("wrong", [
    bad(1), bad(0), bad(256), bad(needs="R?"), bad(needs="xyz"),
    bad(events=(EventSpec(130, "New", ("dt",), kind=gotrace.Kind.EXPERIMENTAL, experiment=9),)),
    bad(events=(EventSpec(60, "New", ("dt",), kind=gotrace.Kind.EXPERIMENTAL, experiment=9),)),
    bad(events=(EventSpec(200, "GoStart", ("dt",), kind=gotrace.Kind.EXPERIMENTAL, experiment=9),)),
    bad(events=(EventSpec(200, "New", ("x",), kind=gotrace.Kind.EXPERIMENTAL, experiment=9),)),
    bad(events=(EventSpec(200, "New", ("dt",), kind=gotrace.Kind.EXPERIMENTAL, experiment=8),)),
    bad(events=(EventSpec(200, "New", ("dt", *"abcde"), kind=gotrace.Kind.EXPERIMENTAL, experiment=9),)),
])  # fmt: skip
def test_impossible_experiments(wrong: Experiment) -> None:
    with pytest.raises(ValueError, match=r"taken|allowed|needs|between"):
        gotrace.register(wrong)


def test_unknown_numbers_and_names() -> None:
    with gotrace.open(trace_with()) as trace:
        assert trace.experiments["AllocFree"].id == 1
        assert not trace.experiments[200].events
        for key in (0, 256, "Nothing"):
            with pytest.raises(KeyError):
                trace.experiments[key]
