"""Lifespans as a table of ages at death by group, and as JSON. Never here: analysis."""

from __future__ import annotations

from typing import TextIO

from gotrace.analysis.ages import FIRST_AGES, Lifespans
from gotrace.dtypes import Rows
from gotrace.errors import TraceError
from gotrace.report.common import error_json, json_rows, print_anomalies, print_json, print_table
from gotrace.report.heap import NOTHING
from gotrace.units import human_bytes, human_time

_AGES = ("0", "1", "2", "3", "4-7", "8-15", "16-31", "32+")


def print_lifespans(out: TextIO, result: Lifespans, *, top: int) -> None:
    """Write lifespans as a table of at most ``top`` rows, 0 for all."""
    if not result.seen:
        print(NOTHING, file=out)
        return
    table = result.table
    print(
        f"{int(table['died_objects'].sum()):,} objects died ({human_bytes(int(table['died_bytes'].sum()))}) in "
        f"{human_time(result.end - result.start)} and {result.cycles:,} GC cycles, "
        f"{int(table['alive_objects'].sum()):,} still live ({human_bytes(int(table['alive_bytes'].sum()))})",
        file=out,
    )
    print(
        "ages count the GC cycles that began during a lifetime; times end at the sweep, not at the last use", file=out
    )
    print(file=out)
    shown = (table[table["died_objects"] > 0] if top else table)[: top or None]
    columns = ("died", "objects", *_AGES, "median", "time", "alive", "objects", result.by)
    print_table(out, columns, [_cells(row) for row in shown])
    hidden = len(table) - len(shown)
    if hidden:
        print(f"... and {hidden} more rows (--top 0 shows all)", file=out)
    print(file=out)
    unaged = int(table["unaged_objects"].sum())
    if unaged:
        print(f"unknown {unaged:,} ages: these objects existed at the start", file=out)
    print_anomalies(out, result.anomalies)


def _cells(row: Rows) -> tuple[str, ...]:
    known = int(row["died_objects"] - row["unaged_objects"])
    return (
        human_bytes(int(row["died_bytes"])),
        f"{row['died_objects']:,}",
        *(f"{row[f'age_{age}'] / known:.0%}" if row[f"age_{age}"] else "" for age in FIRST_AGES),
        str(row["median_cycles"]) if known else "",
        human_time(int(row["median_time"])) if known else "",
        human_bytes(int(row["alive_bytes"])),
        f"{row['alive_objects']:,}",
        str(row["name"]),
    )


def print_lifespans_json(
    out: TextIO, path: str, result: Lifespans, warnings: list[str], losses: list[str], error: TraceError | None
) -> None:
    """Write lifespans as one JSON object, rows as in AGES; unknown medians are null."""
    rows = json_rows(result.table)
    for row in rows:
        for name in ("median_cycles", "median_time"):
            row[name] = None if row[name] < 0 else row[name]
    print_json(
        out,
        "lifetimes/1",
        path,
        rows=rows,
        by=result.by,
        cycles=result.cycles,
        anomalies=result.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )
