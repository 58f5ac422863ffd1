"""Unusual inputs of real programs, and hostile ones: the right answer for each."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.streams import Stream
from support.trace_builder import GO, PROC, alloc_trace, new, span, types

import gotrace
from gotrace.raw import Writer, allocfree_types, event

CASES = reference.DATA / "cases"


def case(name: str) -> bytes:
    return reference.load(CASES / f"{name}.trace.gz")


def objects(trace: gotrace.Trace, by: Any = "type") -> dict[str, tuple[int, int]]:
    """Objects and bytes in use of each row of the heap."""
    return {row["name"]: (int(row["inuse_objects"]), int(row["inuse_bytes"])) for row in trace.heap(by=by).table}


class TestTypeTables:
    def test_cut_off_record(self) -> None:
        """The runtime cuts a record off at the end of its 64 KiB buffer: its name is shortened, the others stay."""
        with gotrace.open(case("longtype-go1.27-allocfree")) as trace:
            found = objects(trace)
            assert found["main.Known"][0] == 50
            (long,) = (name for name in found if name.startswith("struct {") and len(name) > 1000)
            assert len(long) == 65_461
            assert found[long][0] == 20
            assert [w for w in trace.warnings if "(byte 4979): a type record is cut off" in w]

    def test_damaged_record(self) -> None:
        """Records before the damaged one are used; the warning gives the damaged record's own offset."""
        table = allocfree_types(types("main.A", "main.B"))
        data = alloc_trace([PROC, GO, span(1), new(1024, 1), new(1026, 2)], tables=[table[: len(table) - 8]])
        with gotrace.open(data) as trace:
            assert trace.heap().table["alloc_objects"].sum() == 2
            assert trace.types["name"].tolist()[2:] == ["main.A"]
            (warning,) = (w for w in trace.warnings if "type record" in w)
            offset = int(warning.partition("(byte ")[2].partition(")")[0])
            assert offset == data.index(b"main.A") + len("main.A")

    def test_rewritten_as_event_batches(self) -> None:
        """A public flight recorder writes experimental batches as event batches of M -1."""
        with gotrace.open(case("xexp-recorder-go1.24-allocfree")) as trace:
            assert objects(trace)["main.Node"] == (5081, 5081 * 48)
            assert trace.generations["types"].sum() == 49
            assert trace.objects["address"].min() == 0xC000000000
            assert len([w for w in trace.warnings if "is read as such" in w]) == 3


class TestSalvage:
    def test_misused_annotations(self) -> None:
        """A region that ends out of order costs its own annotation, and nothing else."""
        data = case("region-misuse-go1.27")
        with gotrace.open(data) as trace, pytest.raises(gotrace.TraceError):
            trace.regions.to_numpy()
        with gotrace.open(data, errors="salvage") as trace:
            found = objects(trace, by="region")
            assert found["good-before"][0] == 300
            assert found["good-after"][0] == 3001
            assert len(trace.losses) == 3
            assert all("corrected" in loss for loss in trace.losses)

    def test_short_batches(self) -> None:
        """A header that claims more bytes than precede the next one costs its own batch only."""
        data = case("cut-buffers-go1.27.3-allocfree")
        with gotrace.open(data, errors="salvage") as trace:
            assert len(trace.allocs) == 15_933
            short = [loss for loss in trace.losses if "shorter than its header claims" in loss]
            assert len(short) == 2

    @pytest.mark.parametrize("table", ["allocs", "experimental", "lifetimes"])
    def test_changing_input(self, table: str) -> None:
        """A read of a buffer that changes meanwhile ends, with rows or an error."""
        data = case("cut-buffers-go1.27.3-allocfree")
        for seed in range(4):
            chance, buffer = random.Random(seed), bytearray(data)
            try:
                with gotrace.open(buffer, errors="salvage") as trace:
                    for chunk, _ in enumerate(trace.iterate(table, step_size=640)):
                        if chunk == 1:
                            for _ in range(200):
                                buffer[chance.randrange(16, len(buffer))] = chance.randrange(256)
            except gotrace.TraceError:
                pass


class TestWholeInputs:
    DATA = alloc_trace([PROC, GO, span(1), new(1024)], tables=[allocfree_types(types("main.A"))])

    def test_appended_trace(self) -> None:
        """Traces in one file are not one heap: the error gives the offset of the next header."""
        for errors in ("raise", "salvage"):
            with gotrace.open(self.DATA * 2, errors=errors) as trace:
                if errors == "raise":
                    with pytest.raises(gotrace.MalformedError, match="another trace starts here") as error:
                        trace.heap()
                    assert error.value.offset == len(self.DATA)
                    assert error.value.partial.table["alloc_objects"].sum() == 1
                else:
                    assert trace.heap().table["alloc_objects"].sum() == 1
                    assert [loss for loss in trace.losses if "another trace starts here" in loss]

    def test_shrinking_file(self, tmp_path: Path) -> None:
        """A file that is truncated while it is read ends the read with an error; without mapping, always."""
        path = tmp_path / "x.trace"
        whole = reference.load(reference.DATA / "sched-go1.27-tiny.trace.gz")
        path.write_bytes(whole)
        with gotrace.open(path, mmap=False) as trace:
            chunks = trace.iterate("events", step_size=64)
            next(chunks)
            os.truncate(path, len(whole) // 2)
            with pytest.raises(gotrace.TraceError):
                for _ in chunks:
                    pass

    def test_without_mapping(self, tmp_path: Path) -> None:
        data = reference.load(reference.DATA / "known-go1.27-allocfree.trace.gz")
        (tmp_path / "x.trace").write_bytes(data)
        with gotrace.open(tmp_path / "x.trace", mmap=False) as trace, gotrace.open(data) as other:
            assert trace.allocs.to_numpy().tobytes() == other.allocs.to_numpy().tobytes()
            assert trace.heap().table.tolist() == other.heap().table.tolist()


def _far_generation(batches: int) -> tuple[bytes, int]:
    """A trace in which a batch of generation 3 follows generation 1, and that batch's offset."""
    trace = Writer(23).frequency(1, 100).batch(1, 1, 100, PROC + GO)
    one = event("HeapAlloc", 1, 5)
    for i in range(batches):
        trace.batch(1, 1, 200 + i, one * (60_000 // len(one)))
    at = len(trace.getvalue())
    return trace.batch(3, 1, 300, PROC).getvalue(), at


@pytest.mark.parametrize("batches", [0, 1, 33, 34, 35, 36, 40, 71])
def test_place_of_a_wrong_generation(batches: int, tmp_path: Path) -> None:
    """The error's place is that of the batch, wherever a slab ends."""
    data, at = _far_generation(batches)
    path = tmp_path / "x.trace"
    path.write_bytes(data)
    for source in (data, Stream(data), path):
        with gotrace.open(source) as trace, pytest.raises(gotrace.GenerationError) as error:
            trace.events.to_numpy()
        assert (error.value.offset, error.value.generation, error.value.m) == (at, 3, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("stream", [False, True])
def test_fork(stream: bool) -> None:
    """A forked process does not read on what it shares with its parent, and does not wait for it."""
    data = reference.load(reference.DATA / "known-go1.27-allocfree.trace.gz")
    trace = gotrace.open(Stream(data) if stream else data, jobs=2)
    chunks = trace.iterate("allocs", step_size=640)
    next(chunks)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        try:
            for _ in chunks:
                pass
        except ValueError as error:
            code = 0 if "open it again after the fork" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(map(len, chunks)) > 0
    trace.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_of_a_file_that_is_read_at_a_position(tmp_path: Path) -> None:
    """A forked process starts its own passes, and does not go on with one of its parent."""
    path = tmp_path / "a.trace"
    path.write_bytes((reference.DATA / "known-go1.27-allocfree.trace.gz").read_bytes())
    with gotrace.open(path) as trace:
        rows = trace.allocs.to_numpy()
    with gotrace.open(path) as trace:
        for begun in (False, True):
            chunks = trace.iterate("allocs", step_size=640)
            n = len(next(chunks)) if begun else 0
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                code = 1
                try:
                    if begun:
                        with pytest.raises(ValueError, match="open it again after the fork"):
                            list(chunks)
                    code = 0 if (trace.allocs.to_numpy() == rows).all() else 2
                finally:
                    os._exit(code)
            assert n + sum(map(len, chunks)) == len(rows)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_table_of_a_damaged_trace_in_a_notebook() -> None:
    """The representation shows the error, and the trace can still be read."""
    data = (
        Writer(23)
        .frequency(1, 100)
        .batch(1, 1, 100, PROC + GO + span(1) + new(1024) + event("HeapObjectAlloc", 1, 0, 0) + b"\xc8")
        .getvalue()
    )
    with gotrace.open(data) as trace:
        assert "MalformedError: " in (trace.allocs._repr_html_() or "")
        with pytest.raises(gotrace.TraceError) as error:
            trace.heap()
        assert error.value.partial is not None


def test_names_stay_whole_in_arrays() -> None:
    """Unusual names reach arrays unchanged; text shows one line for each row."""
    data = case("names-go1.27-allocfree")
    with gotrace.open(data) as trace:
        for by in ("type", "task", "region", "package"):
            heap = trace.heap(by=by)
            text = str(heap)
            assert not [c for c in text if c != "\n" and (ord(c) < 32 or c in "\x7f\u202e\u2066")]
            assert len(text.splitlines()) == len(text.split("\n"))
        names = np.concatenate([trace.heap(by=by).table["name"] for by in ("task", "region")]).tolist()
        assert [name for name in names if "\x1b" in name or "\n" in name or "\u202e" in name]
