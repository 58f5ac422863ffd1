"""What the columns of a table must hold, value by value, made from numpy rows; and what each library holds.

Never here: assertions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import gotrace
from gotrace.raw import Writer, allocfree_info, event
from support import reference
from support.trace_builder import BASE, GO, PROC, alloc_trace, new, span

Columns = dict[str, list[Any]]

_ENUMS = {
    "what": ["span", "object", "stack"],
    "op": ["exists", "alloc", "free"],
    "end": ["alive", "freed", "reused", "span"],
    "end_kind": ["ended", "goroutine", "open", "unseen"],
    "stop_kind": ["none", "preempted", "blocked", "syscall", "unknown"],
    "resource": ["None", "Goroutine", "Proc", "Thread"],
    "kind": ["Bad", "Sync", "Metric", "Label", "StackSample", "RangeBegin", "RangeActive", "RangeEnd", "TaskBegin",
             "TaskEnd", "RegionBegin", "RegionEnd", "Log", "StateTransition", "Experimental"],
}  # fmt: skip
_ENUMS_IN = {
    ("generations", "state"): ["whole", "cut", "skipped"],
    ("goroutine_times", "kind"): ["bad", "waiting", "range"],
}
_GOROUTINE = ["Undetermined", "NotExist", "Runnable", "Running", "Waiting", "Syscall"]
_ENUMS["state"] = _ENUMS["next_state"] = _GOROUTINE
_PROC = ["Undetermined", "NotExist", "Running", "Idle"]
_MINUS_ONE = {
    *("g", "m", "p", "task", "parent", "born", "died", "born_cycle", "died_cycle", "age", "swept", "reclaimed"),
    *("by_g", "creator_g", "end_g", "culprit_g", "culprit_m", "culprit_p", "p_lost", "started", "ended", "stopped"),
    *("restarted", "live_start", "live_end", "goal", "sweep_pause", "mark_pause"),
}
_MINUS_ONE_IN = {
    *(("events", "offset"), ("ranges", "id"), ("states", "end"), ("pauses", "end")),
    *((table, name) for table in ("region_times", "task_times", "cycles") for name in ("start", "end")),
}
_TEXTS = {"name", "reason", "category", "label", "function", "file", "message"}


def clean(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def expected(trace: gotrace.Trace, table: str) -> Columns:
    """Return the columns of a table, None for a null, times of a clock as numbers."""
    rows = getattr(trace, table).to_numpy()
    texts = [clean(text) for text in trace.strings["text"]]
    types = [clean(name) for name in trace.types["name"]]
    found: Columns = {"row": list(range(len(rows)))} if table in ("types", "strings", "stacks") else {}
    for name in rows.dtype.names or ():
        values = rows[name].tolist()
        if name == "args":
            found |= {f"args{i}": rows[name][:, i].tolist() for i in range(4)}
        elif rows.dtype[name].hasobject:
            found[name] = [clean(value) for value in values]
        elif rows.dtype[name].kind == "M":
            found[name] = [None if np.isnat(value) else int(value.astype(np.int64)) for value in rows[name]]
        elif name == "type" and rows.dtype[name] == np.int32:
            found[name] = [types[value] for value in values]
        elif rows.dtype[name] == np.int32 and name in _TEXTS:
            found[name] = [texts[value] if value else None for value in values]
        elif rows.dtype[name] == np.uint8 and table != "experimental":
            found[name] = _small(trace, rows, name, table)
        elif name.endswith("stack"):
            found[name] = [value or None for value in values]
        elif name in _MINUS_ONE or (table, name) in _MINUS_ONE_IN:
            found[name] = [None if value == -1 else value for value in values]
        else:
            found[name] = values
    return found


def exported(trace: gotrace.Trace, table: str) -> Columns:
    """Return the columns of an exported table."""
    found = expected(trace, table)
    rows = getattr(trace, table).to_numpy()
    found["trace"] = [trace.path] * len(rows)
    if {"time", "generation"} <= set(rows.dtype.names):
        shifts = {}
        for generation in trace.generations.to_numpy():
            known = not np.isnat(generation["wall"])
            shifts[generation["number"]] = (
                int(generation["wall"].view(np.int64) - generation["start"]) if known else None
            )
        of_rows = [shifts.get(number) for number in rows["generation"].tolist()]
        times = rows["time"].tolist()
        found["wall"] = [None if shift is None else t + shift for t, shift in zip(times, of_rows, strict=True)]
    return found


def as_lines(columns: Columns) -> list[dict[str, Any]]:
    """Return rows with times of a clock as text."""
    lines = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for line in lines:
        if line.get("wall") is not None:
            line["wall"] = f"{np.datetime64(line['wall'], 'ns')}Z"
    return lines


def _small(trace: gotrace.Trace, rows: np.ndarray[Any, Any], name: str, table: str) -> list[Any]:
    if (table, name) in _ENUMS_IN:
        return [_ENUMS_IN[table, name][value] for value in rows[name]]
    if name in _ENUMS:
        return [_ENUMS[name][value] for value in rows[name]]
    if name in ("old", "new"):
        states = {int(gotrace.Resource.GOROUTINE): _GOROUTINE, int(gotrace.Resource.PROC): _PROC}
        return [states[resource][value] for resource, value in zip(rows["resource"].tolist(), rows[name], strict=True)]
    if name in ("type", "start"):
        names = trace.experiments.event_names | {255: "Sync"}
        return [names.get(value, str(value)) for value in rows[name].tolist()]
    values: list[Any] = rows[name].tolist()
    return values


def by_arrow(table: gotrace.Table) -> Columns:
    return of_arrow(table.to_arrow())


def of_arrow(made: pa.Table) -> Columns:
    made.validate(full=True)
    return {
        name: (
            made[name].cast("int64") if pa.types.is_timestamp(made.schema.field(name).type) else made[name]
        ).to_pylist()
        for name in made.column_names
    }


def by_polars(table: gotrace.Table) -> Columns:
    return of_polars(table.to_polars())


def of_polars(frame: pl.DataFrame) -> Columns:
    return {
        series.name: (series.cast(pl.Int64) if series.dtype == pl.Datetime else series).to_list()
        for series in frame.get_columns()
    }


def by_pandas(table: gotrace.Table) -> Columns:
    frame = table.to_pandas()
    found: Columns = {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            found[name] = [None if pd.isna(value) else value.value for value in column]
        else:
            found[name] = [None if value is pd.NA or value != value else value for value in column.tolist()]
    return found


NEW_DUCKDB = int(duckdb.__version__.partition(".")[0]) >= 2
"""DuckDB 1 rounds ``wall`` to microseconds, and reads on when a query needs no more."""


def expected_of(library: str, trace: gotrace.Trace, table: str) -> Columns:
    """Return the columns of a table as a library holds them."""
    found = expected(trace, table)
    if library == "duckdb" and not NEW_DUCKDB and "wall" in found:
        found["wall"] = [None if wall is None else wall // 1000 * 1000 for wall in found["wall"]]
    return found


def by_duckdb(table: gotrace.Table) -> Columns:
    chosen = [f'epoch_ns("{name}")' if name == "wall" else f'"{name}"' for name in table.columns]
    with duckdb.connect() as connection:
        connection.register("source", table)
        rows = connection.sql(f"select {', '.join(chosen)} from source").fetchall()
    columns = list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in chosen]
    return dict(zip(table.columns, columns, strict=True))


LIBRARIES = {"arrow": by_arrow, "polars": by_polars, "pandas": by_pandas, "duckdb": by_duckdb}


def empty_trace() -> bytes:
    """Return a trace without events."""
    return Writer(26).frequency(1, 100).batch(1, 1, 100, b"").end_of_generation().getvalue()


def odd_trace() -> bytes:
    """Return three generations: types that share a name, a new type in the last one, texts that change their id or are
    not UTF-8, and text in every column that can have it."""
    trace = Writer(26)
    shared = [(1, 0x400000, 16, 8, b"main.A"), (2, 0x400040, 24, 8, b"main.A"), (3, 0x400080, 16, 0, b"main.\xffB")]
    for gen in (1, 2, 3):
        time = 100 * gen
        types = shared if gen < 3 else [*shared[::-1], (4, 0x4000C0, 48, 0, b"main.Last")]
        names = {1: b"one", 2: b"", 3: b"\xfe\xc3\xa9", 4: b"of %d" % gen, 5: b"category", 6: b"main.f", 7: b"f.go"}
        if gen == 2:
            names[1], names[5] = names[5], names[1]
        first = [PROC, GO] if gen == 1 else [event("ProcStatus", 1, 0, 1), event("GoStatus", 1, 1, 1, 2)]
        heap = [span(gen), *(new(1024 * gen + 3 * i, i) for i in range(5 if gen == 3 else 4))]
        notes = [
            *(event("UserTaskBegin", 1, 10 * gen + i, 0, i, 1) for i in (1, 3, 4)),
            *(event("UserLog", 1, 10 * gen + 1, key, value, 1) for key, value in ((5, 1), (1, 2), (3, 3), (5, 4))),
            event("UserRegionBegin", 1, 0, 4, 1),
            event("UserRegionEnd", 1, 0, 4, 1),
            event("GoLabel", 1, 1),
            event("GoLabel", 1, 3),
            event("UserTaskEnd", 1, 11 if gen > 1 else 14, 0),
        ]
        trace.frequency(gen, time)
        if gen == 1:
            trace.batch(gen, -1, time, allocfree_info(BASE), experiment=1)
        trace.batch(gen, 1, time, [*first, *heap, *notes]).types(gen, types).strings(gen, names)
        trace.stacks(gen, {1: [(0x1000, 6, 7, 10 + gen), (0x2000, 3, 2, 0)]}).samples(gen, [(time + 5, 1, 0, 1, 1)])
        trace.end_of_generation()
    return trace.getvalue()


DAMAGED: dict[str, Callable[[], bytes]] = {
    "no batch": lambda: alloc_trace([PROC, GO, span(1), new(1024), new(1026)]) + b"\7\7\7",
    "cut off": lambda: reference.load(reference.DATA / "known-go1.27-allocfree.trace.gz")[:-1000],
    "unknown string": lambda: alloc_trace([PROC, GO, event("GoLabel", 1, 9)], version=26),
    "out of order": lambda: alloc_trace([PROC, GO, new(1024), event("GoUnblock", 1, 7, 1, 0), new(1026)], version=26),
    "no generation": lambda: alloc_trace([PROC, GO])[:40],
}
"""Damaged traces."""
