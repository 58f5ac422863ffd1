"""The tables of scheduling, row by row as the plain computation has them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import reference
from support.proc_oracle import ProcOracle
from support.random_schedules import Schedule
from support.sched_oracle import Oracle

import gotrace

DAMAGED = ("frees-idle-proc", "sched-go1.27-tiny")
SOURCES = [*(path for path in reference.fixtures() if not path.name.startswith(DAMAGED)), *range(20)]
NAMES = ("reason", "function", "name")


def rows_of(trace: gotrace.Trace, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table with text in place of rows of ``strings``."""
    texts = trace.strings["text"].tolist()
    array = getattr(trace, table).to_numpy()
    rows = [dict(zip(array.dtype.names, row, strict=True)) for row in array.tolist()]
    return [{name: texts[value] if name in NAMES else value for name, value in row.items()} for row in rows]


def only(rows: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in names} for row in rows]


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_tables(source: Path | int) -> None:
    data = reference.load(source) if isinstance(source, Path) else Schedule(source, steps=500).trace
    with gotrace.open(data) as trace:
        oracle = Oracle(trace)
        for table in ("states", "goroutines"):
            names = getattr(trace, table).dtype.names
            assert rows_of(trace, table) == only(getattr(oracle, table), names)
        for table in ("goroutine_times", "region_times"):
            names = getattr(trace, table).dtype.names
            found, wanted = rows_of(trace, table), only(getattr(oracle, table), names)
            assert Counter(map(frozenset, map(dict.items, found))) == Counter(map(frozenset, map(dict.items, wanted)))
        tasks: dict[int, list[dict[str, Any]]] = {}
        for row in rows_of(trace, "task_times"):  # a task that is mentioned after its end has another row
            tasks.setdefault(row["task"], []).append(row)
        assert set(tasks) == set(oracle.task_times)
        for task, rows in tasks.items():
            of_task = oracle.task_times[task]
            for name in ("start", "end", "parent", "g", "end_g", "name"):
                assert max(row[name] for row in rows) == of_task[name]
            for name in ("regions", "logs"):
                assert sum(row[name] for row in rows) == of_task[name]
            if len(rows) == 1:
                assert rows[0]["goroutines"] == len(of_task["goroutines"])


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_procs(source: Path | int) -> None:
    data = reference.load(source) if isinstance(source, Path) else Schedule(source, steps=300).trace
    with gotrace.open(data) as trace:
        oracle = ProcOracle(trace, Oracle(trace))
        for table in ("procs", "pauses", "cycles"):
            names = getattr(trace, table).dtype.names
            assert rows_of(trace, table) == only(getattr(oracle, table), names), table
