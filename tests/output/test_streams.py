"""Arrow streams at the level of C: read without the GIL, by several threads, and released by others.

Run it with ThreadSanitizer after a change of memory that batches share. Never here: other libraries.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import arrow_c, reference

import gotrace
from gotrace.tables import stream

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"
SIZE = list(gotrace.ALLOC.names or ()).index("size")


@pytest.mark.parametrize("jobs", [1, 2])
def test_streams_at_the_same_time(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread reads a stream of its own; another one releases the batches."""
    monkeypatch.setattr(stream, "STEP", 300_000)

    def read(_: int) -> tuple[int, int]:
        n = total = 0
        for batch in arrow_c.batches(trace.allocs):
            n += batch.length
            total += sum(arrow_c.int64(batch, SIZE))
            released.submit(arrow_c.release, batch)
        return n, total

    with (
        gotrace.open(EXAMPLE, jobs=jobs) as trace,
        ThreadPoolExecutor(2) as released,
        ThreadPoolExecutor(3) as readers,
    ):
        rows = trace.allocs.to_numpy()
        assert set(readers.map(read, range(6))) == {(len(rows), int(rows["size"].sum()))}


def test_batches_outlive_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STEP", 300_000)
    with gotrace.open(EXAMPLE) as trace:
        want = trace.allocs["size"].tolist()
        kept = list(arrow_c.batches(trace.allocs))
    del trace
    assert [size for batch in kept for size in arrow_c.int64(batch, SIZE)] == want
    for batch in kept:
        arrow_c.release(batch)
        assert not batch.release


def test_columns_are_aligned() -> None:
    with gotrace.open(EXAMPLE) as trace:
        for batch in arrow_c.batches(trace.allocs):
            for i in range(batch.n_children):
                column = batch.children[i].contents
                assert all((column.buffers[j] or 0) % 64 == 0 for j in range(column.n_buffers))
            arrow_c.release(batch)


def test_an_error_stays(tmp_path: Path) -> None:
    path = tmp_path / "cut.trace"
    path.write_bytes(EXAMPLE.read_bytes()[:-1000])
    with gotrace.open(path) as trace:
        with pytest.raises(OSError, match="the input ends") as raised:
            for batch in arrow_c.batches(trace.allocs):
                arrow_c.release(batch)
        assert raised.value.strerror == str(trace.fault)
