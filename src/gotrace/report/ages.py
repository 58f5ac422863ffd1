"""Lifespans as a table of ages at death by group, and as JSON. Never here: analysis."""

from __future__ import annotations

from typing import Any, TextIO

from gotrace.analysis.ages import FIRST_AGES, Lifespans
from gotrace.dtypes import Rows
from gotrace.report.common import document, error_json, json_rows, print_anomalies, print_table, say
from gotrace.units import human_bytes, human_count, human_share, human_time

_AGES = ("0", "1", "2", "3", "4-7", "8-15", "16-31", "32+")


def print_lifespans(out: TextIO, result: Lifespans, *, top: int) -> None:
    """Write lifespans as a table of at most ``top`` rows, 0 for all."""
    table = result.table
    died, alive = (int(table[f"{state}_objects"].sum()) for state in ("died", "alive"))
    say(
        out,
        f"{human_count(died, 'object')} died ({human_bytes(int(table['died_bytes'].sum()))}) in "
        f"{human_time(result.end - result.start)} and {human_count(result.cycles, 'GC cycle')}, "
        f"{alive:,} still live ({human_bytes(int(table['alive_bytes'].sum()))})",
    )
    say(out, "ages count the GC cycles that began during a lifetime; times end at the sweep, not at the last use")
    say(out)
    columns = ("died", "deaths", "alive", "live", "median age", "median time", *_AGES, result.by)
    print_table(out, columns, [_cells(row) for row in table[: top or None]], total=len(table))
    say(out)
    unaged = int(table["unaged_objects"].sum())
    if unaged:
        say(out, f"unknown ages: {unaged:,}, of objects whose allocation is not in the trace")
    print_anomalies(out, result.anomalies)


def _cells(row: Rows) -> tuple[str, ...]:
    known = int(row["died_objects"] - row["unaged_objects"])
    return (
        human_bytes(int(row["died_bytes"])),
        f"{row['died_objects']:,}",
        human_bytes(int(row["alive_bytes"])),
        f"{row['alive_objects']:,}",
        str(row["median_cycles"]) if known else "",
        human_time(int(row["median_time"])) if known else "",
        *(human_share(int(row[f"age_{age}"]), known, 0) if row[f"age_{age}"] else "" for age in FIRST_AGES),
        str(row["name"]),
    )


def lifespans_document(
    path: str, result: Lifespans, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return lifespans as a JSON object, rows as in AGES; unknown medians are null."""
    rows = json_rows(result.table)
    for row in rows:
        for name in ("median_cycles", "median_time"):
            row[name] = None if row[name] < 0 else row[name]
    return document(
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
