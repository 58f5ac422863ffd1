"""Traces copied, tables cut into batches, text as it streams: what is written is what was read."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import reference
from support.event_arrays import decode, events_of, is_events

import gotrace
from gotrace.experiments import registry
from gotrace.raw import Batch, Reader, TextError, Writer, allocfree_info, assemble, assemble_stream, event, uvarint

ARGS = {spec.id: spec.args for spec in registry().events}
FIXTURES = reference.fixtures()
BUFFER = 65504  # of the runtime: 64 KiB without its header of 32 bytes

numbers = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
batches = st.builds(
    Batch,
    *(numbers, st.integers(-(2**63), 2**63 - 1), numbers),
    st.binary(max_size=40),
    st.one_of(st.none(), st.integers(0, 255)),
    st.tuples(*[st.integers(1, 10)] * 4),
)


class Dribble(io.BytesIO):
    """A stream that never gives more than a few bytes."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 1021) if size is not None and size >= 0 else 1021)


def unpadded(batch: Batch | None) -> Batch | None:
    return batch and replace(batch, widths=(1, 1, 1, 1))


def copy(source: object) -> bytes:
    with Reader(source) as reader:
        writer = Writer(reader.version)
        for batch in reader:
            writer.copy(batch)
    return writer.getvalue()


def wire(data: bytes) -> bytes:
    with gotrace.open(data) as trace:
        return b"".join(trace.text("wire"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name[:-9])
def test_a_file_batch_by_batch_is_the_same_file(path: Path) -> None:
    data = reference.load(path)
    assert copy(data) == data
    assert copy(Dribble(data)) == data


@given(st.sampled_from([22, 23, 25, 26]), st.lists(st.one_of(st.none(), batches), max_size=8))
def test_any_batches_come_back(version: int, given: list[Batch | None]) -> None:
    """Whatever stands in them, padded anyhow."""
    writer = Writer(version)
    for batch in given:
        writer.copy(batch)
    with Reader(writer.getvalue()) as reader:
        found = list(reader)
    assert [unpadded(batch) for batch in found] == [unpadded(batch) for batch in given]
    assert copy(writer.getvalue()) == writer.getvalue()


@pytest.mark.parametrize("path", FIXTURES[::3], ids=lambda path: path.name[:-9])
def test_text_gives_back_the_data_of_every_batch(path: Path) -> None:
    """All records become text and records again; only lengths of batches lose their padding."""
    data = reference.load(path)
    with Reader(data) as one, Reader(assemble(wire(data), version=int(data[5:7]))) as other:
        for batch, again in zip_longest(one, other):
            assert unpadded(batch) == unpadded(again)


@pytest.mark.parametrize("path", FIXTURES[1::3], ids=lambda path: path.name[:-9])
def test_events_of_real_traces_encoded_in_bulk(path: Path) -> None:
    """The runtime's bytes, but that the first event's time is the batch's."""
    full = 0
    data = reference.load(path)
    before: dict[int, Batch] = {}
    with Reader(data) as reader:
        for batch in filter(None, reader):
            if not is_events(batch):
                continue
            rows = list(decode(batch))
            events = events_of(rows)
            written = Writer(26).events(batch.gen, batch.m, events.types, events.times, events.args).getvalue()
            with Reader(written) as again:
                (found,) = filter(None, again)
            kind, time, _ = rows[0]
            dt = len(uvarint(time - batch.time))
            assert (found.gen, found.m, found.time) == (batch.gen, batch.m, time)
            assert found.data == bytes([kind, 0]) + batch.data[1 + dt :]
            last = before.get(batch.m)
            if last is not None and last.gen == batch.gen and len(last.data) > 65_000:
                full += 1  # it ended where the next event might not have fitted
                assert BUFFER - 51 < len(last.encode()) <= BUFFER < len(last.encode()) + 1 + 10 * len(ARGS[kind])
            before[batch.m] = batch
    assert full or len(data) < 1_000_000


def test_batches_end_as_the_runtime_s_do() -> None:
    n = 40_000
    times = np.arange(n, dtype=np.uint64) + 10**12
    args = np.random.default_rng(2).integers(0, 2**40, (n, 2))
    with Reader(Writer(26).events(3, 7, np.full(n, 132, np.uint8), times, args).getvalue()) as reader:
        found = [batch for batch in reader if batch is not None]
    assert [row for batch in found for row in decode(batch)] == [
        (132, 10**12 + i, pair) for i, pair in enumerate(args.tolist())
    ]
    assert len(found) > 5
    assert all(BUFFER - 31 < len(batch.encode()) <= BUFFER for batch in found[:-1])
    assert {batch.widths[3] for batch in found} == {10}


def test_arrays_of_any_integers_and_layout() -> None:
    expected = Writer(23).events(1, -1, [12], [5], [[3, 4, -1]]).getvalue()
    assert expected[16:] == b"\1\1" + uvarint(-1) + b"\5" + uvarint(14, 10) + b"\x0c\0\3\4" + uvarint(-1)
    wide = np.array([[3, 0, 4, 0, -1, 0]], np.int32)[:, ::2]
    assert Writer(23).events(1, -1, np.array([12], ">i4"), np.array([5], np.int8), wide).getvalue() == expected
    assert Writer(23).events(1, 1, [], []).getvalue() == Writer(23).getvalue()


@pytest.mark.parametrize(("types", "args", "words"), [
    ([200], None, "row 0: type 200 is not a timed event"),
    ([300], None, "types must be 0 to 255"),
    ([-1], None, "types must be 0 to 255"),
    ([10], None, r"row 0: type 10 has 2 arguments, but args has shape \(1, 0\)"),
    ([10], [[1]], "type 10 has 2 arguments"),
    ([[11]], None, r"expected \(n,\)"),
    ([10], [1], r"expected \(n,\)"),
])  # fmt: skip
def test_arrays_that_are_no_events(types: list[int], args: list[int] | None, words: str) -> None:
    writer = Writer(26)
    with pytest.raises(ValueError, match=words):
        writer.events(1, 1, types, [1], args)
    with pytest.raises(TypeError, match="float64"):
        writer.events(1, 1, [11], [1.5])
    assert writer.getvalue() == Writer(26).getvalue()


def test_tables_larger_than_a_batch() -> None:
    names = {i: b"%d" % i * 200 for i in range(1, 300)}
    types = [(i, 64 * i, 8, 8, b"%d" % i * 400) for i in range(1, 200)]
    stacks = {i: [(i, i % 299 + 1, 1, line) for line in range(128)] for i in range(1, 300)}
    writer = Writer(26).frequency(1, 100, 10**9).strings(1, names).stacks(1, stacks)
    writer.samples(1, [(100 + i, 1, 0, 1, 1) for i in range(20_000)])
    writer.batch(1, -1, 100, allocfree_info(0xC000000000), experiment=1).types(1, types).end_of_generation()
    with Reader(writer.getvalue()) as reader:
        sizes = [len(batch.encode()) for batch in reader if batch is not None]
    assert max(sizes) <= BUFFER
    assert sum(size > 60_000 for size in sizes) >= 7
    with gotrace.open(writer.getvalue()) as trace:
        assert trace.strings["text"].tolist()[1:] == [name.decode() for name in names.values()]
        assert len(trace.frames) == 299 * 128
        assert len(trace.samples) == 20_000
        assert trace.types["name"].tolist()[2:] == [name.decode() for *_, name in types]


def test_a_record_too_large_for_a_batch_has_its_own() -> None:
    records = [b"a" * 10, b"b" * 66_000, b"c" * 10]
    data = Writer(26).records(1, b"\0", records, experiment=9).getvalue()
    assert data.count(b"\x31\x09\1") == 3


def test_experiments_of_any_number(tmp_path: Path) -> None:
    path = tmp_path / "any.trace"
    expected = [(number, b"data of %d" % number) for number in range(256)]
    with path.open("wb") as out:
        writer = Writer(26, out)
        for number, data in expected:
            writer.batch(1, number, 100, data, experiment=number)
        with pytest.raises(ValueError, match="to a file"):
            writer.getvalue()
    for source in (path, assemble(wire(path.read_bytes()), version=26)):
        with Reader(source) as reader:
            assert [(batch.experiment, batch.data) for batch in reader if batch is not None] == expected


def test_damage_comes_after_the_batches_before_it() -> None:
    data = Writer(26).batch(1, 1, 5, event("ProcStop", 1)).getvalue()
    found = []
    with pytest.raises(gotrace.MalformedError, match="expected a batch") as caught, Reader(data + b"\7") as reader:
        found += list(zip(reader, range(1), strict=False))
        list(reader)
    assert caught.value.offset == len(data)
    with pytest.raises(gotrace.HeaderError):
        Reader(b"no trace")


@pytest.mark.parametrize("path", FIXTURES[::7], ids=lambda path: path.name[:-9])
def test_text_that_is_not_plain_says_the_same(path: Path) -> None:
    """What the kernel takes line by line, and what it leaves to Python, become the same bytes."""
    data = reference.load(path)
    text = wire(data)
    version = int(data[5:7])
    expected = assemble(text, version=version)
    odd = (
        text.replace(b" gen=", b"   gen=00").replace(b"func=", b"\tfunc=").replace(b"dt=", b"dt=000000000000000000000")
    )
    odd = odd.replace(b"\n", b"\r\n# a remark\n\n")
    assert assemble(odd, version=version) == expected
    assert b"".join(assemble_stream(Dribble(text), version=version)) == expected
    assert b"".join(assemble_stream(Dribble(odd), version=version)) == expected


@pytest.mark.parametrize(("text", "line", "words"), [
    ("Stack id=1 nframes=2\n\tpc=1 func=2 file=3 line=4\nProcStop dt=1", 3, "expected pc=NUMBER"),
    ("Stack id=1 nframes=9223372036854775808\n", 1, "expected 4 arguments"),
    ("Stack id=1 nframes=18446744073709551615\n", 1, "expected 4 arguments"),
    ("ProcStop dt=1\nProcStop dt=1 \nProcStop dt=x", 3, "expected dt=NUMBER"),
    ("String id=1\n\tdata=\"a\"b\"\n", 2, "bad escape"),
    ("ProcStop dt=" + (1 << 20) * "0" + "1", 1, "line exceeds"),
    ("-- expect --\nSUCCESS\n", 2, "-- trace --"),
])  # fmt: skip
def test_the_line_at_fault(text: str, line: int, words: str) -> None:
    for source in (text.encode(), Dribble(text.encode())):
        with pytest.raises(TextError, match=words) as caught:
            b"".join(assemble_stream(source, version=22))
        assert caught.value.line == line


@pytest.mark.parametrize("content", [b"", b"plain", b"\xff\x80", b'a"\\b', b"a\nb", b"x" * 65_536, b"x" * 65_537])
def test_strings(content: bytes) -> None:
    expected = b"\5\7" + uvarint(len(content)) + content
    quoted = content.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    for text in (b'String id=7\n\tdata="%s"\nProcStop dt=1\n', b'String id=7\ndata =  "%s"\nProcStop dt=1'):
        assert assemble(text % quoted, version=22)[16:] == expected + b"\x0b\1"


@pytest.mark.parametrize("value", [0, 9, 10**18, 10**19 - 1, 10**19, 2**64 - 16, 2**64 - 6, 2**64 - 1])
def test_numbers_of_any_size(value: int) -> None:
    for zeros in ("", "0", 30 * "0"):
        assert assemble(f"HeapAlloc dt={zeros}{value} heapalloc_value=1\n", version=22)[17:] == uvarint(value) + b"\1"


@pytest.mark.parametrize("value", [2**64, 2**64 + 9, 2**64 + 10, 10**20 - 1, 10**20, 3 * 10**19, 10**30])
def test_numbers_too_large(value: int) -> None:
    with pytest.raises(TextError, match="expected dt=NUMBER"):
        assemble(f"HeapAlloc dt={value} heapalloc_value=1\n", version=22)
