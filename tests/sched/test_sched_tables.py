"""The tables of scheduling, row by row as the plain computation has them."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import reference
from support.mutations import mutated
from support.proc_oracle import ProcOracle
from support.random_schedules import Schedule
from support.sched_oracle import Oracle, Row, dicts, read

import gotrace

TABLES = (
    *("states", "goroutines", "goroutine_times", "region_times", "task_times"),
    *("procs", "threads", "pauses", "cycles"),
)
NAMES = ("reason", "function", "name")
MUTATIONS = 40


def tables_of(source: Path | bytes) -> dict[str, list[Row]]:
    """Return the rows of the tables, with text in place of rows of ``strings``."""
    found = read(source, *TABLES)
    texts = found["strings"]["text"].tolist()
    return {
        table: [{name: texts[row[name]] if name in NAMES else row[name] for name in row} for row in dicts(found[table])]
        for table in TABLES
    }


def only(rows: list[Row], names: Row) -> list[Row]:
    return [{name: row[name] for name in names} for row in rows]


def unordered(rows: list[Row]) -> Counter[frozenset[tuple[str, Any]]]:
    return Counter(frozenset(row.items()) for row in rows)


def check(source: Path | bytes) -> None:
    found, oracle = tables_of(source), Oracle(source)
    procs = ProcOracle(oracle)
    for table, rows in found.items():
        wanted: list[Row] = getattr(oracle if hasattr(oracle, table) else procs, table) if table != "task_times" else []
        if table in ("goroutine_times", "region_times"):
            assert unordered(rows) == unordered(only(wanted, rows[0] if rows else {})), table
        elif table != "task_times":
            assert rows == only(wanted, rows[0] if rows else {}), table
    tasks: dict[int, list[Row]] = {}
    for row in found["task_times"]:  # a task that is mentioned after its end has another row
        tasks.setdefault(row["task"], []).append(row)
    assert set(tasks) == set(oracle.task_times)
    for task, rows in tasks.items():
        of_task = oracle.task_times[task]
        for name in ("regions", "logs"):
            assert sum(row[name] for row in rows) == of_task[name]
        if len(rows) == 1:
            assert rows[0] == {**of_task, "goroutines": len(of_task["goroutines"])}


@pytest.mark.parametrize("path", reference.fixtures(), ids=lambda path: path.name)
def test_committed_traces(path: Path) -> None:
    check(reference.load(path))


@pytest.mark.parametrize("seed", range(20))
def test_random_schedules(seed: int) -> None:
    check(Schedule(seed, steps=400).trace)


@pytest.mark.parametrize("seed", range(MUTATIONS))
def test_mutated_traces(seed: int) -> None:
    dice = random.Random(seed)
    trace = mutated(Schedule(seed % 5, steps=60).trace, dice)
    try:
        with gotrace.open(trace) as opened:
            len(opened.events)
    except gotrace.OrderingError:
        pass
    except gotrace.TraceError:
        return  # no generation up to it is delivered in the same way
    check(trace)
