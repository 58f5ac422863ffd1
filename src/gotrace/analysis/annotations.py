"""Latencies of tasks and regions, by name. Never here: output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gotrace.analysis.gather import Gathered, Keep, Range, starts_in
from gotrace.analysis.latency import Distributions, go_histogram
from gotrace.analysis.texts import merged, one_line
from gotrace.analysis.traces import analysis
from gotrace.dtypes import I8, LOG, REGIONTIME, TASKTIME, RegionEnd, Rows
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.views import View, Viewed, cells

TIMES = ("exec", "sched", "block", "syscall", "syscall_block")
LATENCIES = np.dtype(
    [
        ("name", "O"),  # str
        ("count", "i8"),
        ("incomplete", "i8"),  # without a start or an end in the trace
        ("total", "i8"),  # ns, and so are all that follow
        ("p50", "i8"),
        ("p90", "i8"),
        ("p99", "i8"),
        ("max", "i8"),
        *((name, "i8") for name in TIMES),  # sums; of regions only
    ],
    align=True,
)
"""A row for each name of tasks or regions."""

_INCOMPLETE = {
    "regions that end with their goroutine": RegionEnd.GOROUTINE,
    "regions open at the end": RegionEnd.OPEN,
    "regions without a start": RegionEnd.UNSEEN,
}


@dataclass(repr=False)
class Latencies(Viewed):
    """Tasks or regions by name.

    Attributes
    ----------
    kind : {"tasks", "regions"}
    table : ndarray of LATENCIES
        Most ``total`` first.
    histograms : list of ndarray of int64
        For each row, its latency histogram, as of Go's trace tool: see
        :func:`gotrace.analysis.latency.go_histogram`.
    tasks, regions, logs : ndarray of TASKTIME, REGIONTIME, LOG
        Of the selected task; else empty.
    names, region_names, places, messages, categories : list of str
        Names of the rows of ``tasks`` and ``regions``, where the regions start, and texts of ``logs``.
    anomalies : dict of str to int
        Numbers of tasks, or regions, that are not complete, by what they lack.
    known : list of str
        Names of all tasks, or of all regions.
    seen : bool
        True if the trace has tasks, or regions.
    """

    kind: str
    table: Rows = field(default_factory=lambda: np.empty(0, LATENCIES))
    histograms: list[I8] = field(default_factory=list)
    tasks: Rows = field(default_factory=lambda: np.empty(0, TASKTIME))
    regions: Rows = field(default_factory=lambda: np.empty(0, REGIONTIME))
    logs: Rows = field(default_factory=lambda: np.empty(0, LOG))
    names: list[str] = field(default_factory=list)
    region_names: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    anomalies: dict[str, int] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    seen: bool = False

    def view(self) -> View:
        """Return latencies by name, in ns."""
        columns = ("name", "count", "incomplete", "p50", "p90", "p99", "max")
        return View(f"{self.kind} by name", columns, cells(self.table, columns), len(self.table))


@analysis
def tasks(
    trace: Trace,
    *,
    name: str | None = None,
    task: int | None = None,
    time: Range = None,
    progress: Progress | None = None,
) -> Latencies:
    """Return the latencies of tasks by name. One pass.

    Parameters
    ----------
    trace : Trace
    name : str, optional
        Only tasks of this name.
    task : int, optional
        Only the task of this id, with its regions and logs.
    time : tuple of times or None, optional
        Only tasks that start in this range; the end is not included. Integers are ns on the trace's clock, other times
        count from its start: ``("1.5s", 2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Latencies
        Percentiles are those of tasks with a start and an end.

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    keep: dict[str, Keep] = {"task_times": np.copy}
    if task is not None:
        keep = {table: lambda rows: rows[rows["task"] == task] for table in ("task_times", "region_times", "logs")}
    found = Gathered(trace, keep, progress=progress)
    rows = found.rows["task_times"]
    rows = rows[rows["task"] > 0]  # task 0 is that of regions and logs without one
    result = _selected("tasks", found, rows)
    rows = rows[starts_in(rows["start"], time)]
    if name is not None:
        rows = rows[found.where(rows["name"], name.__eq__)]
    complete = (rows["start"] >= 0) & (rows["end"] >= 0)
    result.anomalies = _counts(
        {"tasks open at the end": rows["end"] < 0, "tasks without a start": (rows["start"] < 0) & (rows["end"] >= 0)}
    )
    _fill(result, found, rows, complete, rows["end"] - rows["start"])
    if task is not None:
        result.tasks, result.regions, result.logs = rows, found.rows["region_times"], found.rows["logs"]
        result.names = [found.texts[row] for row in rows["name"].tolist()]
        result.region_names = [found.texts[row] for row in result.regions["name"].tolist()]
        result.places = [one_line(found.frames(row)) for row in result.regions["stack"].tolist()]
        result.messages = [found.texts[row] for row in result.logs["message"].tolist()]
        result.categories = [found.texts[row] for row in result.logs["category"].tolist()]
    return found.checked(result)


@analysis
def regions(
    trace: Trace, *, name: str | None = None, time: Range = None, progress: Progress | None = None
) -> Latencies:
    """Return the latencies of regions by name. One pass.

    A region without a start or an end counts from the start, or to the end of the trace, as in Go's trace tool. The
    nameless regions of goroutines that were created in a region do not count.

    Parameters
    ----------
    trace : Trace
    name : str, optional
        Only regions of this name.
    time : tuple of times or None, optional
        Only regions that start in this range; the end is not included. Integers are ns on the trace's clock, other
        times count from its start: ``("1.5s", 2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Latencies

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    keep: dict[str, Keep] = {"region_times": lambda rows: rows[rows["inherited"] == 0], "generations": np.copy}
    found = Gathered(trace, keep, progress=progress)
    rows, generations = found.rows["region_times"], found.rows["generations"]
    result = _selected("regions", found, rows)
    rows = rows[starts_in(rows["start"], time)]
    if name is not None:
        rows = rows[found.where(rows["name"], name.__eq__)]
    first, last = (int(generations["start"].min()), int(generations["end"].max())) if len(generations) else (0, 0)
    durations = np.where(rows["end"] < 0, last, rows["end"]) - np.where(rows["start"] < 0, first, rows["start"])
    result.anomalies = _counts({name: rows["end_kind"] == kind for name, kind in _INCOMPLETE.items()})
    _fill(result, found, rows, np.ones(len(rows), bool), durations)
    return found.checked(result)


def _selected(kind: str, found: Gathered, rows: Rows) -> Latencies:
    """Return a result without rows, with the names of all rows."""
    names = sorted(found.texts[row] for row in np.unique(rows["name"]).tolist())
    return Latencies(kind, known=names, seen=len(rows) > 0)


def _counts(masks: Mapping[str, npt.NDArray[np.bool_]]) -> dict[str, int]:
    """Return how many rows each mask has, if any."""
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    return {name: n for name, n in counts.items() if n}


def _fill(result: Latencies, found: Gathered, rows: Rows, used: npt.NDArray[np.bool_], durations: I8) -> None:
    numbers, names = merged(found.texts[row] for row in rows["name"].tolist())
    times = Distributions()
    times.add(numbers[used], durations[used])
    n = len(times)
    table = np.zeros(len(names), LATENCIES)
    table["name"] = names
    table["count"][:n], table["total"][:n], table["max"][:n] = times.count, times.sum, times.max
    for column, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        table[column] = -1
        table[column][:n] = times.percentile(q)
    incomplete = ~used if "end_kind" not in (rows.dtype.names or ()) else rows["end_kind"] >= RegionEnd.OPEN
    np.add.at(table["incomplete"], numbers[incomplete], 1)
    if result.kind == "regions":
        for column in TIMES:
            np.add.at(table[column], numbers, rows[column])
    order = np.lexsort((-table["count"], -table["total"]))
    result.table = table[order]
    result.histograms = [go_histogram(durations[used & (numbers == i)]) for i in order.tolist()]
