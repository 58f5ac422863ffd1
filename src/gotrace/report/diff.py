"""A comparison of two builds as a table of differences with their noise, and as JSON. Never here: statistics."""

from __future__ import annotations

from collections import Counter
from typing import Any, TextIO

import numpy as np

from gotrace.analysis.diff import Change, Diff, Fault
from gotrace.analysis.limits import Verdict, amount
from gotrace.report.common import document, error_json, json_rows, plain, print_anomalies, print_table, say
from gotrace.units import human_change, human_count


def print_diff(out: TextIO, diff: Diff, verdict: Verdict, *, top: int, every: bool = False) -> None:
    """Write a verdict, a table of at most ``top`` rows that changed significantly, 0 for all, and a table of totals.

    With ``every``, rows that did not change significantly are shown, too.
    """
    say(out, verdict.text)
    say(out, f"old: {_traces(diff.old)}; new: {_traces(diff.new)}")
    if min(len(diff.old), len(diff.new)) < 2:
        say(out, "n=1: the noise of the differences is unknown")
    if diff.by == "site":
        say(out, "sites are estimated from CPU samples: rows also differ by which allocations were sampled")
    say(out)
    table = diff.table if every else diff.table[diff.significant()]
    n_pairs = Counter(diff.table["name"].tolist())
    rows = [
        (*_cells(diff.sort, Change(*(float(row[f"{diff.sort}_{part}"]) for part in _PARTS))),
         _label(row, n_pairs[row["name"]]))
        for row in table[: top or None]
    ]  # fmt: skip
    if diff.geomean:
        rows.append((*_cells(diff.sort, diff.geomean)[:3], "", "", "(geomean)"))
    title = f"{diff.sort}{f' per {diff.per}' * bool(diff.per)} by {diff.by}"
    print_table(out, (*_TITLES, title), rows, drop=_DROP)
    if top and len(table) > top:
        say(out, f"... and {human_count(len(table) - top, 'more row')} (--top 0 shows all)")
    if hidden := len(diff.table) - len(table):
        say(out, f"{human_count(hidden, 'row')} without a significant change left out (--all shows them)")
    say(out)
    totals = [(*_cells(metric, change), metric) for metric, change in diff.totals.items()]
    print_table(out, (*_TITLES, "total"), totals, drop=_DROP)
    if diff.anomalies:
        say(out)
        print_anomalies(out, diff.anomalies)


_PARTS = ("old", "new", "diff", "low", "high")
_TITLES = ("old", "new", "delta", "±", "difference")
_DROP = (4, 3, 0, 1)  # the delta stays


def _label(row: np.void, n_pairs: int) -> str:
    """Return the label of a pair: its name, its size if ``n_pairs`` > 1 pairs share the name, and what changed."""
    side = "new" if row["new_traces"] else "old"
    size, ptr_bytes = int(row[f"{side}_size"]), int(row[f"{side}_ptr_bytes"])
    label = f"{row['name']} ({size} bytes, {ptr_bytes} with pointers)" if n_pairs > 1 else str(row["name"])
    if not (row["old_traces"] and row["new_traces"]):
        return f"{label} ({'new' if row['new_traces'] else 'gone'})"
    if row["old_size"] != size:
        return f"{label} (was {row['old_size']} bytes)"
    return label if row["old_ptr_bytes"] == ptr_bytes else f"{label} (was {row['old_ptr_bytes']} bytes with pointers)"


def _traces(paths: list[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{len(paths)} traces"


def _cells(metric: str, change: Change) -> tuple[str, ...]:
    """Return old, new, relative change, its noise, and the difference; ``~`` is no significant change."""
    noise = "" if np.isnan(change.high) or not change.old else f"{100 * (change.high - change.diff) / change.old:,.1f}%"
    delta = human_change(change.new, change.old) or "new"
    sign = "+" if change.diff > 0 else ""
    return (
        *(amount(metric, change.old), amount(metric, change.new)),
        *(delta if change.significant else "~", noise, sign + amount(metric, change.diff)),
    )


def diff_document(diff: Diff, verdict: Verdict) -> dict[str, Any]:
    """Return a comparison as a JSON object, rows as in table DIFF."""
    return document(
        "diff/1",
        diff.new[0],
        rows=json_rows(diff.table),
        by=diff.by,
        sort=diff.sort,
        old={"traces": diff.old, "n": len(diff.old)},
        new={"traces": diff.new, "n": len(diff.new)},
        per=diff.per or None,
        verdict=verdict.text,
        limits=verdict.limits,
        geomean=diff.geomean and _json(diff.geomean),
        totals={metric: _json(change) for metric, change in diff.totals.items()},
        anomalies=diff.anomalies,
        warnings=diff.warnings,
        losses=diff.losses,
        error=error_json(diff.faults[0]) if diff.faults else None,
        skipped=diff.skipped,
        faults=[{"trace": _path_of(fault), **(error_json(fault) or {})} for fault in diff.faults],
    )


def _json(change: Change) -> dict[str, Any]:
    return {name: plain(value) for name, value in vars(change).items()}


def _path_of(fault: Fault) -> str:
    return str(fault.filename) if isinstance(fault, OSError) else fault.path
