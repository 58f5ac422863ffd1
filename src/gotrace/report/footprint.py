"""The bytes of a trace by group, as text and as JSON. Never here: counting."""

from __future__ import annotations

from typing import TextIO

from gotrace.analysis.footprint import Footprint
from gotrace.report.common import error_json, json_rows, print_json, print_table
from gotrace.units import human_bytes


def print_footprint(out: TextIO, result: Footprint, *, top: int) -> None:
    """Write a table of at most ``top`` rows, 0 for all."""
    table = result.table
    rows = [
        (
            human_bytes(nbytes),
            f"{nbytes / max(result.nbytes, 1):.1%}",
            f"{count:,}",
            f"{nbytes / count:.1f}" if count else "",
            name,
        )
        for name, count, nbytes in table[: top or None].tolist()
    ]
    print_table(out, ("bytes", "share", "count", "each", result.by), rows)
    if top and len(table) > top:
        rest = int(table["nbytes"][top:].sum())
        print(f"... and {len(table) - top:,} more rows ({human_bytes(rest)}); --top 0 shows all", file=out)


def print_footprint_json(out: TextIO, path: str, result: Footprint, warnings: list[str], losses: list[str]) -> None:
    """Write the groups as one JSON object, rows as in FOOTPRINT."""
    print_json(
        out,
        "footprint/1",
        path,
        rows=json_rows(result.table),
        by=result.by,
        nbytes=result.nbytes,
        warnings=warnings,
        losses=losses,
        error=error_json(result.error),
    )
