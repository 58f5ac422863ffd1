"""A comparison of two builds as a table of differences with their noise, and as JSON. Never here: statistics."""

from __future__ import annotations

from collections import Counter
from typing import Any, TextIO

import numpy as np

from gotrace.analysis.diff import Change, Diff
from gotrace.report.common import document, error_json, json_rows, plain, print_anomalies, print_table, say
from gotrace.units import human_bytes


def print_diff(out: TextIO, diff: Diff, *, top: int) -> None:
    """Write a comparison as a table of at most ``top`` rows, 0 for all, and a table of totals."""
    say(out, f"old: {_traces(diff.old)}; new: {_traces(diff.new)}")
    if min(len(diff.old), len(diff.new)) < 2:
        say(out, "n=1: the noise of the differences is unknown")
    say(out)
    n_pairs = Counter(diff.table["name"].tolist())
    rows = [
        (*_cells(diff.sort, *(float(row[f"{diff.sort}_{part}"]) for part in _PARTS)), _label(row, n_pairs[row["name"]]))
        for row in diff.table[: top or None]
    ]
    columns = ("old", "new", "difference", "±", "percent", f"{diff.sort} by {diff.by}")
    print_table(out, columns, rows, total=len(diff.table))
    say(out)
    totals = [(*_change(metric, change), metric) for metric, change in diff.totals.items()]
    print_table(out, ("old", "new", "difference", "±", "percent", "total"), totals)
    print_anomalies(out, diff.anomalies)


_PARTS = ("old", "new", "diff", "high")


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


def _change(metric: str, change: Change) -> tuple[str, ...]:
    return _cells(metric, change.old, change.new, change.diff, change.high)


def _cells(metric: str, old: float, new: float, diff: float, high: float) -> tuple[str, ...]:
    noise = "" if np.isnan(high) else _number(metric, high - diff)
    percent = f"{diff / old:+.1%}" if old else ""
    return _number(metric, old), _number(metric, new), ("+" if diff > 0 else "") + _number(metric, diff), noise, percent


def _number(metric: str, value: float) -> str:
    return human_bytes(round(value)) if metric.endswith("bytes") else f"{round(value, 1):,.10g}"


def diff_document(diff: Diff) -> dict[str, Any]:
    """Return a comparison as a JSON object, rows as in table DIFF."""
    return document(
        "diff/1",
        diff.new[0],
        rows=json_rows(diff.table),
        by=diff.by,
        sort=diff.sort,
        old={"traces": diff.old, "n": len(diff.old)},
        new={"traces": diff.new, "n": len(diff.new)},
        totals={metric: _json(change) for metric, change in diff.totals.items()},
        anomalies=diff.anomalies,
        warnings=diff.warnings,
        losses=diff.losses,
        error=error_json(diff.faults[0]) if diff.faults else None,
        faults=[{"trace": fault.path, **(error_json(fault) or {})} for fault in diff.faults],
    )


def _json(change: Change) -> dict[str, Any]:
    return {name: plain(value) for name, value in vars(change).items()}
