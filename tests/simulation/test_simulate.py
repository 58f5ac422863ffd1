"""The simulated runtime: what it writes, in which order, and the truth beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import reference

import gotrace
from gotrace.cli import main
from gotrace.experiments.allocfree import parse
from gotrace.raw import Batch, Reader
from gotrace.simulation import ANOMALIES, SHAPES, Program, Shape, Truth, simulate
from gotrace.simulation.program import CLASS_PAGES
from gotrace.spec.sizeclasses import CLASS_BYTES

SMALL = dataclasses.replace(SHAPES["plain"], live_bytes=200_000, least_heap=100_000)
BUFFER = 65504


def made(**arguments: object) -> tuple[bytes, Truth]:
    file = io.BytesIO()
    truth = simulate(file, arguments.pop("shape", SMALL), **arguments)  # type: ignore[arg-type]
    return file.getvalue(), truth


def batches(data: bytes) -> Iterator[Batch | None]:
    with Reader(data) as reader:
        yield from reader


def by_replay(data: bytes, time: int) -> dict[int, tuple[int, int]]:
    """Live slots after the rows up to a time, one row after the other: size and time of birth."""
    live: dict[int, tuple[int, int]] = {}
    with gotrace.open(data) as trace:
        for row in trace.objects:
            address = int(row["address"])
            if row["time"] > time:
                break
            if row["op"] == gotrace.Op.FREE:
                del live[address]
            elif row["op"] == gotrace.Op.EXISTS:
                live[address] = int(row["size"]), -1
            else:
                live.setdefault(address, (int(row["size"]), int(row["time"])))
    return live


def test_live_objects_at_any_time() -> None:
    data, truth = made(seed=5, events=20_000, generation_events=7000)
    with gotrace.open(data) as trace:
        times = trace.objects["time"]
    for place in (0.4, 0.6, 0.77, 0.9, 1.0):  # the snapshot is the first fifth
        time = int(times[int(place * (len(times) - 1))])
        said = {int(row["address"]): (int(row["size"]), int(row["time"])) for row in truth.live(time)}
        assert said == by_replay(data, time)
    assert np.array_equal(truth.live(), truth.live(truth.end))


def test_the_same_arguments_write_the_same_bytes() -> None:
    assert made(seed=3, events=5000)[0] == made(seed=3, events=5000)[0]
    assert made(seed=3, events=5000)[0] != made(seed=4, events=5000)[0]


def test_batches_fit_the_runtime_s_buffers_and_hold_whole_records() -> None:
    data, _ = made(seed=1, events=100_000)
    sizes = [len(batch.encode()) for batch in batches(data) if batch]
    assert BUFFER - 200 < max(sizes) <= BUFFER
    with gotrace.open(data) as trace:
        assert len(trace.events) > 100_000


@pytest.mark.parametrize("version", ["1.24", "1.26"])
def test_types_stand_between_stacks_and_strings_and_begin_anew(version: str) -> None:
    data, _ = made(seed=2, events=9000, generation_events=2000, version=version)
    tables: dict[int, list[str]] = {}
    ids: dict[int, dict[int, int]] = {}
    for batch in filter(None, batches(data)):
        order = tables.setdefault(batch.gen, [])
        if batch.experiment == 1 and batch.data[0] == 0:
            order.append("types")
            rows = parse([(-1, batch.data)]).types
            ids[batch.gen] = dict(zip(rows["id"].tolist(), rows["address"].tolist(), strict=True))
        elif batch.experiment is None and batch.data[0] in (2, 4):
            order.append({2: "stacks", 4: "strings"}[batch.data[0]])
    assert len(tables) >= 4
    assert set(map(tuple, tables.values())) == {("stacks", "types", "strings")}
    assert all(min(table) == 1 and max(table) == len(table) for table in ids.values())
    assert len({tuple(table.values())[:5] for table in ids.values()}) > 1


def test_type_names_of_more_than_a_buffer() -> None:
    names = [f"main.{'T' * 1500}{i}" for i in range(SMALL.types)]
    data, truth = made(seed=2, events=20_000, type_names=names)
    types = [batch for batch in batches(data) if batch and batch.experiment == 1 and batch.data[0] == 0]
    assert len(types) > 3
    with gotrace.open(data) as trace:
        assert (trace.heap().table == truth.table).all()
        assert set(trace.types["name"].tolist()) <= {"(untyped)", "(unresolved)", *names}


def test_objects_go_before_their_span_on_the_same_thread() -> None:
    acts = {**SMALL.acts, "grow_stack": 5000, "destroy": 5000, "create": 5000}
    data, _ = made(seed=6, shape=dataclasses.replace(SMALL, acts=acts), events=60_000, procs=8)
    with gotrace.open(data) as trace:
        spans, objects = trace.spans.to_numpy(), trace.objects.to_numpy()
    gone = spans[(spans["op"] == gotrace.Op.FREE) & (spans["spanclass"] < 136) & (spans["spanclass"] > 1)]
    assert len(gone) > 20
    assert (spans["spanclass"][spans["op"] == gotrace.Op.FREE] == 254).any()
    for span in gone:
        inside = (objects["address"] >= span["address"]) & (objects["address"] < span["address"] + span["size"])
        last = objects[inside & (objects["offset"] < span["offset"]) & (objects["m"] == span["m"])][-1]
        assert last["op"] == gotrace.Op.FREE
        assert last["time"] < span["time"]


def test_the_setting_counts_when_a_session_starts() -> None:
    program = Program(SMALL, seed=1)
    program.run(5000)
    first, second, third = io.BytesIO(), io.BytesIO(), io.BytesIO()
    program.allocfree = False
    program.start(first)
    program.allocfree = True
    program.run(5000)
    nothing = program.stop()
    program.run(5000)
    program.start(second)
    program.allocfree = False
    program.run(5000)
    truth = program.stop()
    program.allocfree = True
    program.start(third, joined=True)
    program.run(5000)
    program.stop()
    with gotrace.open(first.getvalue()) as trace:
        assert not trace.heap().seen
        assert not len(nothing.table)
    with gotrace.open(second.getvalue()) as trace:
        assert (trace.heap().table == truth.table).all()
        assert {int(row["address"]) for row in truth.live()} <= set(trace.objects["address"].tolist())
        assert next(iter(trace.generations)).number == 2
    with gotrace.open(third.getvalue()) as trace:
        assert trace.heap().anomalies["relative addresses"]
        assert not (trace.objects["op"] == gotrace.Op.EXISTS).any()
        assert next(iter(trace.generations)).number == 3


def test_each_session_has_its_own_least_address() -> None:
    bases = []
    for session in (1, 2):
        data, truth = made(seed=8, events=1000, session=session)
        info = [parse([(-1, b.data)]).info for b in batches(data) if b and b.experiment == 1 and b.data[0] == 1]
        assert [i and i.heap_base for i in info] == [truth.least]
        bases.append(truth.least)
    assert bases[1] < bases[0]


def test_the_original_layout_has_neither_kind_nor_info() -> None:
    data, truth = made(seed=9, events=5000, layout="original", version="1.23")
    tables = [batch.data for batch in batches(data) if batch and batch.experiment == 1]
    assert tables
    assert all(parse([(-1, table)]).info is None and table[0] != 0 for table in tables)
    with gotrace.open(data) as trace:
        assert trace.heap().anomalies["relative addresses"]
        assert (trace.heap().table == truth.table).all()


def test_stacks_of_descriptors_without_one_have_order_0() -> None:
    acts = {**SMALL.acts, "create": 9000, "destroy": 9000}
    data, _ = made(seed=1, shape=dataclasses.replace(SMALL, acts=acts), events=1000, warmup=60_000)
    with gotrace.open(data) as trace:
        assert trace.heap().anomalies["stacks of order 0"] > 1
        stacks = trace.goroutine_stacks.to_numpy()
    assert len(set(stacks["size"].tolist())) > 2


def test_long_runs_stay_small() -> None:
    program = Program(SMALL, seed=1)
    program.start(None)
    program.run(500_000)
    before = sum(table.nbytes for table in vars(program._tables).values())
    program.run(5_000_000)
    assert sum(table.nbytes for table in vars(program._tables).values()) <= 2 * before
    assert program.stop().cycles > 100


def test_spans_are_as_long_as_recorded_ones() -> None:
    seen = set()
    for path in reference.fixtures():
        if "allocfree" in path.name:
            with gotrace.open(reference.load(path)) as trace, contextlib.suppress(gotrace.TraceError):
                spans = trace.spans.to_numpy()
                spans = spans[(spans["op"] != gotrace.Op.FREE) & (spans["spanclass"] > 1) & (spans["spanclass"] < 136)]
                seen |= set(zip((spans["spanclass"] >> 1).tolist(), (spans["size"] // 8192).tolist(), strict=True))
    assert len(seen) > 30
    assert all(CLASS_PAGES[sizeclass] == pages for sizeclass, pages in seen)
    assert len(CLASS_PAGES) == len(CLASS_BYTES)


@pytest.mark.parametrize(
    "arguments",
    [
        {"shape": "none"},
        {"version": "1.21"},
        {"version": "1.28"},
        {"version": "1.22"},
        {"layout": "other"},
        {"procs": 0},
        {"procs": 257},
        {"seed": -1},
        {"generation": 0},
        {"generation_events": 0},
        {"anomalies": ["none"]},
        {"anomalies": ["dropped events"], "version": "1.26"},
        {"type_names": ["one"]},
        {"session": 0},
        {"warmup": -1},
        {"events": -1},
        {"shape": Shape(acts={"sing": 1})},
        {"shape": Shape(acts={"block": 2e6})},
        {"shape": Shape(acts={"block": -1})},
        {"shape": Shape(sizes={(0, True): 1})},
    ],
    ids=str,
)
def test_wrong_arguments(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        made(**arguments)


@pytest.mark.parametrize(
    "numbers",
    [
        {"pace": 0},
        {"types": 0},
        {"clustered": 1.0},
        {"busy": 1.5},
        {"live_bytes": -1},
        {"sizes": {}},
        {"gogc": 1 << 60},
    ],
    ids=str,
)
def test_wrong_shapes(numbers: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        dataclasses.replace(SMALL, **numbers)  # type: ignore[arg-type]


def test_a_file_that_takes_no_more_is_closed(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match="space"):
        simulate("/dev/full", SMALL, events=3_000_000)


def test_sessions_come_one_after_the_other() -> None:
    program = Program(SMALL)
    with pytest.raises(ValueError, match="no session"):
        program.stop()
    with pytest.raises(ValueError, match="specify events or seconds"):
        program.run()
    program.start(None)
    with pytest.raises(ValueError, match="already running"):
        program.start(None)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, truth = tmp_path / "x.trace", tmp_path / "x.npz"
    flags = ["--shape", "orders", "--events", "3000", "--anomaly", "frees outside a proc", "--release", "1.25"]
    assert main(["simulate", "-o", str(trace), *flags, "--truth", str(truth)]) == 0
    assert "objects live at the end" in capsys.readouterr().err
    with gotrace.open(trace) as opened, np.load(truth) as arrays:
        assert opened.version == "1.25"
        assert len(arrays["live"]) == opened.heap().table["inuse_objects"].sum()
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", "-o", str(trace)])
    capsys.readouterr()
    assert main(["simulate", "-o", str(trace), *flags, "-f", "--json", "--truth", str(tmp_path / "x.json")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "simulate/1"
    assert json.loads((tmp_path / "x.json").read_bytes())["rows"] == said["rows"]
    for wrong in (["--anomaly", "dropped events"], ["--truth", "x.txt"], ["--procs", "0"], ["--release", "1.2"]):
        with pytest.raises(SystemExit, match="2"):
            main(["simulate", "-o", str(tmp_path / "y"), *wrong])
        assert not (tmp_path / "y").exists()
    assert main(["simulate", "-o", str(tmp_path / "no" / "y")]) == 3


def test_every_anomaly_has_words() -> None:
    assert all(anomaly.about and anomaly.quirk for anomaly in ANOMALIES.values())
