"""What grew between two instants of a trace, as a table and as JSON. Never here: comparison."""

from __future__ import annotations

from typing import Any, TextIO

from gotrace.analysis.diff import Diff, diff
from gotrace.heap.table import Heap
from gotrace.report.common import document, error_json, json_rows, print_anomalies, print_table, say
from gotrace.report.heap import instant
from gotrace.tables.growth import HeapPair
from gotrace.units import human_bytes, human_count

_COLUMNS = ("growth", "objects", "before", "after", "allocated")
_SIDES = ("old", "new", "diff")


def print_growth(out: TextIO, pair: HeapPair, *, top: int, note: str = "") -> None:
    """Write what grew as a table of at most ``top`` rows, 0 for all; ``note`` says what is left out."""
    change = diff(*pair)
    total = change.totals["inuse_bytes"]
    later = human_count(pair.after.cycles - pair.before.cycles, "GC cycle")
    say(out, f"growth  {_signed(total.diff)} in use{note}")
    say(out, f"from    {human_bytes(total.old)} {instant(pair.before)}")
    say(out, f"to      {human_bytes(total.new)} {instant(pair.after)}, {later} later")
    say(out)
    print_table(out, *_lines(change, top), total=len(change.table))
    if pair.after.anomalies:
        say(out)
        print_anomalies(out, pair.after.anomalies)


def _lines(change: Diff, top: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the column titles and the cells of each row; an estimate has an interval."""
    estimate = change.by == "site"
    rows = [
        (
            _signed(row["inuse_bytes_diff"]),
            *([human_bytes(round(row["inuse_bytes_high"] - row["inuse_bytes_diff"]))] if estimate else []),
            f"{row['inuse_objects_diff']:+,.0f}",
            *(human_bytes(int(row[f"inuse_bytes_{side}"])) for side in ("old", "new")),
            *([] if estimate else [human_bytes(int(row["alloc_bytes_diff"]))]),
            row["name"],
        )
        for row in change.table[: top or None]
    ]
    titles = ("growth", "±", "objects", "before", "after") if estimate else _COLUMNS
    return (*titles, change.by), rows


def _signed(nbytes: float) -> str:
    return ("+" if nbytes > 0 else "") + human_bytes(nbytes)


def growth_document(
    path: str, pair: HeapPair, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return what grew as a JSON object, rows as in table DIFF."""
    change = diff(*pair)
    return document(
        "growth/1",
        path,
        rows=json_rows(change.table),
        by=change.by,
        **{"from": _json(pair.before), "to": _json(pair.after)},
        totals={name: {side: getattr(total, side) for side in _SIDES} for name, total in change.totals.items()},
        anomalies=pair.after.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def _json(heap: Heap) -> dict[str, Any]:
    return {"at": heap.at, "time": heap.time if heap.time >= 0 else None, "cycles": heap.cycles, "memory": heap.memory}
