"""A data frame of Dask over several traces holds the rows of their tables, computed serially or by two processes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pandas as pd
import pytest
from dask.dataframe.utils import assert_eq
from distributed import Client, LocalCluster
from support import reference
from support.columns import odd_trace
from support.trace_builder import alloc_trace, new, span

import gotrace
import gotrace.dask
from gotrace.columns.fields import extras_of
from gotrace.tables.catalog import TABLES

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three traces, whose types and strings differ."""
    folder = tmp_path_factory.mktemp("traces")
    (folder / "odd.trace").write_bytes(odd_trace())
    (folder / "session.trace").write_bytes(reference.load(reference.DATA / "session-go1.25-allocfree.trace.gz"))
    (folder / "heap.trace").write_bytes(EXAMPLE.read_bytes())
    return sorted(map(str, folder.iterdir()))


@pytest.fixture
def serial() -> Iterator[None]:
    with dask.config.set(scheduler="synchronous"):
        yield


def expected(traces: list[str], table: str) -> pd.DataFrame:
    """Return all columns of all traces, names as text."""
    frames = []
    for path in traces:
        with gotrace.open(path) as trace:
            of_trace = getattr(trace, table)
            frames.append(plain(of_trace.to_pandas([*of_trace.columns, *extras_of(TABLES[table].dtype)])))
    return pd.concat(frames)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with names as text: the order of categories depends on that of the traces."""
    categories = {name: "str" for name in frame.columns if frame[name].dtype == "category"}
    texts = {name: "str" for name in frame.columns if frame[name].dtype == "string"}
    return frame.astype({**categories, **texts})


@pytest.mark.usefixtures("serial")
@pytest.mark.parametrize("table", TABLES)
def test_rows(table: str, traces: list[str]) -> None:
    frame = gotrace.dask.from_traces(traces, table)
    found = frame.compute()
    assert frame.npartitions == len(traces)
    assert list(found.columns) == list(frame.columns)
    assert all(frame[name].dtype == found[name].dtype for name in found.columns if found[name].dtype != "category")
    assert not any(frame[name].cat.known for name in found.columns if found[name].dtype == "category")
    pd.testing.assert_frame_equal(plain(found), expected(traces, table))


def by_type(frame: Any) -> Any:
    frame = frame[(frame["op"] == "alloc") & (frame["what"] == "object")]
    return frame.groupby(["trace", "type"], observed=True)["size"].agg(["sum", "count"])


def test_two_processes_give_the_serial_answer(traces: list[str]) -> None:
    frame = gotrace.dask.from_traces(traces)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        assert len(set(client.run(lambda: __import__("os").getpid()).values())) == 2
        found = by_type(frame).compute()
        n = len(frame)
    with dask.config.set(scheduler="synchronous"):
        serial = by_type(frame).compute()
    want = by_type(expected(traces, "allocs")).sort_index()
    for result in (found, serial):
        result.index = result.index.set_levels([level.astype("str") for level in result.index.levels])
        pd.testing.assert_frame_equal(result.sort_index(), want)
    assert n == len(expected(traces, "allocs"))


@pytest.mark.usefixtures("serial")
def test_only_needed_columns_are_read(traces: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[str]] = []
    original = gotrace.Table.to_pandas

    def spy(self: gotrace.Table, columns: Any = None) -> pd.DataFrame:
        read.append(list(columns))
        return original(self, columns)

    monkeypatch.setattr(gotrace.Table, "to_pandas", spy)
    frame = gotrace.dask.from_traces(traces[:1])
    for result, want in (
        (frame["size"].sum(), ["size"]),
        (frame[["trace", "wall"]], ["trace", "wall"]),
        (frame[["wall", "size"]], ["wall", "size"]),
        (frame[frame["op"] == "free"]["time"].max(), ["op", "time"]),
        (gotrace.dask.from_traces(traces[:1], columns=["type_row", "m"]), ["type_row", "m"]),
        (gotrace.dask.from_traces(traces[:1], columns=["size", "trace"])["trace"], ["trace"]),
    ):
        read.clear()
        computed = result.compute()
        assert [sorted(columns) for columns in read] == [sorted(want)]
        if isinstance(computed, pd.DataFrame):
            assert list(computed.columns) == want
    assert len(frame) == len(frame.compute())
    assert len(frame[[]].compute()) == len(frame)


@pytest.mark.usefixtures("serial")
def test_dask_itself_finds_no_difference(traces: list[str]) -> None:
    frame = gotrace.dask.from_traces(traces, "spans", columns=["time", "g", "op", "wall", "trace"])
    assert_eq(frame["g"], frame.compute()["g"], check_index=False)
    assert_eq(frame[["time", "wall"]], frame.compute()[["time", "wall"]], check_index=False)


def test_a_partition_is_a_name_and_arguments(traces: list[str]) -> None:
    frame = gotrace.dask.from_traces(traces, columns=["size"], storage_options={"anon": True})
    tasks = list(map(pickle.dumps, frame.optimize().dask.values()))
    assert len(tasks) == len(traces)
    assert all(path.encode() in task and len(task) < 2000 for path, task in zip(traces, tasks, strict=True))


@pytest.mark.usefixtures("serial")
def test_damaged_traces(traces: list[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.trace"
    bad.write_bytes(alloc_trace([span(0), new(0), new(2)]) + b"\7\7\7")
    with pytest.raises(gotrace.MalformedError, match=str(bad)):
        gotrace.dask.from_traces([*traces, bad]).compute()
    assert len(gotrace.dask.from_traces([bad], "objects", errors="salvage")) == 2


@pytest.mark.usefixtures("serial")
def test_urls() -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    for name in ("a", "b"):
        files.pipe(f"/traces/{name}.trace", EXAMPLE.read_bytes())
    frame = gotrace.dask.from_traces("memory://traces/*.trace", columns=["trace"])
    with gotrace.open(EXAMPLE) as trace:
        n = len(trace.allocs)
    assert frame.compute()["trace"].value_counts().to_dict() == dict.fromkeys(
        ["memory://traces/a.trace", "memory://traces/b.trace"], n
    )


def test_wrong_arguments(traces: list[str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no table 'nothing'"):
        gotrace.dask.from_traces(traces, "nothing")
    with pytest.raises(ValueError, match="table allocs has no column 'nothing'"):
        gotrace.dask.from_traces(traces, columns=["nothing"])
    with pytest.raises(ValueError, match="errors='ignore'"):
        gotrace.dask.from_traces(traces, errors="ignore")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no traces"):
        gotrace.dask.from_traces(tmp_path)


def test_without_dask() -> None:
    code = "import sys; sys.modules['dask'] = None; import gotrace.dask as d; d.from_traces('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith('ImportError: from_traces needs dask: pip install "gotrace[dask]"\n')
