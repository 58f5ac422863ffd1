"""Compare two builds: what each type allocated and has in use, with the noise of the difference. Never here: output."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from glob import has_magic
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from gotrace.analysis.iterations import UNITS, Per, iterations
from gotrace.dtypes import Rows
from gotrace.errors import NoHeapDataError, TraceError, check_choice
from gotrace.experiments.allocfree import UNRESOLVED, UNTYPED, TypeTable
from gotrace.heap.rows import HeapCounter
from gotrace.heap.table import KINDS, Heap, group_keys
from gotrace.tables.instants import GROUPS, Group, HeapQuery, heap_at, replay_counts
from gotrace.trace import Trace
from gotrace.trace import open as open_trace
from gotrace.units import human_count
from gotrace.views import View, Viewed, cells
from gotrace.wire.discovery import find
from gotrace.wire.remote import is_url

METRICS = ("alloc_bytes", "alloc_objects", "inuse_bytes", "inuse_objects")
"""Metrics: what was allocated in the trace, and what is in use at its end."""

CONFIDENCE = 0.95
_NORMAL = 1.96  # the same, in standard errors of an estimate

DIFF = np.dtype(
    [("name", "O")]
    + [(f"{side}_{what}", "i8") for what in ("size", "ptr_bytes", "traces") for side in ("old", "new")]
    + [(f"{metric}_{part}", "f8") for metric in METRICS for part in ("old", "new", "diff", "low", "high")],
    align=True,
)
"""A row for each pair of types. On each side: size and pointer bytes of the type (-1: none), and the number of traces
that have it. For each metric: both means, their difference, and the 95 % interval of the difference (NaN: unknown)."""

Source: TypeAlias = "Trace | str | os.PathLike[str] | bytes | bytearray | BinaryIO"
Side: TypeAlias = "Source | Sequence[Source]"
"""The traces of one side."""

_Key = tuple[str, int, int]  # name, size, pointer bytes; -1 for groups without a size
_Counts = dict[_Key | None, npt.NDArray[Any]]  # never has key None, which means a type that a side lacks
_Progress = Callable[[str], AbstractContextManager[Callable[[int], None] | None]]
F8 = npt.NDArray[np.float64]
Fault = TraceError | NoHeapDataError | OSError


@dataclass(frozen=True)
class Change:
    """A total on both sides: means, their difference, and its 95 % interval (NaN: a side has only one trace)."""

    old: float
    new: float
    diff: float
    low: float
    high: float

    @property
    def growth(self) -> float:
        """How much the total grew beyond noise: the lower end of the interval, or the difference if it is unknown."""
        return self.diff if np.isnan(self.low) else self.low

    @property
    def significant(self) -> bool:
        """True if the interval of the difference does not contain 0; if it is unknown, if there is a difference."""
        return self.diff != 0 if np.isnan(self.low) else self.low > 0 or self.high < 0

    def exceeds(self, limit: float) -> bool:
        """Return True if the total grew by more than ``limit``, a share of the old mean, beyond noise."""
        return bool(self.growth > limit * self.old)


@dataclass(repr=False)
class Diff(Viewed):
    """The difference between two builds.

    Attributes
    ----------
    table : ndarray of DIFF
        Largest absolute difference of ``sort`` first.
    totals : dict of str to Change
        Sums over all rows, by metric.
    by, sort : str
        What a row groups; the metric that rows are sorted by and that :meth:`exceeds` checks.
    old, new : list of str
        The traces of each side that are compared.
    per : str
        What the amounts are divided by: ``"op"``, ``"second"`` or ``"task"``; empty for nothing.
    anomalies : dict
        Anomalies of all traces by name, with counts.
    warnings, losses : list of str
        Warnings and losses of all traces.
    skipped : list of str
        Traces that are not compared.
    faults : list of Exception
        Errors of traces that are damaged, cannot be opened, or have no alloc/free events. They are not compared, unless
        a side has only damaged ones: then what comes before the faults is.
    """

    table: Rows
    totals: dict[str, Change]
    by: str
    sort: str
    old: list[str]
    new: list[str]
    anomalies: dict[str, int]
    warnings: list[str]
    losses: list[str]
    faults: list[Fault]
    per: str = ""
    skipped: list[str] = field(default_factory=list)

    @property
    def geomean(self) -> Change | None:
        """Geometric means of ``sort`` over the rows that both sides have; None if there are none."""
        old, new = self.table[f"{self.sort}_old"], self.table[f"{self.sort}_new"]
        both = (old > 0) & (new > 0)
        if not both.any():
            return None
        before, after = (float(np.exp(np.log(side[both]).mean())) for side in (old, new))
        return Change(before, after, after - before, np.nan, np.nan)

    def significant(self) -> npt.NDArray[np.bool_]:
        """Return for each row whether ``sort`` changed beyond noise; with unknown noise, whether it changed."""
        diff, low, high = (self.table[f"{self.sort}_{part}"] for part in ("diff", "low", "high"))
        return np.asarray(np.where(np.isnan(low), diff != 0, (low > 0) | (high < 0)))

    def exceeds(self, limit: float) -> bool:
        """Return True if the total of ``sort`` grew by more than ``limit`` beyond noise; 0.05 is 5 %.

        The whole interval of the difference must be above the limit. If a side has only one trace, the noise is
        unknown and the difference itself is compared.
        """
        return self.totals[self.sort].exceeds(limit)

    def view(self) -> View:
        """Return the totals, and the metric of ``sort`` by group."""
        columns = ("name", *(f"{self.sort}_{part}" for part in ("old", "new", "diff", "low", "high")))
        total = self.totals[self.sort]
        old, new = (human_count(len(side), "trace") for side in (self.old, self.new))
        facts = f"{self.sort} of {old} and {new}: {total.old:,.0f}, {total.new:,.0f}"
        return View(facts, columns, cells(self.table, columns), len(self.table))


def traces_of(side: str) -> list[str]:
    """Return the traces of one side: a file, the files of a folder that are not hidden, or names and globs with commas.

    Raises
    ------
    OSError
        A folder cannot be read.
    ValueError
        The side has no traces.
    """
    path = Path(side)
    if path.is_dir():
        names = sorted(str(file) for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    else:
        names = [side] if path.exists() else [name for part in side.split(",") if part for name in _matching(part)]
    if not names:
        raise ValueError(f"{side!r}: no traces")
    return names


def _matching(name: str) -> list[str]:
    """Return the traces that a glob matches; any other name as it is."""
    return find(name).traces if has_magic(name) and not is_url(name) else [name]


def diff(
    old: Heap | Side,
    new: Heap | Side,
    *,
    by: Group = "type",
    sort: str | None = None,
    per: Per | None = None,
    ops: tuple[float, float] | None = None,
    errors: Literal["raise", "salvage"] = "raise",
    progress: _Progress | None = None,
) -> Diff:
    """Compare what two builds allocated and have in use at the end, or two heaps.

    Types are paired by name, size and pointer bytes. A name that remains once on each side is a type whose size
    changed. Types of one build that share all three are one row.

    Parameters
    ----------
    old, new : Trace, path, buffer or file, or a sequence of these; or Heap
        The traces of each side. A text is a trace, a folder of traces, or several traces separated by commas.
        Or two heaps that are grouped alike, usually of one trace at two instants: rows are paired by name, and those
        that grew most come first. Exact numbers have intervals of length 0; the errors of estimates (by site) are added
        as if they were independent.
    by : {"type", "class", "package", "goroutine", "task", "region", "site"}
        What a row groups; not used for heaps. Objects without a type are grouped by size class.
    sort : {"alloc_bytes", "alloc_objects", "inuse_bytes", "inuse_objects"}
        The metric that rows are sorted by and that :meth:`Diff.exceeds` checks. By default, ``alloc_bytes`` for traces
        and ``inuse_bytes`` for heaps.
    per : {"op", "second", "task"}, optional
        What the amounts of each trace are divided by: its operations, its duration, or the tasks that it starts.
    ops : tuple of float, optional
        Operations of each trace of either side. By default, what the traces record: the messages of logs of category
        ``b.N``, or types of tasks such as ``b.N=1000``.
    errors : {"raise", "salvage"}
        As for :func:`gotrace.open`; not used for an open Trace.
    progress : callable, optional
        Takes the name of each trace, returns a context manager whose value is called with the number of bytes read.

    Returns
    -------
    Diff

    Raises
    ------
    TraceError, NoHeapDataError, OSError
        A trace is damaged, has no alloc/free events, or cannot be opened: the first error. Its attribute ``partial`` is
        the Diff of the other traces, if both sides have one.
    ValueError
        ``by`` or ``sort`` is invalid, a side has no traces, or heaps are grouped differently.
    TypeError
        Only one side is a heap, or a side is not something that can be read as a trace.
    """
    if isinstance(old, Heap) and isinstance(new, Heap):
        return _grown(old, new, _metric(sort or "inuse_bytes"))
    if isinstance(old, Heap) or isinstance(new, Heap):
        raise TypeError("a heap can only be compared with a heap")
    result = compare(old, new, by=by, sort=sort or METRICS[0], per=per, ops=ops, errors=errors, progress=progress)
    if result.faults:
        vars(result.faults[0])["partial"] = result
        raise result.faults[0]
    return result


def compare(
    old: Side,
    new: Side,
    *,
    by: Group = "type",
    sort: str = "alloc_bytes",
    per: Per | None = None,
    ops: tuple[float, float] | None = None,
    errors: Literal["raise", "salvage"] = "raise",
    progress: _Progress | None = None,
) -> Diff:
    """Compare as :func:`diff`, but raise an error of a trace only if a side has no other one."""
    check_choice("by", by, GROUPS)
    sort = _metric(sort)
    if per is not None:
        check_choice("per", per, UNITS)
    if ops is not None and not (per in (None, "op") and min(ops) > 0):
        raise ValueError(f"ops={ops!r}: must be two numbers above 0, with per='op'")
    per = "op" if ops else per
    sides: list[list[_Run]] = []
    faults: list[Fault] = []
    skipped: list[str] = []
    for i, side in enumerate((old, new)):
        runs = [_run(source, by, per, ops and ops[i], errors, progress) for source in _sources(side)]
        faults += [run.fault for run in runs if run.fault is not None]
        sides.append([run for run in runs if run.fault is None] or [run for run in runs if run.counts is not None])
        skipped += [run.path for run in runs if all(run is not one for one in sides[-1])]
        if not sides[-1]:
            raise next(run.fault for run in runs if run.fault is not None)
    used = [run for side in sides for run in side]
    amounts = [[run.amounts() for run in side] for side in sides]
    table, totals = _compared(amounts[0], amounts[1], sort)
    return Diff(
        *(table, totals, by, sort, [run.path for run in sides[0]], [run.path for run in sides[1]]),
        anomalies=dict(sum((Counter(run.anomalies) for run in used), Counter())),
        warnings=[f"{run.path}: {warning}" for run in used for warning in run.warnings],
        losses=[f"{run.path}: {loss}" for run in used for loss in run.losses],
        faults=faults,
        per=per or "",
        skipped=skipped,
    )


@dataclass
class _Run:
    """The counts of one trace; None if there are none."""

    path: str
    counts: _Counts | None = None
    divisor: float = 1
    fault: Fault | None = None
    anomalies: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    def amounts(self) -> _Counts:
        """Return the counts per iteration."""
        return {key: values / self.divisor for key, values in (self.counts or {}).items()}


def _run(
    source: Any,
    by: Group,
    per: Per | None,
    ops: float | None,
    errors: Literal["raise", "salvage"],
    progress: _Progress | None,
) -> _Run:
    """Read one trace."""
    run = _Run(os.fspath(source) if isinstance(source, str | os.PathLike) else f"<{type(source).__name__}>")
    try:
        with nullcontext(source) if isinstance(source, Trace) else open_trace(source, errors=errors) as trace:
            run.path = trace.path
            with progress(run.path) if progress else nullcontext() as update:
                seconds = _count(run, trace, by, update)
            if per:
                run.divisor = ops or iterations(trace, per, seconds)
            run.warnings, run.losses = trace.warnings, trace.losses
    except (TraceError, NoHeapDataError, OSError) as fault:
        run.fault = fault
    return run


def _count(run: _Run, trace: Trace, by: Group, progress: Callable[[int], None] | None) -> float:
    """Count by group; return the duration in seconds."""
    if by in KINDS:
        replay, types, start, run.fault = replay_counts(trace.reader, progress)
        seen, end = bool(replay.sizes[HeapCounter.EVENTS]), replay.time
        run.anomalies = replay.anomaly_counts()
        run.counts = _grouped(replay.used_counts(), types, by)
    else:
        try:
            heap = heap_at(trace.reader, HeapQuery(by), progress)
        except TraceError as fault:
            if not isinstance(fault.partial, Heap):
                raise
            run.fault, heap = fault, fault.partial
        seen, start, end, run.anomalies = heap.seen, heap.start, heap.time, heap.anomalies
        values = np.stack([heap.table[metric] for metric in METRICS], axis=1)
        run.counts = dict(zip(((name, -1, -1) for name in heap.table["name"].tolist()), values, strict=True))
    if run.fault is None and not seen:
        run.counts = None
        raise NoHeapDataError(trace.path, lost=bool(trace.losses))
    return (end - start) / 1e9


def _metric(sort: str) -> str:
    check_choice("sort", sort, METRICS)
    return sort


def _sources(side: Side) -> list[Any]:
    if isinstance(side, str | os.PathLike):
        return list(traces_of(os.fspath(side)))
    if isinstance(side, bytes | bytearray) or not isinstance(side, Sequence):
        return [side]
    if not side:
        raise ValueError("a side has no traces")
    return list(side)


def _grouped(counts: Rows, types: TypeTable, by: str) -> _Counts:
    """Sum the counts of one trace by key, a value for each metric."""
    rows = types.rows()
    names, group = group_keys(counts, types, by)
    groups: _Counts = {}
    for count, place in zip(counts, group.tolist(), strict=True):
        key: _Key = names[place], -1, -1
        if by == "type" and count["type"] not in (UNTYPED, UNRESOLVED):
            row = rows[count["type"]]
            key = row["name"], int(row["size"]), int(row["ptr_bytes"])
        values = [_value(count, metric) for metric in METRICS]
        groups[key] = groups.get(key, np.zeros(len(METRICS), np.int64)) + values
    return groups


def _value(count: np.void, metric: str) -> int:
    kind, unit = metric.split("_")
    alloc = int(count[f"alloc_{unit}"])
    return alloc if kind == "alloc" else int(count[f"start_{unit}"]) + alloc - int(count[f"free_{unit}"])


def _compared(old: list[_Counts], new: list[_Counts], sort: str) -> tuple[Rows, dict[str, Change]]:
    pairs = _paired(_keys(old), _keys(new))
    sides = [
        np.array([[one.get(pair[i], _NOTHING) for pair in pairs] for one in side], np.float64).reshape(
            len(side), len(pairs), len(METRICS)
        )
        for i, side in enumerate((old, new))
    ]
    table = np.zeros(len(pairs), DIFF)
    table["name"] = [(new_key or old_key or _NO_KEY)[0] for old_key, new_key in pairs]
    for i, (name, side) in enumerate((("old", old), ("new", new))):
        for j, what in enumerate(("size", "ptr_bytes"), 1):
            table[f"{name}_{what}"] = [(pair[i] or _NO_KEY)[j] for pair in pairs]
        table[f"{name}_traces"] = [sum(pair[i] in one for one in side) for pair in pairs]
    for column, values in zip(("old", "new", "diff", "low", "high"), interval(*sides), strict=True):
        for i, metric in enumerate(METRICS):
            table[f"{metric}_{column}"] = values[:, i]
    totals = np.stack(interval(*(side.sum(axis=1) for side in sides)), axis=-1)
    order = np.lexsort((table["name"].astype(str), -np.abs(table[f"{sort}_diff"])))
    return table[order], {metric: Change(*totals[i].tolist()) for i, metric in enumerate(METRICS)}


_NO_KEY = ("", -1, -1)
_NOTHING = np.zeros(len(METRICS), np.int64)
_Pair = tuple[_Key | None, _Key | None]


def _keys(side: list[_Counts]) -> list[_Key]:
    return list(dict.fromkeys(key for one in side for key in one if key))


def _paired(old: list[_Key], new: list[_Key]) -> list[_Pair]:
    """Pair equal keys, then names that remain once on each side: types whose size changed."""
    both = set(old) & set(new)
    pairs: list[_Pair] = [(key, key) for key in old if key in both]
    rest = [[key for key in side if key not in both] for side in (old, new)]
    once = [{name for name, n in Counter(key[0] for key in side).items() if n == 1} for side in rest]
    later = {key[0]: key for key in rest[1]}
    changed = once[0] & once[1]
    pairs += [(key, later[key[0]] if key[0] in changed else None) for key in rest[0]]
    return pairs + [(None, key) for key in rest[1] if key[0] not in changed]


def _grown(before: Heap, after: Heap, sort: str) -> Diff:
    """Compare two heaps by name."""
    if before.by != after.by:
        raise ValueError(f"one heap is grouped by {before.by}, the other by {after.by}")
    names = list(dict.fromkeys([*after.table["name"].tolist(), *before.table["name"].tolist()]))
    place = {name: i for i, name in enumerate(names)}
    table = np.zeros(len(names), DIFF)
    variances = np.zeros((len(METRICS), len(names)))
    table["name"] = names
    for side, heap in (("old", before), ("new", after)):
        at = np.array([place[name] for name in heap.table["name"].tolist()], np.int64)
        table[f"{side}_size"] = table[f"{side}_ptr_bytes"] = -1
        table[f"{side}_traces"][at] = 1
        for i, metric in enumerate(METRICS):
            table[f"{metric}_{side}"][at] = heap.table[metric]
            if heap.errors is not None:
                variances[i, at] += heap.errors[f"{metric}_error"] ** 2
    totals = {}
    for metric, noise in zip(METRICS, _NORMAL * np.sqrt(variances), strict=True):
        change = table[f"{metric}_diff"] = table[f"{metric}_new"] - table[f"{metric}_old"]
        table[f"{metric}_low"], table[f"{metric}_high"] = change - noise, change + noise
        old, new = float(table[f"{metric}_old"].sum()), float(table[f"{metric}_new"].sum())
        totals[metric] = Change(old, new, new - old, new - old, new - old)
    order = np.lexsort((table["name"].astype(str), -table[f"{sort}_diff"]))
    return Diff(table[order], totals, after.by, sort, [before.at], [after.at], after.anomalies, [], [], [])


def interval(old: F8, new: F8) -> tuple[F8, F8, F8, F8, F8]:
    """Return the means of two samples, their difference, and its 95 % interval by Welch's t-test.

    Parameters
    ----------
    old, new : ndarray of float64, shape (n, ...)
        A sample along the first axis.

    Returns
    -------
    tuple of ndarray of float64
        Old mean, new mean, difference, lower and upper end. The ends are NaN if a sample has only one value. Constant
        samples have no noise.
    """
    means = old.mean(axis=0), new.mean(axis=0)
    change = means[1] - means[0]
    if min(len(old), len(new)) < 2:
        unknown = np.full_like(change, np.nan)
        return *means, change, unknown, unknown
    first, second = old.var(axis=0, ddof=1) / len(old), new.var(axis=0, ddof=1) / len(new)
    below = first**2 / (len(old) - 1) + second**2 / (len(new) - 1)
    freedom = np.divide((first + second) ** 2, below, out=np.ones_like(change), where=below > 0)
    noise = t_quantile(freedom) * np.sqrt(first + second)
    return *means, change, change - noise, change + noise


def t_quantile(freedom: F8) -> F8:
    """Return the two-sided 95 % quantile of Student's t, for degrees of freedom of at least 1."""
    inverse, quantile = _quantiles()
    result: F8 = np.exp(np.interp(1 / freedom, inverse, np.log(quantile)))
    return result


@cache
def _quantiles() -> tuple[F8, F8]:
    """Tabulate quantiles by 1 / degrees of freedom f; with t = sqrt(f) tan(a), the density of a is cos(a)^(f-1)."""
    inverse = np.linspace(1e-4, 1, 513)
    quantile = np.empty_like(inverse)
    for i, freedom in enumerate(1 / inverse):
        angle = np.linspace(0, min(np.pi / 2, 12 / np.sqrt(freedom)), 4001)
        density = np.maximum(np.cos(angle), 0) ** (freedom - 1)
        mass = np.concatenate(([0], np.cumsum(density[1:] + density[:-1])))
        quantile[i] = np.sqrt(freedom) * np.tan(np.interp(CONFIDENCE * mass[-1], mass, angle))
    return inverse, quantile
