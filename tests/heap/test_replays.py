"""The three who replay objects, ``heap``, ``lifetimes`` and ``history``, agree; and each with the plain account."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from support import reference, reference_decoder, trace_builder

import gotrace
from gotrace import End
from gotrace.raw import event
from gotrace.simulation import simulate

ALLOC_FREE = [path for path in reference.fixtures() if "allocfree" in path.name]
COUNTS = [f"{what}_{unit}" for what in ("inuse", "alloc", "free", "start") for unit in ("objects", "bytes")]
MEMORY = {"span_bytes": "heap_span_bytes", "manual_bytes": "manual_span_bytes", "stack_bytes": "stack_bytes"}


def agree(data: bytes) -> None:
    """Compare all that they say of the same thing."""
    with gotrace.open(data) as trace:
        heap = trace.heap()
    with gotrace.open(data) as trace:
        lives = trace.lifetimes.to_numpy()
        odd = trace.anomalies
    history = gotrace.history(data)
    assert history.error is None
    for name in COUNTS:
        over_time = {key: n for key, n in zip(history.names, history.types[name].tolist(), strict=True) if n}
        assert over_time == {row["name"]: int(row[name]) for row in heap.table if row[name]}, name
    ended = lives["end"] != End.ALIVE
    for name, chosen in (
        ("inuse", ~ended),
        ("free", ended),
        ("start", lives["born"] < 0),
        ("alloc", lives["born"] >= 0),
    ):
        assert int(heap.table[f"{name}_objects"].sum()) == int(chosen.sum()), name
        assert int(heap.table[f"{name}_bytes"].sum()) == int(lives["size"][chosen].sum()), name
    assert history.anomalies == odd == heap.anomalies
    last = history.moments[-1]
    assert int(last["inuse_bytes"]) == int(heap.table["inuse_bytes"].sum()) == int(history.series[:, -1].sum())
    for name, other in MEMORY.items():
        assert int(last[name]) == heap.memory[other], name
    aged = lives["age"] >= 0
    assert int(history.ages[:, 0].sum()) == int((ended & aged).sum())
    assert int(history.left[:, 1].sum()) == int(lives["size"][~ended & aged].sum())
    for age in range(len(history.ages) - 1):
        assert int(history.ages[age, 1]) == int(lives["size"][ended & (lives["age"] == age)].sum())
        assert int(history.left[age, 0]) == int((~ended & (lives["age"] == age)).sum())
    for cycle, row in enumerate(history.cycles):
        assert int(row["alloc_objects"]) == int((lives["born_cycle"] == cycle).sum())
        assert int(row["free_bytes"]) == int(lives["size"][lives["died_cycle"] == cycle].sum())


@pytest.mark.parametrize("path", ALLOC_FREE, ids=lambda path: path.name)
def test_fixtures(path: Path) -> None:
    data = reference.load(path)
    try:
        agree(data)
    except gotrace.TraceError:
        pytest.skip("a damaged trace has no numbers to compare")


@pytest.mark.parametrize("seed", range(40))
def test_random_sequences(seed: int) -> None:
    """A snapshot, and events of another thread whose times lie within it or behind it; frees may be of nothing."""
    draw = random.Random(seed)
    slots = [2 * draw.randrange(300) for _ in range(60)]
    there = draw.sample(sorted(set(slots)), 20)
    noscan = bool(seed % 2)
    snapshot = [
        trace_builder.span(0, new=False, noscan=noscan),
        *(trace_builder.old(slot, dt=draw.randrange(1, 9)) for slot in there),
    ]
    other = []
    for i in range(300):
        chance = draw.random()
        if chance < 0.5:
            other.append(trace_builder.new(draw.choice(slots)))
        elif chance < 0.97:
            other.append(trace_builder.free(draw.choice(slots)))
        else:
            other.append(event("GCBegin", 1, 2 * i, 0) + event("GCEnd", 1, 2 * i + 1))
    data = trace_builder.alloc_trace(snapshot, other, times=(100, draw.choice([90, 110, 150, 400])))
    agree(data)
    told = reference_decoder.Replay(data)
    inuse = sum(c["start_bytes"] + c["alloc_bytes"] - c["free_bytes"] for c in told.counts.values())
    assert int(gotrace.history(data).moments["inuse_bytes"][-1]) == inuse


@pytest.mark.parametrize("shape", ["plain", "collector", "json"])
@pytest.mark.parametrize("seed", range(3))
def test_simulated_traces(shape: str, seed: int) -> None:
    file = io.BytesIO()
    simulate(file, shape, events=30_000, seed=seed)
    agree(file.getvalue())
