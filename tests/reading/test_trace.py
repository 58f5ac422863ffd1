"""What a user holds."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path

import numpy as np
import pytest
from support import reference
from support.streams import Stream
from support.trace_builder import GO, PROC, alloc_trace, free, new, span

import gotrace
from gotrace.raw import Writer, event, uvarint
from gotrace.tables import catalog

EXAMPLE = reference.DATA / "heap-go1.27-allocfree.trace.gz"
TABLES = [
    *("allocs", "objects", "spans", "goroutine_stacks", "experimental", "types", "generations", "strings"),
    *("stacks", "frames", "samples"),
]


@pytest.fixture(scope="module")
def data() -> bytes:
    return reference.load(EXAMPLE)


def plain(rows: np.ndarray) -> list[object]:
    """Rows that can be compared, arrays inside them too."""
    return list(map(repr, rows.tolist()))


def every_table(trace: gotrace.Trace) -> dict[str, list[object]]:
    return {name: plain(getattr(trace, name).to_numpy()) for name in TABLES}


@pytest.fixture(scope="module")
def tables(data: bytes) -> dict[str, list[object]]:
    with gotrace.open(data) as trace:
        return every_table(trace)


def test_the_input_changes_no_row(data: bytes, tables: dict[str, list[object]], tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    path.write_bytes(data)
    for source in (path, str(path), bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        with gotrace.open(source) as trace:
            assert every_table(trace) == tables


def test_a_stream_gives_all_tables_in_one_pass(data: bytes, tables: dict[str, list[object]]) -> None:
    found: dict[str, list[object]] = {name: [] for name in TABLES}
    with gotrace.open(Stream(data, most=777)) as trace:
        for chunk in trace.iterate(TABLES, step_size=10_000):
            assert list(chunk) == TABLES
            for name, rows in chunk.items():
                found[name] += plain(rows)
        assert found == tables
        with pytest.raises(ValueError, match="save it to a file"):
            trace.allocs.to_numpy()


def test_types_of_a_stream_stay_after_its_pass(data: bytes) -> None:
    with gotrace.open(data) as trace:
        expected = trace.types["name"].tolist()
    with gotrace.open(Stream(data)) as trace:
        rows = np.concatenate(list(trace.iterate("allocs")))
        assert trace.types["name"].tolist() == expected
        assert "main.Order" in trace.types["name"][rows["type"]]


@pytest.mark.parametrize("size", [1, 64, 640, 4096, "10 kB", "1 MiB", "1 GB"])
@pytest.mark.parametrize("name", ["allocs", "experimental", "frames"])
def test_the_chunk_size_changes_no_row(
    data: bytes, tables: dict[str, list[object]], name: str, size: int | str
) -> None:
    with gotrace.open(data) as trace:
        chunks = []
        for chunk in trace.iterate(name, step_size=size):
            chunks.append(chunk)
            if len(chunks) > 2000:
                break
        n = sum(map(len, chunks))
        assert [row for chunk in chunks for row in plain(chunk)] == tables[name][:n]
        assert n == len(tables[name]) or len(chunks) > 2000


@pytest.mark.parametrize("name", ["heap", "sched-go1.27", "sites-go1.27-allocfree"])
@pytest.mark.parametrize("table", [name for name in catalog.TABLES if not catalog.TABLES[name].dtype.hasobject])
def test_equal_rows_have_equal_bytes(table: str, name: str) -> None:
    """Padding is zero, in whole tables and in chunks, also in memory that other rows used before."""
    data = reference.load(EXAMPLE if name == "heap" else reference.DATA / f"{name}.trace.gz")
    with gotrace.open(data) as trace:
        whole = getattr(trace, table).to_numpy()
        used = [np.full(whole.nbytes, 255, np.uint8) for _ in range(20)]
        del used  # the next arrays of that size are in this memory
        whole = getattr(trace, table).to_numpy()
        chunks = [chunk.view(np.uint8).tobytes() for chunk in trace.iterate(table, step_size=4096) if len(chunk)]
    dtype = whole.dtype
    padding = np.ones(dtype.itemsize, bool)
    for column in dtype.names:
        field, offset = dtype.fields[column][:2]
        padding[offset : offset + field.itemsize] = False
    assert whole.view(np.uint8).tobytes() == b"".join(chunks)
    assert not whole.view(np.uint8).reshape(len(whole), dtype.itemsize)[:, padding].any()


def test_columns(data: bytes) -> None:
    with gotrace.open(data) as trace:
        whole = trace.allocs.to_numpy()
        some = trace.allocs.to_numpy(["size", "time"])
        assert some.dtype.names == ("size", "time")
        for name in ("size", "time"):
            assert (some[name] == whole[name]).all()
            assert (trace.allocs[name] == whole[name]).all()
        with pytest.raises(ValueError, match="no column 'siez'"):
            trace.allocs.to_numpy(["siez"])
        with pytest.raises(ValueError, match="no table 'alloc'"):
            trace.iterate("alloc")
        with pytest.raises(ValueError, match="step_size"):
            trace.iterate("allocs", step_size="much")


def test_views_are_allocs_with_fewer_fields(data: bytes) -> None:
    with gotrace.open(data) as trace:
        whole = trace.allocs.to_numpy()
        for what, name in enumerate(("spans", "objects", "goroutine_stacks")):
            view = getattr(trace, name).to_numpy()
            part = whole[whole["what"] == what]
            assert "what" not in view.dtype.names
            for field in view.dtype.names:
                assert (view[field] == part[field]).all()


def test_arrays_belong_to_the_caller(data: bytes) -> None:
    with gotrace.open(data) as trace:
        chunks = list(trace.iterate("allocs", step_size=6400))
        copies = [chunk.copy() for chunk in chunks]
        for chunk in chunks:
            assert chunk.flags.writeable
        chunks[0]["size"] = 7
        assert all((a == b).all() for a, b in zip(chunks[1:], copies[1:], strict=True))
    assert (chunks[0]["size"] == 7).all()


def test_table_protocol(data: bytes) -> None:
    with gotrace.open(data) as trace:
        table = trace.types
        assert len(table) == len(table.to_numpy()) == len(list(table)) == len(np.asarray(table))
        assert table.dtype == gotrace.TYPE
        assert "types" in repr(table)
        assert trace.version == "1.26"
        assert sum(1 for _ in trace) == len(trace.events)
    with pytest.raises(ValueError, match="closed"):
        len(table)


def test_lookups_have_a_row_for_none(data: bytes) -> None:
    with gotrace.open(data) as trace:
        assert trace.strings.to_numpy()[0].tolist() == ("", 0, 0)
        assert trace.stacks.to_numpy()[0].tolist() == (0, 0, 0, 0)
        assert trace.stack(0) == []
        stacks = trace.stacks.to_numpy()
        row = int(np.argmax(stacks["n_frames"]))
        frames = trace.stack(row)
        assert len(frames) == stacks["n_frames"][row]
        (generation, *_) = trace.generations
        assert frames == generation.stacks[int(stacks["id"][row])]
        assert any(frame.function.startswith("main.") for frame in frames)
        assert generation.strings[0] == ""


def test_times() -> None:
    trace = Writer(26).frequency(1, 1000).batch(1, 1, 900, event("ProcStop", 5) + event("ProcStop", 7))
    with gotrace.open(trace.end_of_generation().getvalue()) as read:
        assert (read.start, read.end) == (900 * 64, 912 * 64)
        (generation,) = read.generations
        assert generation.clock.time == 1001 * 64
        assert generation.clock.mono == 64 * 1001
        assert str(generation.clock.wall) == "2023-11-14T22:13:20.000000005"
        wall = read.wall([generation.clock.time, read.start, -1])
        assert wall[0] == generation.clock.wall
        assert wall[0] - wall[1] == np.timedelta64(101 * 64, "ns")
        assert np.isnat(wall[2])
    with gotrace.open(Writer(23).frequency(1, 5).getvalue()) as read:
        assert np.isnat(read.wall([1, 2])).all()


def test_odd_frequencies_are_truncated_for_each_event() -> None:
    """FORMAT appendix D5."""
    for frequency, base, steps, expected in (
        (3, 1, [1, 1, 1, 2], [666666666, 999999999, 1333333332, 1999999998]),
        (3579545, 123456789, [0, 1, 1, 2, 0], [34489520036, 34489520315, 34489520594, 34489521152, 34489521152]),
    ):
        trace = Writer(22).frequency(1, base, frequency).batch(1, 1, base, b"".join(new(0, dt=dt) for dt in steps))
        with gotrace.open(trace.getvalue()) as read:
            assert read.allocs["time"].tolist() == expected


def test_times_that_no_number_holds() -> None:
    trace = Writer(22).frequency(1, 2**64 - 1, 1).batch(1, 1, 2**64 - 1, new(0, dt=0) + new(0, dt=2**63))
    with gotrace.open(trace.getvalue()) as read:
        assert read.allocs["time"].tolist() == [-(2**63), 0]


def test_minimum_of_base_times() -> None:
    """FORMAT 4.5: a minimum of 0 counts as unset."""
    trace = Writer(22).frequency(1, 90).batch(1, 1, 0, b"").batch(1, 1, 100, b"").batch(1, 2, 95, b"")
    with gotrace.open(trace.getvalue()) as read:
        assert read.generations["start"].tolist() == [95 * 64]


def test_samples() -> None:
    trace = Writer(23).frequency(1, 100).samples(1, [(50, 1, 2**64 - 1, 0, 1), (40, 2, 3, 4, 0)])
    trace.strings(1, {1: b"f"}).stacks(1, {1: [(9, 1, 0, 5)]})
    with gotrace.open(trace.getvalue()) as read:
        rows = read.samples.to_numpy()
        assert rows[["time", "g", "m", "stack", "p"]].tolist() == [(2560, 4, 2, 0, 3), (3200, -1, 1, 1, -1)]
        assert read.stack(1) == [gotrace.Frame("f", "", 5, 9)]
        (generation,) = read.generations
        assert generation.samples == [(2560, 2, 3, 4, 0), (3200, 1, -1, -1, 1)]


def test_the_first_definition_of_a_pc_counts() -> None:
    trace = Writer(23).frequency(1, 100).strings(1, {1: b"f", 2: b"g"})
    trace.stacks(1, {1: [(9, 1, 0, 5)], 2: [(9, 77, 77, 6)]})
    with gotrace.open(trace.getvalue()) as read:
        assert read.stack(1) == read.stack(2) == [gotrace.Frame("f", "", 5, 9)]


def test_frames_however_their_numbers_are_written() -> None:
    """Known pcs are stepped over by the ends of four numbers; any of them may have up to ten bytes."""
    dice = random.Random(7)
    pcs = [dice.getrandbits(dice.choice((7, 21, 35, 56, 57, 64))) for _ in range(50)]
    means = {pc: (dice.randrange(3), dice.randrange(3), dice.getrandbits(20)) for pc in pcs}
    stacks, batches, batch = {}, [], b"\2"
    for number in range(1, 400):
        stacks[number] = [dice.choice(pcs) for _ in range(dice.randrange(30))]
        batch += b"\3" + uvarint(number, dice.choice((1, 10))) + uvarint(len(stacks[number]), 1)
        for pc in stacks[number]:
            most = dice.choice((1, 2, 10))
            batch += b"".join(uvarint(value, dice.randint(1, most)) for value in (pc, *means[pc]))
        if dice.random() < 0.2:
            batches.append(batch)
            batch = b"\2"
    trace = Writer(23).frequency(1, 100).strings(1, {1: b"f", 2: b"g"})
    for data in (*batches, batch):
        trace.batch(1, -1, 100, data)
    with gotrace.open(trace.getvalue()) as read:
        frames, names = read.frames.to_numpy(), ["", "f", "g"]
        assert frames["pc"].tolist() == [pc for frames in stacks.values() for pc in frames]
        for number, of in stacks.items():
            assert read.stack(number) == [
                gotrace.Frame(names[a], names[b], line, pc) for pc in of for a, b, line in [means[pc]]
            ]


@pytest.mark.parametrize("place", range(4))
def test_a_number_of_a_known_frame_that_is_too_large(place: int) -> None:
    frame = [b"\1"] * 4
    bad = [b"\xff" * 9 + b"\2" if i == place else part for i, part in enumerate(frame)]
    batch = b"\2\3\1\3" + b"".join(frame * 2 + bad)
    trace = Writer(23).frequency(1, 100).strings(1, {1: b"f"}).batch(1, -1, 100, batch + b"\3\2\0" * 40)
    offset = trace.getvalue().index(bad[place])
    with gotrace.open(trace.getvalue()) as read, pytest.raises(gotrace.TraceError, match="64 bits") as caught:
        read.frames.to_numpy()
    assert caught.value.offset == offset


def test_text_that_is_no_utf8() -> None:
    with gotrace.open(Writer(23).frequency(1, 100).strings(1, {1: b"\xc3\xff"}).getvalue()) as read:
        assert read.strings["text"][1].encode("utf-8", "surrogateescape") == b"\xc3\xff"


def test_heap_by_class() -> None:
    with gotrace.open(alloc_trace([span(0), new(0), new(2), free(0)])) as trace:
        heap = trace.heap(by="class")
        assert heap.table["name"].tolist() == ["16 B"]
        assert "16 B" in str(heap)
        assert ">16 B</td>" in heap._repr_html_()
        with pytest.raises(ValueError, match="by="):
            trace.heap(by="size")  # type: ignore[arg-type]


def test_many_small_generations() -> None:
    trace = Writer(26)
    for gen in range(1, 3000):
        trace.frequency(gen, 100 * gen).batch(gen, gen % 7, 100 * gen, new(gen)).end_of_generation()
    with gotrace.open(trace.getvalue()) as read:
        rows = read.allocs.to_numpy()
        assert (rows["generation"] == np.arange(1, 3000)).all()
        assert (read.generations["events"] == 1).all()
        assert len(list(read.generations)) == 2999


def test_sources() -> None:
    with pytest.raises(TypeError, match="cannot read a trace from int"):
        gotrace.open(5)
    with pytest.raises(FileNotFoundError):
        gotrace.open("/no/such/file.trace")
    with gzip.open(EXAMPLE) as packed, gotrace.open(packed) as trace:
        assert len(trace.types) > 10


def test_views_outlive_the_trace(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.trace"
    path.write_bytes(data)
    with gotrace.open(path) as trace:
        (generation, *_) = trace.generations
    assert generation.strings[next(iter(generation.strings))] is not None
    assert len(generation.experiments["AllocFree"].parsed.types) > 5


def test_warnings() -> None:
    trace = Writer(26)
    for gen in (1, 2, 5, 5):
        trace.frequency(gen, 100).end_of_generation()
    with gotrace.open(trace.getvalue()) as read:
        assert len(read.generations) == 4
        first, second = read.warnings
    assert first.endswith("follows generation 2")
    assert second.startswith("generation 5 (byte ")
    assert second.endswith("follows generation 5")
    with gotrace.open(Writer(22).frequency(1, 100).batch(1, 1, 1, new(0)).getvalue()) as read:
        assert len(read.generations) == 1
        assert "HeapObjectAlloc events, which header 1.22 does not define" in read.warnings[0]


def test_a_file_object_can_be_read_again(data: bytes, tables: dict[str, list[object]], tmp_path: Path) -> None:
    """From its position when it was opened, by passes in turns, and however compressed; it stays open."""
    path = tmp_path / "x.trace"
    path.write_bytes(b"before" + data)
    for file in (path.open("rb"), io.BytesIO(b"before" + gzip.compress(data))):
        with file:
            file.seek(6)
            with gotrace.open(file) as trace:
                assert every_table(trace) == tables
                pairs = zip(*(trace.iterate("allocs", step_size=6400) for _ in range(2)), strict=True)
                assert all((first == second).all() for first, second in pairs)
                assert trace.types.to_pandas()["name"].tolist() == trace.types["name"].tolist()
            assert not file.closed


def test_a_file_in_text_mode(tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    path.write_bytes(b"")
    with path.open() as file, pytest.raises(TypeError, match="text mode: open it with mode 'rb'"):
        gotrace.open(file)


def test_the_home_folder(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.trace").write_bytes(data)
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in ("~/x.trace", Path("~/x.trace")):
        with gotrace.open(source) as trace:
            assert len(trace.types) > 2


def test_wall_clock_times_that_datetime64_cannot_represent() -> None:
    latest = 2**63 - 1
    clock = b"\x32" + event("Frequency", 10**9) + event("ClockSnapshot", 0, 1, latest // 10**9, latest % 10**9 - 5)
    events = PROC + GO + event("HeapAlloc", 4, 7)
    writer = Writer(26).batch(1, -1, 100, clock).batch(1, 1, 100, events)
    with gotrace.open(writer.end_of_generation().getvalue()) as trace:
        times = [trace.start, 105, 106, trace.start - 2**62, 2**63 - 1, -1]
        unknown = [False, False, True, False, True, True]
        assert np.isnat(trace.wall(times)).tolist() == unknown
        assert trace.wall(105).astype(np.int64) == latest
        rows = trace.metrics.to_numpy()
        assert rows["time"].tolist() == [106]
        assert trace.metrics.to_arrow(["wall"])["wall"].to_pylist() == [None]
