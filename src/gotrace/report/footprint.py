"""The bytes of a trace by group, as text and as JSON. Never here: counting."""

from __future__ import annotations

from typing import Any, TextIO

from gotrace.analysis.footprint import Footprint
from gotrace.report.common import document, error_json, json_rows, print_table
from gotrace.units import human_bytes, human_share


def print_footprint(out: TextIO, result: Footprint, *, top: int) -> None:
    """Write a table of at most ``top`` rows, 0 for all."""
    table = result.table
    rows = [
        (
            human_bytes(nbytes),
            human_share(nbytes, result.nbytes),
            f"{count:,}",
            f"{nbytes / count:,.1f}" if count else "",
            name,
        )
        for name, count, nbytes in table[: top or None].tolist()
    ]
    print_table(out, ("bytes", "share", "count", "each", result.by), rows, total=len(table))


def footprint_document(path: str, result: Footprint, warnings: list[str], losses: list[str]) -> dict[str, Any]:
    """Return the groups as a JSON object, rows as in FOOTPRINT."""
    return document(
        "footprint/1",
        path,
        rows=json_rows(result.table),
        by=result.by,
        nbytes=result.nbytes,
        warnings=warnings,
        losses=losses,
        error=error_json(result.error),
    )
