"""Neither chunks nor a second thread change what is read, and the thread ends with what it works for."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference

import gotrace
from gotrace.dtypes import ALLOC, EVENT, EXPERIMENTAL

FIXTURES = reference.fixtures()
TABLES = {"events": EVENT, "allocs": ALLOC, "experimental": EXPERIMENTAL}


@pytest.fixture(autouse=True)
def _always_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gotrace.wire.helper._LARGE", 0)
    monkeypatch.setattr("gotrace.wire.helper.available_cores", lambda: 2)


def chunks(data: bytes, table: str, step: int, jobs: int) -> tuple[list[list[Any]], str]:
    """Columns of the rows, and the error that ended them, if any."""
    columns: list[list[Any]] = [[] for _ in TABLES[table].names or ()]
    said = ""
    try:
        with gotrace.open(data, jobs=jobs) as opened:
            for rows in opened.iterate(table, step_size=step):
                for column, name in zip(columns, rows.dtype.names or (), strict=True):
                    column += rows[name].tolist()
    except gotrace.TraceError as error:
        said = str(error)
    return columns, said


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name.removesuffix(".trace.gz"))
def test_neither_chunks_nor_threads_change_a_row(path: Path, table: str) -> None:
    data = reference.load(path)
    for part in (data, data[: len(data) * 2 // 3]):
        plain = chunks(part, table, 1 << 25, jobs=1)
        assert chunks(part, table, 1 << 25, jobs=2) == plain
        for rows in (63, 64, 65, 1000):
            assert chunks(part, table, rows * TABLES[table].itemsize, jobs=1 + rows % 2) == plain


@pytest.mark.parametrize("table", TABLES)
def test_what_a_user_holds_of_a_chunk_stays(table: str) -> None:
    """Chunks reuse the memory of chunks without references; a view of one column is a reference."""
    opened = gotrace.open(reference.load(next(path for path in FIXTURES if "allocfree" in path.name)), jobs=2)
    whole = [rows["time"].copy() for rows in opened.iterate(table, step_size=10**9)]
    held = [rows["time"][::-1].data[::-1] for rows in opened.iterate(table, step_size=10_000)]
    assert len(held) > 2
    assert np.concatenate(held).tolist() == np.concatenate(whole).tolist()
    places = {rows.ctypes.data for rows in opened.iterate(table, step_size=10_000)}
    assert len(places) < len(held)


@pytest.mark.parametrize("table", TABLES)
def test_unreferenced_memory_is_reused_by_the_next_pass(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gotrace.tables.builder._KEPT", range(10_000, 100_000))
    opened = gotrace.open(reference.load(next(path for path in FIXTURES if "allocfree" in path.name)))

    def places(step: int) -> set[int]:
        return {rows.ctypes.data for rows in opened.iterate(table, step_size=step)}

    assert places(20_000) & places(20_000)
    held = next(iter(opened.iterate(table, step_size=20_000)))
    before = held.tobytes()
    places(20_000)
    assert held.tobytes() == before
    places(10**6)
    assert len(opened.allocs.to_numpy()) > 0


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name.removesuffix(".trace.gz"))
def test_the_replayed_heap_is_the_same(path: Path) -> None:
    data = reference.load(path)
    heaps = []
    for jobs in (1, 2):
        with gotrace.open(data, jobs=jobs) as opened:
            heap = opened.heap()
            heaps.append((heap.table.tolist(), heap.anomalies))
    assert heaps[0] == heaps[1]


@pytest.mark.parametrize("table", TABLES)
def test_a_second_thread_ends_with_what_it_works_for(table: str) -> None:
    def helps() -> bool:
        return any(thread.name.startswith("gotrace") for thread in threading.enumerate())

    path = next(path for path in FIXTURES if "allocfree" in path.name)
    with gotrace.open(reference.load(path), jobs=2) as opened:
        rows = opened.iterate(table, step_size=100 * TABLES[table].itemsize)
        assert len(next(rows)) == 100
        assert helps()
        del rows
    assert not helps()


def test_no_fewer_than_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        gotrace.open(b"", jobs=0)


LEFT = """
import gc, sys
import gotrace
from gotrace.wire import helper

helper._LARGE, helper.available_cores = 0, lambda: 2
data, table, jobs = sys.stdin.buffer.read(), sys.argv[1], int(sys.argv[2])


def n_rows(part):
    n = 0
    try:
        with gotrace.open(part, jobs=jobs) as trace:
            for rows in trace.iterate(table, step_size=20_000):
                n += len(rows)
    except gotrace.TraceError:
        pass
    return n


n_rows(data[: len(data) // 2])  # what is imported only now
gc.collect()
gc.disable()
for part in (data, data[: len(data) // 2]):
    assert n_rows(part)
    assert gc.collect() == 0
"""


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("table", TABLES)
def test_a_pass_leaves_nothing_to_the_collector(table: str, jobs: int) -> None:
    """In a process of its own: the libraries of other tests leave threads that make garbage."""
    data = reference.load(next(path for path in FIXTURES if "idle-proc" in path.name))  # has rows of all in each half
    subprocess.run([sys.executable, "-c", LEFT, table, str(jobs)], input=data, check=True)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_streams_are_read_ahead(pack: Callable[[bytes], bytes], table: str) -> None:
    for part in (long := long_trace(), long[: len(long) * 2 // 3]):
        found = []
        for jobs in (1, 2):
            digest, said = sha256(), ""
            try:
                with gotrace.open(io.BytesIO(pack(part)), jobs=jobs) as trace:
                    for chunk in trace.iterate(table, step_size=2_000_000):
                        digest.update(chunk.tobytes())
            except gotrace.TraceError as error:
                said = str(error)
            found.append((digest.digest(), said))
        assert found[0] == found[1]
        assert bool(said) == (part is not long)


@cache
def long_trace() -> bytes:
    """A trace of several slabs."""
    file = io.BytesIO()
    gotrace.simulate(file, events=500_000, generation_events=50_000)
    return file.getvalue()


@contextmanager
def stalled_pipe(data: bytes) -> Iterator[int]:
    """A pipe that has these bytes and then neither more nor an end."""
    read_end, write_end = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError):
            left = memoryview(data)
            while left:
                left = left[os.write(write_end, left) :]

    thread = threading.Thread(target=write)
    thread.start()
    yield read_end
    thread.join()
    os.close(write_end)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_pass_over_a_pipe_ends_without_its_next_bytes(pack: Callable[[bytes], bytes], table: str) -> None:
    with (
        stalled_pipe(pack(long_trace())[:-1000]) as read_end,
        os.fdopen(read_end, "rb") as file,
        gotrace.open(file, jobs=2) as trace,
    ):
        rows = trace.iterate(table, step_size=20_000)
        for _ in range(3):
            assert len(next(rows)) > 0
        del rows
    while any(thread.name == "gotrace" for thread in threading.enumerate()):
        time.sleep(0.01)


STOPS = """
import sys, gotrace
from gotrace.wire import helper
helper.available_cores = lambda: 2
trace = gotrace.open("-", jobs=2)
rows = trace.iterate("allocs", step_size=20_000)
for _ in range(3):
    assert len(next(rows)) > 0
del rows
print("stopped", flush=True)
"""


def test_a_process_ends_without_the_end_of_its_input() -> None:
    with stalled_pipe(long_trace()[:-1000]) as read_end:
        run = subprocess.run([sys.executable, "-c", STOPS], stdin=read_end, capture_output=True, text=True, timeout=100)
        os.close(read_end)
    assert (run.returncode, run.stdout, run.stderr) == (0, "stopped\n", "")
