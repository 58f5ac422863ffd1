"""Tables in Arrow, polars, pandas and DuckDB hold what numpy holds, also where a trace is odd or damaged."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support import reference
from support.columns import (
    DAMAGED,
    LIBRARIES,
    NEW_DUCKDB,
    Columns,
    empty_trace,
    expected,
    expected_of,
    odd_trace,
    of_arrow,
    of_polars,
)
from support.streams import Stream
from support.trace_builder import GO, PROC, alloc_trace, new, span

import gotrace
from gotrace.columns.memory import view
from gotrace.columns.texts import Texts
from gotrace.tables import stream
from gotrace.tables.catalog import TABLES

FIXTURES = ["sched-go1.22.trace.gz", "known-go1.27-allocfree.trace.gz", "sched-go1.26-tiny.trace.gz"]
EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"


INPUTS: dict[str, Callable[[], bytes]] = {
    **{name: (lambda name=name: reference.load(reference.DATA / name)) for name in FIXTURES},  # type: ignore[misc]
    "odd": odd_trace,
    "empty": empty_trace,
}


@pytest.fixture(params=[False, True], ids=["", "one row at a time"])
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Batches of the usual size, or of one row."""
    if request.param:
        monkeypatch.setattr(stream, "STEP", 1)
    return bool(request.param)


def assert_same(found: Columns, want: Columns) -> None:
    assert list(found) == list(want)
    for name, values in want.items():
        assert found[name] == values, name


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", INPUTS)
def test_every_column_is_that_of_numpy(name: str, library: str) -> None:
    with gotrace.open(INPUTS[name]()) as trace:
        for table in TABLES:
            assert_same(LIBRARIES[library](getattr(trace, table)), expected_of(library, trace, table))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("errors", ["raise", "salvage"])
def test_batches_of_one_row(library: str, errors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STEP", 1)
    with gotrace.open(odd_trace(), errors=errors) as trace:
        for table in TABLES:
            assert_same(LIBRARIES[library](getattr(trace, table)), expected_of(library, trace, table))


def test_batches_stay_valid() -> None:
    """All batches, kept until the stream, the table and the trace are gone, hold their own rows."""
    with gotrace.open(INPUTS[FIXTURES[1]]()) as trace:
        want = expected(trace, "allocs")
        batches = list(trace.iterate("allocs", library="arrow", step_size="64 kB"))
        assert len(batches) > 10
        assert all(len(batch) == 1000 for batch in batches[:-1])
        reader = pa.RecordBatchReader.from_stream(trace.allocs)
        kept = list(reader)
    del reader, trace
    gc.collect()
    assert_same(of_arrow(pa.Table.from_batches(batches)), want)
    assert_same(of_arrow(pa.Table.from_batches(kept)), want)


@pytest.mark.parametrize("library", ["arrow", "pd", "pl"])
def test_iterate(library: Any) -> None:
    """Several tables in one pass: the containers of each are the whole table, also when others come between."""
    tables = ["transitions", "logs", "strings", "allocs", "events", "frames"]
    with gotrace.open(odd_trace(), errors="salvage") as trace:
        want = {table: expected(trace, table) for table in tables}
        chunks = list(trace.iterate(tables, library=library, step_size=400))
    for table in tables:
        parts = [chunk[table] for chunk in chunks]
        if library == "arrow":
            found = of_arrow(pa.Table.from_batches(parts))
        elif library == "pl":
            found = of_polars(pl.concat(parts))
        else:
            joined = pd.concat([part.astype(object) for part in parts])
            found = {name: joined[name].astype(object).where(joined[name].notna(), None).tolist() for name in joined}
        assert_same(found, want[table])


def test_dictionaries_grow() -> None:
    """A value keeps its index from batch to batch, and the new type comes last."""
    with gotrace.open(odd_trace()) as trace:
        batches = list(trace.iterate("objects", columns=["type"], library="arrow", step_size=1))
    texts = [batch["type"].dictionary.to_pylist() for batch in batches]
    assert texts[-1] == ["(untyped)", "(unresolved)", "main.A", "main.\ufffdB", "main.Last"]
    for before, after in pairwise(texts):
        assert after[: len(before)] == before


def test_extra_columns() -> None:
    names = ["trace", "wall", "type_row", "type", "time"]
    with gotrace.open(EXAMPLE) as trace:
        rows = trace.allocs.to_numpy()
        wall = trace.wall(rows["time"])
        frame = trace.allocs.to_polars(names)
        assert frame.columns == names
        assert frame["trace"].unique().to_list() == [str(EXAMPLE)]
        assert (frame["wall"].to_physical().to_numpy() == wall.view(np.int64)).all()
        assert (frame["type_row"].to_numpy() == rows["type"]).all()
        assert trace.allocs.select(names).to_pandas()["wall"].dtype == "datetime64[ns, UTC]"
    with gotrace.open(alloc_trace([PROC, GO, span(1), new(1024)], version=23)) as trace:
        assert trace.allocs.to_polars(["wall"])["wall"].to_list() == [None, None]  # no clock snapshot


def test_columns() -> None:
    with gotrace.open(EXAMPLE) as trace:
        chosen = trace.allocs.select(["size", "type"])
        assert chosen.columns == ["size", "type"]
        assert chosen.to_numpy().dtype.names == ("size", "type")
        assert chosen.to_arrow().column_names == ["size", "type"]
        assert chosen.to_arrow(["op"]).column_names == ["op"]
        with pytest.raises(ValueError, match=r"table allocs has no column 'sise'; it has time, .*type_row"):
            trace.allocs.select(["sise"])
        with pytest.raises(ValueError, match="column 'size' is named twice"):
            trace.allocs.to_pandas(["size", "size"])
        with pytest.raises(ValueError, match="table allocs has no column 'wall'"):
            trace.allocs.select(["wall"]).to_numpy()
        with pytest.raises(ValueError, match="library='cudf': must be one of 'np', 'arrow', 'pd', 'pl'"):
            trace.iterate("allocs", library="cudf")  # type: ignore[call-overload]


def test_pandas_types() -> None:
    """Types follow from the schema, not from the rows."""
    with gotrace.open(odd_trace()) as trace:
        types = trace.ranges.to_pandas().dtypes.astype(str).to_dict()
        assert types["swept"] == "Int64"
        assert types["p"] == "Int32"
        assert types["time"] == "int64"
        assert types["reason"] == types["kind"] == "category"
        assert trace.logs.to_pandas()["message"].dtype == pd.StringDtype(na_value=np.nan)
        assert trace.generations.to_pandas()["wall"].dtype == "datetime64[ns, UTC]"


def test_lazy_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query reads the columns that it needs, no further than it needs, and each time again."""
    read: list[tuple[str, ...]] = []
    original = stream.own_batches

    def spy(reader: Any, name: str, fields: list[Any], *rest: Any) -> Any:
        for batch in original(reader, name, fields, *rest):
            read.append(tuple(field.name for field in fields))
            yield batch

    monkeypatch.setattr(stream, "own_batches", spy)
    monkeypatch.setattr(stream, "STEP", 100_000)
    with gotrace.open(EXAMPLE) as trace:
        rows = trace.allocs.to_numpy()
        frame = trace.allocs.to_polars(lazy=True)
        query = frame.filter(pl.col("op") == "alloc").group_by("type").agg(pl.col("size").sum())
        for _ in range(2):
            assert query.collect()["size"].sum() == rows["size"][rows["op"] == gotrace.Op.ALLOC].sum()
        assert set(map(frozenset, read)) == {frozenset(("op", "type", "size"))}
        read.clear()
        assert frame.head(3).collect()["address"].to_list() == rows["address"][:3].tolist()
        assert len(read) == 1
        assert frame.select(pl.len()).collect().item() == len(rows)
        assert frame.collect_schema() == trace.allocs.to_polars().schema


def test_duckdb_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = stream.own_batches

    def spy(reader: Any, name: str, fields: list[Any], *rest: Any) -> Any:
        for batch in original(reader, name, fields, *rest):
            read.append(len(batch))
            yield batch

    monkeypatch.setattr(stream, "own_batches", spy)
    monkeypatch.setattr(stream, "STEP", 200_000)
    with gotrace.open(EXAMPLE) as trace, duckdb.connect() as connection:
        connection.register("source", trace.allocs)
        assert len(connection.sql("select * from source limit 3").fetchall()) == 3
        assert len(read) <= 2 or not NEW_DUCKDB
        assert connection.sql('select count(*) from source a join source b using ("offset")').fetchall() == [(40772,)]


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("table", ["allocs", "events", "labels", "strings", "generations"])
def test_damage(name: str, table: str, steps: bool) -> None:
    """Rows before the fault are delivered, then its full text; the fault of one stream does not stop another."""
    data = DAMAGED[name]()
    n = 0
    with gotrace.open(data) as trace:
        try:
            for chunk in trace.iterate(table):
                n += len(chunk)
            error = None
        except gotrace.TraceError as fault:
            error = fault
    with gotrace.open(data) as trace:
        reader = pa.RecordBatchReader.from_stream(getattr(trace, table))
        delivered = 0
        try:
            for batch in reader:
                delivered += len(batch)
            assert error is None
        except OSError as fault:
            assert error is not None
            assert str(error) in str(fault)
            with pytest.raises(OSError, match="input ends|expected a batch|unknown|generation"):
                reader.read_next_batch()
            assert type(trace.fault) is type(error)
            assert str(trace.fault) == str(error)
        assert delivered == n
        if error is None:
            return
        for method in ("to_arrow", "to_polars", "to_pandas"):
            with pytest.raises(type(error)) as raised:
                getattr(getattr(trace, table), method)()
            assert str(raised.value) == str(error)
        with pytest.raises(type(error)) as lazy:
            getattr(trace, table).to_polars(lazy=True).collect()
        assert str(lazy.value) == str(error)
        with duckdb.connect() as connection, pytest.raises(duckdb.Error) as queried:
            connection.register("source", getattr(trace, table))
            connection.sql("select count(*) from source").fetchall()
        assert str(error) in str(queried.value)


def test_a_stream_is_read_once() -> None:
    """A binary stream is consumed by the first batch, not by the call; later streams say so."""
    with gotrace.open(Stream(EXAMPLE.read_bytes())) as trace:
        first, second = (pa.RecordBatchReader.from_stream(trace.allocs) for _ in range(2))
        assert first.schema == second.schema
        assert sum(len(batch) for batch in first) == 40772
        with pytest.raises(OSError, match="is a stream and has already been read"):
            second.read_next_batch()
        with pytest.raises(ValueError, match="is a stream and has already been read"):
            trace.allocs.to_polars()


def test_a_dropped_stream_closes_its_input() -> None:
    with gotrace.open(EXAMPLE, mmap=False) as trace:
        reader = pa.RecordBatchReader.from_stream(trace.allocs)
        reader.read_next_batch()
        del reader
        gc.collect()
        table = trace.allocs
    with pytest.raises(ValueError, match="the trace cannot be read: it was closed"):
        table.to_arrow()
    if Path("/proc/self/fd").exists():
        opened = [Path("/proc/self/fd", fd) for fd in Path("/proc/self/fd").iterdir()]
        assert str(EXAMPLE) not in [str(fd.resolve()) for fd in opened if fd.exists()]


def test_other_threads_read_at_the_same_time() -> None:
    with gotrace.open(EXAMPLE) as trace:
        want = trace.allocs["size"].sum()

        def total(_: int) -> int:
            batches = pa.RecordBatchReader.from_stream(trace.allocs)
            return sum(int(batch["size"].to_numpy().sum()) for batch in batches)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(total, range(8))) == [want] * 8


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
import duckdb, gotrace
with gotrace.open(sys.argv[1]) as trace:
    table = trace.allocs
    print(table.to_pandas()["size"].sum(), table.to_polars()["size"].sum())
    print(table.to_polars(lazy=True).collect().height)
    duckdb.register("source", table)
    print(duckdb.sql("select sum(size)::bigint from source").fetchall()[0][0])
    try:
        table.to_arrow()
    except ImportError as error:
        print(error)
"""


def test_without_pyarrow() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_PYARROW, EXAMPLE], capture_output=True, text=True)
    with gotrace.open(EXAMPLE) as trace:
        total = trace.allocs["size"].sum()
    assert run.stdout == f'{total} {total}\n40772\n{total}\nto_arrow needs pyarrow: pip install "gotrace[arrow]"\n'


@pytest.mark.parametrize(
    ("module", "extra", "method"),
    [("pyarrow", "arrow", "to_arrow"), ("pandas", "pandas", "to_pandas"), ("polars", "polars", "to_polars")],
)
def test_missing_libraries(module: str, extra: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with (
        gotrace.open(EXAMPLE) as trace,
        pytest.raises(ImportError, match=f'^{method} needs {module}: pip install "gotrace\\[{extra}\\]"$'),
    ):
        getattr(trace.allocs, method)()


def test_a_batch_is_an_arrow_array() -> None:
    """What a batch offers itself: schema, and units in the metadata."""
    with gotrace.open(EXAMPLE) as trace:
        schema = pa.schema(trace.allocs)
        assert schema.field("time").metadata == {b"unit": b"ns"}
        assert not schema.field("time").nullable
        assert schema.field("g").nullable
        assert schema == trace.allocs.to_arrow().schema


def test_a_batch_keeps_its_dictionary() -> None:
    """Texts that are added later change neither the values nor the memory of earlier batches."""
    texts = Texts(["a"])
    first = texts.stored()
    for number in range(10_000):
        texts.place(str(number))
    assert (first.n, texts.stored().n) == (1, 10_001)
    assert view(first.offsets, np.int32, 2).tolist() == [0, 1]
    assert bytes(memoryview(first.data))[:1] == b"a"
