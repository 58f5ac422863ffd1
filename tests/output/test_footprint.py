"""Bytes by kind of event: they add up to the file, and agree with records read one by one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.reference import fixtures, load
from support.trace_builder import GO, PROC, alloc_trace

import gotrace
from gotrace.cli import main


@pytest.mark.parametrize("path", fixtures(), ids=lambda path: path.name)
def test_every_byte_counts_once(path: Path) -> None:
    data = load(path)
    for by in ("type", "thread", "generation"):
        with gotrace.open(data) as trace:
            result = gotrace.footprint(trace, by=by)
            generations = trace.generations.to_numpy()
        if result.error is not None:
            continue
        assert result.nbytes == len(data)
        assert (np.diff(result.table["nbytes"]) <= 0).all()
        events = [row["count"] for row in result.table if not (by == "type" and row["name"].startswith("("))]
        assert sum(events) == generations["events"].sum()
        if by == "generation":
            rows = {str(row["number"]): (row["events"], row["nbytes"]) for row in generations}
            assert rows == {row["name"]: (row["count"], row["nbytes"]) for row in result.table if row["name"] in rows}


def test_bytes_of_each_type() -> None:
    """Padded numbers count with their padding, and the last event of a batch ends with the batch."""
    padded = gotrace.raw.event("HeapAlloc", 2, 5)[:1] + b"\x82\x80\x00" + b"\x85\x80\x80\x00"
    events = {"ProcStatus": PROC, "HeapAlloc": padded, "GoLabel": gotrace.raw.event("GoLabel", 300, 1)}
    data = alloc_trace(tuple(events.values()), tuple(events.values()), info=False)
    with gotrace.open(data) as trace:
        found = {row["name"]: (row["count"], row["nbytes"]) for row in gotrace.footprint(trace).table}
    assert {name: found[name] for name in events} == {name: (2, 2 * len(event)) for name, event in events.items()}


def test_damaged() -> None:
    data = alloc_trace((PROC, b"\xfe"), info=False)
    with gotrace.open(data) as trace:
        result = gotrace.footprint(trace)
    assert isinstance(result.error, gotrace.MalformedError)
    with gotrace.open(data, errors="salvage") as trace:
        result = gotrace.footprint(trace)
        assert trace.losses
    assert result.error is None
    assert "ProcStatus" in result.table["name"].tolist()


def test_groups() -> None:
    with (
        gotrace.open(alloc_trace((PROC,))) as trace,
        pytest.raises(ValueError, match="must be one of 'type', 'thread', 'generation'"),
    ):
        gotrace.footprint(trace, by="proc")  # type: ignore[call-overload]


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "app.trace"
    path.write_bytes(alloc_trace((PROC, GO), (PROC,)))
    assert main(["footprint", str(path), "-n", "2"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["bytes", "share", "count", "each", "type"]
    assert out[-1].startswith("... and ")
    assert main(["footprint", str(path), "--by", "thread", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["by"], document["nbytes"]) == ("footprint/1", "thread", path.stat().st_size)
    counts = {row["name"]: row["count"] for row in document["rows"]}
    assert counts == {"1": 2, "2": 1, "(no thread)": 0, "(header)": 0}
    path.write_bytes(path.read_bytes()[:-9])
    assert main(["footprint", str(path)]) == 3
