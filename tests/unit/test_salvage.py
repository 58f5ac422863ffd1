"""Damaged traces that are opened to salvage: what can be read is read, and what was lost is said."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import reference
from made import GO, PROC
from ours import parsed
from schedules import Schedule
from validator import Validator

import gotrace
from gotrace.cli import main
from gotrace.raw import Writer, event
from gotrace.reader import BUILDERS

HEALTHY = [
    p for p in reference.fixtures() if p.name.startswith(("sched-go1.25-tiny", "known-go1.24", "joined", "coro"))
]
IDLE_PROC = reference.load(reference.DATA / "frees-idle-proc-go1.26-allocfree.trace.gz")
STUCK = reference.load(reference.DATA / "sched-go1.27-tiny.trace.gz")


def salvaged(data: bytes) -> tuple[str, gotrace.Trace]:
    with gotrace.open(data, errors="salvage") as trace:
        return b"".join(trace._parsed()).decode(), trace


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.name[:-9])
def test_healthy_traces_are_the_same(path: Path) -> None:
    data = reference.load(path)
    with gotrace.open(data) as plain, gotrace.open(data, errors="salvage") as trace:
        for name in BUILDERS:
            assert repr(getattr(trace, name).to_numpy()) == repr(getattr(plain, name).to_numpy()), name
        assert trace.heap().table.tolist() == plain.heap().table.tolist()
        assert trace.losses == []
    assert salvaged(data)[0].encode() == parsed(data)[0]


def test_a_wrong_status_is_mended() -> None:
    """The P stays idle, nothing is lost, and what comes out holds together (FORMAT 9.9.4)."""
    before, error = parsed(IDLE_PROC)
    assert isinstance(error, gotrace.OrderingError)
    text, trace = salvaged(IDLE_PROC)
    assert text.startswith(before.decode()[:-1].rpartition("\n")[0])
    assert trace.losses == []
    assert next(w for w in trace.warnings if "mended" in w).endswith("P 1 is told to run, but is idle: mended")
    assert not Validator().feed(text.splitlines())
    with gotrace.open(IDLE_PROC) as plain, gotrace.open(IDLE_PROC, errors="salvage") as again:
        experimental = again.events.to_numpy()
        n = int((experimental["kind"] == gotrace.Kind.EXPERIMENTAL).sum())
        assert n == len(plain.experimental)
        assert (again.allocs.to_numpy() == plain.allocs.to_numpy()).all()


def test_a_broken_generation_is_passed_over() -> None:
    before, error = parsed(STUCK)
    assert isinstance(error, gotrace.OrderingError)
    text, trace = salvaged(STUCK)
    assert text.encode().startswith(before)
    assert len(trace.losses) == 1
    assert trace.losses[0].startswith("generation 57: 7,134 of 8,221 events are lost: broken trace")
    with gotrace.open(STUCK, errors="salvage") as again:
        assert text.count(" Sync ") == len(again.generations) + 1


def test_a_break_in_the_middle() -> None:
    """Later generations begin anew: each of their goroutines and procs is told there."""
    writer = Writer(26)
    for gen in (1, 2, 3):
        writer.frequency(gen, 100 * gen)
        events = [PROC, GO, event("HeapAlloc", 1, 5 * gen)]
        if gen == 2:
            events += [event("GoStart", 1, 9, 1), event("GoStop", 1, 0, 0)]
        writer.batch(gen, 1, 100 * gen, b"".join(events)).end_of_generation()
    with pytest.raises(gotrace.OrderingError):
        salvage_not(writer.getvalue())
    with gotrace.open(writer.getvalue(), errors="salvage") as trace:
        metrics = trace.metrics.to_numpy()
        assert metrics["value"].tolist() == [5, 10, 15]
        assert trace.transitions.to_numpy()["generation"].tolist().count(3) == 2
        assert len(trace.losses) == 1
        assert "generation 2: 2 of 5 events are lost" in trace.losses[0]


def salvage_not(data: bytes) -> None:
    with gotrace.open(data) as trace:
        len(trace.events)


@pytest.mark.parametrize("version", [23, 26])
def test_a_damaged_batch_costs_its_generation(version: int) -> None:
    """What comes before and behind is there, every row of it."""
    whole = Schedule(11, version=version, generations=5).trace
    with gotrace.open(whole) as trace:
        rows = trace.generations.to_numpy()
    damaged = bytearray(whole)
    at = int(rows["offset"][2])
    damaged[at] = 0xEE
    text, trace = salvaged(bytes(damaged))
    with gotrace.open(bytes(damaged), errors="salvage") as again:
        numbers = again.generations.to_numpy()["number"].tolist()
        assert [n for n in numbers if n != 3] == [1, 2, 4, 5]
    assert not [fault for fault in Validator().feed(text.splitlines()) if "it was known to be" not in fault]
    assert trace.losses
    assert any(f"byte {at})" in loss for loss in trace.losses)


@pytest.mark.parametrize("version", [23, 25, 26])
def test_cut_and_flipped(version: int) -> None:
    """Whatever happens to the bytes, nothing is raised, and what is whole before the damage comes out."""
    whole = Schedule(5, version=version, generations=4).trace
    sound = parsed(whole)[0]
    dice = random.Random(version)
    for _ in range(60):
        damaged = bytearray(whole)
        if dice.random() < 0.4:
            damaged = damaged[: dice.randrange(17, len(damaged))]
        for _ in range(dice.choice((1, 2, 5))):
            damaged[dice.randrange(16, len(damaged))] = dice.randrange(256)
        before, error = parsed(bytes(damaged))
        text, trace = salvaged(bytes(damaged))
        assert bool(trace.losses) == (error is not None)
        if error is None:
            assert text.encode() == before
        else:
            last = before.rfind(b" Sync ")
            assert text.encode()[: before.rfind(b"\n", 0, last) + 1] == before[: before.rfind(b"\n", 0, last) + 1]
    assert sound


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "stuck.trace"
    path.write_bytes(STUCK)
    assert main(["dump", "--salvage", "--kind", "Sync", str(path)]) == 3
    said = capsys.readouterr()
    assert said.err.startswith("gotrace: lost: generation 57: ")
    cut = tmp_path / "cut.trace"
    cut.write_bytes(reference.load(reference.DATA / "known-go1.26-allocfree.trace.gz")[:-5])
    assert main(["heap", "--json", "--salvage", str(cut)]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["losses"]) == 1
    assert answer["rows"]
    assert answer["error"] is None
    assert main(["info", "--salvage", str(cut)]) == 3
    assert main(["export", "--salvage", str(cut), "-o", str(tmp_path / "rows.npy")]) == 3
    assert len(np.load(tmp_path / "rows.npy"))
    with pytest.raises(SystemExit):
        main(["dump", "--mode", "wire", "--salvage", str(cut)])


def test_what_go_tolerates_is_told(tmp_path: Path) -> None:
    """FORMAT 11.2: a status told again, a P and a goroutine on two threads."""
    writer = Writer(26).frequency(1, 100)
    writer.batch(1, 1, 100, PROC + GO + event("GoStatus", 1, 1, 1, 2))
    writer.batch(1, 2, 200, PROC + event("GoStatus", 1, 1, 2, 2)).end_of_generation()
    path = tmp_path / "odd.trace"
    path.write_bytes(writer.getvalue())
    with gotrace.open(path) as trace:
        len(trace.events)
        assert [warning.split(": ")[1] for warning in trace.warnings] == [
            "the status of G 1 is told again",
            "the status of P 0 is told again",
            "P 0 is on two threads",
            "G 1 is on two threads",
        ]
    assert main(["validate", "-q", str(path)]) == 0
    assert main(["validate", "-q", "--strict", str(path)]) == 1
