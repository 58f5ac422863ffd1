"""Critical paths of goroutines in random schedules and recorded traces."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support import reference
from support.random_schedules import Schedule
from support.sched_oracle import Oracle

from gotrace import GOROUTINE, STATE, GoState
from gotrace.analysis.critical import CAUSED, Step, Walk

TRACES = [path for path in reference.fixtures() if path.name.startswith(("sched", "coro")) and "tiny" not in path.name]


def walk_of(oracle: Oracle) -> Walk:
    states = np.zeros(len(oracle.states), STATE)
    for name in set(STATE.names or ()) - {"reason"}:
        states[name] = [state[name] for state in oracle.states]
    lives = np.zeros(len(oracle.goroutines), GOROUTINE)
    for name in ("g", "life", "creator_g"):
        lives[name] = [life[name] for life in oracle.goroutines]
    return Walk(states, lives, np.array([state["reason"] in CAUSED for state in oracle.states]))


def check(walk: Walk, oracle: Oracle, start: int, end: int, steps: list[Step]) -> None:
    """Check that each segment is part of its state, and that it begins because of what the one before did."""
    assert steps[0].start == start
    assert steps[-1].end == end
    assert all(one.end == other.start for one, other in pairwise(steps))
    assert all(step.start < step.end for step in steps)
    assert all(step.row >= 0 for step in steps[1:])
    for step in steps:
        if step.row >= 0:
            state = walk.states[step.row]
            assert state["g"] == step.g
            assert state["start"] <= step.start
            assert state["end"] < 0 or step.end <= state["end"]
    ended = {(state["g"], state["end"]): state for state in oracle.states}
    created = {(life["g"], life["created"]): life["creator_g"] for life in oracle.goroutines}
    for one, other in pairwise(steps):
        if one.g != other.g:
            wait = ended.get((other.g, other.start))
            assert one.g == (wait["by_g"] if wait is not None else created[other.g, other.start])
            assert wait is None or (wait["state"] == GoState.WAITING and wait["reason"] in CAUSED)
        elif one.row >= 0 and walk.states[one.row]["state"] == GoState.WAITING:
            wait = ended[one.g, one.end]
            by_other = wait["by_g"] not in (-1, one.g) and wait["reason"] in CAUSED
            assert not by_other


@pytest.mark.parametrize("source", [*TRACES, *range(15)], ids=str)
def test_paths(source: Path | int) -> None:
    oracle = Oracle(reference.load(source) if isinstance(source, Path) else Schedule(source, steps=400).trace)
    walk = walk_of(oracle)
    n = 0
    for life in oracle.goroutines:
        end = oracle.end if life["ended"] < 0 else life["ended"]
        start = life["created"]
        for a, b in ((start, end), (oracle.end - (oracle.end - start) // 2, end), (0, end)):
            if a < b:
                check(walk, oracle, a, b, list(reversed(list(walk.back(life["g"], a, b)))))
                n += 1
    assert n
