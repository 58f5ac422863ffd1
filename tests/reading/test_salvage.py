"""Damaged traces that are opened to salvage: what can be read is read, and losses are listed."""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from support import reference
from support.gotrace_text import parsed
from support.random_schedules import Schedule
from support.streams import Stream
from support.trace_builder import GO, PROC, alloc_trace, new, span
from support.validator import Validator

import gotrace
from gotrace.cli import main
from gotrace.raw import Writer, event
from gotrace.tables.catalog import TABLES

HEALTHY = [
    p for p in reference.fixtures() if p.name.startswith(("sched-go1.25-tiny", "known-go1.24", "joined", "coro"))
]
IDLE_PROC = reference.load(reference.DATA / "frees-idle-proc-go1.26-allocfree.trace.gz")
STUCK = reference.load(reference.DATA / "sched-go1.27-tiny.trace.gz")


def salvaged(data: bytes) -> tuple[str, gotrace.Trace]:
    with gotrace.open(data, errors="salvage") as trace:
        return b"".join(trace.text()).decode(), trace


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.name[:-9])
def test_healthy_traces_are_the_same(path: Path) -> None:
    data = reference.load(path)
    with gotrace.open(data) as plain, gotrace.open(data, errors="salvage") as trace:
        for name in TABLES:
            assert repr(getattr(trace, name).to_numpy()) == repr(getattr(plain, name).to_numpy()), name
        assert trace.heap().table.tolist() == plain.heap().table.tolist()
        assert trace.losses == []
    assert salvaged(data)[0].encode() == parsed(data)[0]


def test_a_wrong_status_is_corrected() -> None:
    """The P stays idle, nothing is lost, and what comes out holds together (FORMAT 9.9.4)."""
    before, error = parsed(IDLE_PROC)
    assert isinstance(error, gotrace.OrderingError)
    text, trace = salvaged(IDLE_PROC)
    assert text.startswith(before.decode()[:-1].rpartition("\n")[0])
    assert trace.losses == []
    warning = next(w for w in trace.warnings if "corrected" in w)
    assert warning.endswith("P 1 is reported running but is idle; corrected")
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
    assert trace.losses[0].startswith("generation 57: 7,134 of 8,221 events (32,554 bytes) are lost: broken trace")
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
        assert "generation 2: 2 of 5 events (8 bytes) are lost" in trace.losses[0]


def test_an_unknown_name_is_left_out() -> None:
    """Tasks and regions go on without it; the first one of a generation is told."""
    writer = Writer(26)
    writer.frequency(1, 100)
    events = [PROC, GO, event("UserTaskBegin", 1, 7, 0, 99, 0), event("UserRegionBegin", 1, 7, 98, 0)]
    events += [event("UserRegionEnd", 1, 7, 98, 0), event("UserTaskEnd", 1, 7, 0)]
    writer.batch(1, 1, 100, b"".join(events)).end_of_generation()
    with pytest.raises(gotrace.OrderingError):
        salvage_not(writer.getvalue())
    with gotrace.open(writer.getvalue(), errors="salvage") as trace:
        tables = {name: getattr(trace, name).to_numpy() for name in ("tasks", "regions")}
        assert tables["tasks"]["task"].tolist() == tables["regions"]["task"].tolist() == [7, 7]
        assert [loss.split(": ")[1] for loss in trace.losses] == ["unknown string id 99; ignored"]


@pytest.mark.parametrize("version", [23, 26])
def test_an_end_mark_without_a_generation_is_left_out(version: int) -> None:
    writer = Writer(version)
    for gen in (1, 2):
        writer.frequency(gen, 100).batch(gen, 1, 100, PROC + GO if gen == 1 else event("HeapAlloc", 1, 5)).raw(b"\x34")
    with gotrace.open(writer.raw(b"\x34").getvalue(), errors="salvage") as trace:
        assert trace.generations["number"].tolist() == [1, 2]
        assert trace.generations["start"].tolist() == [6400, 6400]
        assert trace.metrics["value"].tolist() == [5]
        assert len(trace.losses) == (3 if version == 23 else 1)


def salvage_not(data: bytes) -> None:
    with gotrace.open(data) as trace:
        len(trace.events)


@pytest.mark.parametrize("version", [23, 26])
def test_a_damaged_header_costs_its_batch(version: int) -> None:
    """Every generation is there, and what comes out holds together."""
    whole = Schedule(11, version=version, generations=5).trace
    with gotrace.open(whole) as trace:
        rows = trace.generations.to_numpy()
    damaged = bytearray(whole)
    at = int(rows["offset"][2])
    damaged[at] = 0xEE
    text, trace = salvaged(bytes(damaged))
    with gotrace.open(bytes(damaged), errors="salvage") as again:
        numbers = again.generations.to_numpy()["number"].tolist()
        assert numbers == [1, 2, 3, 4, 5]
    anew = ("it was known to be", "Undetermined->")
    assert not [fault for fault in Validator().feed(text.splitlines()) if not any(word in fault for word in anew)]
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
        else:  # the damage may lie in the last generation that came out
            sound_ones = before.split(b"M=-1 P=-1 G=-1 Sync ")[1:-2]
            assert text.encode().split(b"M=-1 P=-1 G=-1 Sync ")[1 : 1 + len(sound_ones)] == sound_ones
    assert sound


def spoilt(data: bytes, offset: int, value: int = 255) -> bytes:
    return data[:offset] + bytes([value]) + data[offset + 1 :]


def after(text: str, generation: int) -> tuple[list[str], list[int]]:
    """Lines from the Sync of a generation on, the first one being 1, without numbers of Syncs and times; the times."""
    pieces = re.split(r"^(?=M=-1 P=-1 G=-1 Sync )", text, flags=re.MULTILINE)[1:]
    rest = "".join(pieces[generation - 1 :])
    lines = [re.sub(r" (N|Time)=\d+", "", line) for line in rest.splitlines()]
    return lines, [int(time) for time in re.findall(r"^M=.* Time=(\d+)", rest, re.MULTILINE)]


@pytest.mark.parametrize("name", ["sched-go1.25-tiny", "sched-go1.26-tiny"])
def test_behind_a_break_reading_begins_anew_as_go_s_would(name: str, tmp_path: Path) -> None:
    """Go's tool says the same of a trace that begins with the next generation."""
    data = reference.load(reference.DATA / f"{name}.trace.gz")
    with gotrace.open(data) as trace:
        generations = trace.generations.to_numpy()
        events = trace.events.to_numpy()
    for at in (5, 30, len(generations) - 3):
        inside = events[(events["generation"] == generations["number"][at]) & (events["offset"] >= 0)]
        text, trace = salvaged(spoilt(data, int(inside["offset"][len(inside) // 3])))
        assert trace.losses
        rest = tmp_path / "rest.trace"
        rest.write_bytes(data[:16] + data[int(generations["offset"][at + 1]) :])
        tool = subprocess.run([reference.trace_tool(), "-d=parsed", rest], capture_output=True, text=True, check=True)
        lines, times = after(text, at + 2)
        expected, their_times = after(tool.stdout, 1)
        assert lines == expected
        same = np.array(times) == np.array(their_times)
        assert same[np.argmax(same) :].all()  # the first ones come behind what was read before


def test_losses_add_up() -> None:
    """What is said to be lost and what came out are all there was."""
    with gotrace.open(STUCK, errors="salvage") as trace:
        rows = trace.events.to_numpy()
        generations = trace.generations.to_numpy()
    written = (rows["part"] == 0) & ~np.isin(rows["type"], (7, 255))
    (loss,) = trace.losses
    lost, total = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+(?= of|\sevents)", loss)[:2])
    assert total == generations["events"][generations["number"] == 57].item()
    assert int(written.sum()) + lost == int(generations["events"].sum())


@pytest.mark.parametrize("name", ["known-go1.26-allocfree", "heap-go1.23-allocfree"])
def test_a_damaged_event_costs_the_rest_of_its_batch(name: str) -> None:
    """Rows of all other batches are there, whatever the fault; ``lost`` bytes are those behind it in its batch."""
    data = reference.load(reference.DATA / f"{name}.trace.gz")
    with gotrace.open(data) as trace:
        whole = trace.allocs["offset"]
    for place in np.sort(whole)[:: len(whole) // 7]:
        with gotrace.open(spoilt(data, int(place)), errors="salvage") as trace:
            rows = set(trace.allocs["offset"].tolist())
            (loss,) = trace.losses
            assert trace.heap().seen
        end = int(place) + int(re.search(r"([\d,]+) bytes? of a batch", loss)[1].replace(",", ""))  # type: ignore[index]
        assert rows == {offset for offset in whole.tolist() if not place <= offset < end}


def test_an_event_without_sense_is_left_out() -> None:
    spans = span(0) + event("SpanAlloc", 1, 4, 1, 133) + span(8)
    with gotrace.open(alloc_trace([spans, new(2), new(5)]), errors="salvage") as trace:
        rows = trace.allocs.to_numpy()
        assert len(rows) == 4
        assert "an event is left out: span has kind and class 133" in trace.losses[0]
    for names in (["allocs", "lifetimes"], ["objects", "allocs", "tasks"]):  # decoded once for each
        with gotrace.open(alloc_trace([spans, new(2), new(5)]), errors="salvage") as trace:
            chunks = list(trace.iterate(names))
            assert sum(len(chunk["allocs"]) for chunk in chunks) == 4
            assert len(trace.losses) == 1


def test_a_damaged_table_costs_its_rest() -> None:
    """Strings before the fault keep their text, and no event is lost."""
    table = Writer(26).frequency(1, 100)
    names = {1: b"before", 2: b"damaged", 3: b"behind"}
    table.batch(1, 1, 100, PROC + GO + b"".join(event("GoLabel", 1, number) for number in names))
    table.strings(1, names).stacks(1, {9: [(1, 1, 3, 5)]})
    data = table.end_of_generation().getvalue()
    fault = data.index(b"damaged") - 3
    with gotrace.open(spoilt(data, fault), errors="salvage") as trace:
        strings = trace.strings.to_numpy()
        assert [strings["text"][row] for row in trace.labels["label"]] == ["before", "", ""]
        assert [(frame.function, frame.file) for frame in trace.stack(1)] == [("before", "")]
        reason = f"lost: record type 255 does not belong in this kind of batch (byte {fault})"
        assert any(reason in loss for loss in trace.losses)


@pytest.mark.parametrize("version", [23, 25, 26])
def test_a_lost_clock_is_the_neighbour_s(version: int) -> None:
    writer = Writer(version)
    for number in (1, 2, 3):
        if number != 2:
            writer.frequency(number, 100 * number, 1_000_000)
        writer.batch(number, 1, 100 * number, PROC + GO + event("HeapAlloc", 1, 5 * number)).end_of_generation()
    with gotrace.open(writer.getvalue(), errors="salvage") as trace:
        assert trace.metrics["time"].tolist() == [103_000, 203_000, 303_000]
        assert trace.losses == ["generation 2: its clock is lost: the generation has no clock frequency (byte 0)"] or [
            loss for loss in trace.losses if loss.startswith("generation 2: its clock is lost: ")
        ]


@pytest.mark.parametrize("version", [23, 25, 26])
@pytest.mark.parametrize("size", [1, 300_000])
def test_foreign_bytes_between_batches(version: int, size: int) -> None:
    """Whatever stands between two batches is passed over."""
    whole = Schedule(7, version=version, generations=4).trace
    with gotrace.open(whole) as trace:
        offsets = trace.generations["offset"].tolist()
        sound = len(trace.experimental) + int(trace.generations["events"].sum())
    for at in offsets[1:]:
        data = whole[:at] + bytes(size) + whole[at:]
        with gotrace.open(data, errors="salvage") as trace:
            generations = trace.generations.to_numpy()
            assert generations["number"].tolist() == [1, 2, 3, 4]
            assert len(trace.experimental) + int(generations["events"].sum()) == sound
            assert [
                loss
                for loss in trace.losses
                if f"{size:,} byte{'s are' if size != 1 else ' is'} lost: expected a batch, found byte 0" in loss
            ]
        with gotrace.open(Stream(data), errors="salvage") as stream, gotrace.open(data, errors="salvage") as trace:
            assert (stream.events.to_numpy() == trace.events.to_numpy()).all()
            assert stream.losses == trace.losses


@pytest.mark.parametrize("version", [23, 25, 26])
def test_a_batch_with_another_generation_s_number(version: int) -> None:
    """It is dropped where those around it agree, wherever it stands."""
    for wrong in range(6):
        writer = Writer(version)
        for number in (1, 2):
            writer.frequency(number, 100 * number)
            for m in range(1, 6):
                stray = number == 2 and m == wrong
                events = event("ProcStatus", 1, m, 2) + (PROC + GO if m == 1 else b"")
                writer.batch(77 if stray else number, m, 100 * number + m, events)
            writer.end_of_generation()
        with gotrace.open(writer.getvalue(), errors="salvage") as trace:
            generations = trace.generations.to_numpy()
            assert generations["number"].tolist() == [1, 2]
            assert generations["threads"].tolist() == [5, 5 - (wrong > 0)]
            assert bool(trace.losses) == (wrong > 0)


def test_a_lost_mark_joins_nothing() -> None:
    """Header 1.26: generations are told apart by their numbers where the mark between them is gone."""
    writer = Writer(26)
    for number in (1, 2, 3):
        writer.frequency(number, 100 * number).batch(number, 1, 100 * number, PROC + GO)
        if number != 2:
            writer.end_of_generation()
    with gotrace.open(writer.getvalue(), errors="salvage") as trace:
        assert trace.generations["number"].tolist() == [1, 2, 3]
        assert trace.events["generation"].tolist().count(2) == 3


def test_losses_are_bounded() -> None:
    writer = Writer(23)
    for number in range(1, 1500):
        writer.frequency(number, 100 * number).batch(number, 1, 100 * number, PROC + GO + b"\xff")
    with gotrace.open(writer.getvalue(), errors="salvage") as trace:
        assert len(trace.generations) == 1499
        assert len(trace.losses) == 1001
        assert trace.losses[-1] == "more losses are not listed"


@pytest.mark.parametrize("filling", [b"\x01", b"1", b"\x01\x05", b"1\xff", bytes(range(256))])
def test_garbage_ends_soon(filling: bytes) -> None:
    """Nothing that stands for a trace takes long, or much."""
    began = time.process_time()
    with gotrace.open(b"go 1.26 trace\0\0\0" + filling * (2**20 // len(filling)), errors="salvage") as trace:
        len(trace.events)
        assert trace.losses
    assert time.process_time() - began < 30


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
    lost = "generation 1: the rest of the trace is lost: the input ends 2616 bytes into"
    assert answer["losses"][-1].startswith(lost)
    assert answer["rows"]
    assert answer["error"] is None
    assert main(["info", "--salvage", str(cut)]) == 3
    assert main(["export", "--salvage", str(cut), "-o", str(tmp_path / "rows.npy")]) == 3
    assert len(np.load(tmp_path / "rows.npy"))
    with pytest.raises(SystemExit):
        main(["dump", "--mode", "wire", "--salvage", str(cut)])


def test_what_go_tolerates_gives_a_warning(tmp_path: Path) -> None:
    """FORMAT 11.2: a status told again, a P and a goroutine on two threads."""
    writer = Writer(26).frequency(1, 100)
    writer.batch(1, 1, 100, PROC + GO + event("GoStatus", 1, 1, 1, 2))
    writer.batch(1, 2, 200, PROC + event("GoStatus", 1, 1, 2, 2)).end_of_generation()
    path = tmp_path / "odd.trace"
    path.write_bytes(writer.getvalue())
    with gotrace.open(path) as trace:
        len(trace.events)
        assert [warning.split(": ")[1] for warning in trace.warnings] == [
            "G 1 reports its status twice",
            "P 0 reports its status twice",
            "P 0 is on two threads",
            "G 1 is on two threads",
        ]
    later = Writer(26)
    for number, m in ((1, 1), (2, 2)):
        later.frequency(number, 100 * number).batch(number, m, 100 * number, PROC + GO).end_of_generation()
    with gotrace.open(later.getvalue()) as trace:
        len(trace.events)
        assert [warning.split(": ")[1] for warning in trace.warnings] == [
            "P 0 is on two threads",
            "G 1 is on two threads",
        ]
    assert main(["validate", "-q", str(path)]) == 0
    assert main(["validate", "-q", "--strict", str(path)]) == 1


def test_rows_before_a_fault_refer_to_rows_that_are_read_whatever_the_order_of_the_tables() -> None:
    names = ["events", "transitions", "strings", "stacks", "frames"]
    found: list[dict[str, list[str]]] = []
    for tables in (names, names[::-1]):
        rows: dict[str, list[str]] = {name: [] for name in names}
        with gotrace.open(reference.DATA / "sched-go1.27-tiny.trace.gz") as trace, pytest.raises(gotrace.OrderingError):
            for chunk in trace.iterate(tables):
                for name, part in chunk.items():
                    rows[name] += [repr(row) for row in part.tolist()]
                    if name == "events" and len(part):
                        last = int(part["stack"].max())
        found.append(rows)
        assert last < len(rows["stacks"])
    assert found[0] == found[1]
