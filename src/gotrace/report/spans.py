"""Spans as tables by size class and by holder, and as JSON. Never here: analysis."""

from __future__ import annotations

from typing import TextIO

from gotrace.analysis.spans import Spans
from gotrace.dtypes import Rows
from gotrace.errors import TraceError
from gotrace.report.common import error_json, json_rows, print_anomalies, print_json, print_table
from gotrace.report.heap import NOTHING, instant
from gotrace.units import human_bytes


def print_spans(out: TextIO, result: Spans, *, top: int) -> None:
    """Write tables of spans by size class and by holder, each of at most ``top`` rows, 0 for all."""
    if not result.seen:
        print(NOTHING, file=out)
        return
    table, holders, memory = result.table, result.holders, result.memory
    held, free = int(table["span_bytes"].sum()), int(table["free_bytes"].sum())
    empty = int((table["empty_spans"]).sum())
    print(
        f"spans {instant(result)}: {human_bytes(held)} held for objects, of which {human_bytes(free)} "
        f"({_share(free, held)}) are free; {empty:,} spans are empty",
        file=out,
    )
    print(file=out)
    columns = ("free", "held", "full", "spans", "empty", "one object", "slots", "live", "size class")
    _print_top(out, columns, [_class_cells(row) for row in table], top)
    if len(holders):
        print(file=out)
        print(f"{int(holders['spans'].sum()):,} spans of several slots are held by a single object", file=out)
        print(file=out)
        _print_top(out, ("free", "spans", "objects", "type, size class"), [_holder_cells(row) for row in holders], top)
    print(file=out)
    print(
        f"manual  {memory['manual_spans']:,} spans ({human_bytes(memory['manual_span_bytes'])}) of goroutine stacks "
        f"and the runtime; stacks {memory['stacks']:,} ({human_bytes(memory['stack_bytes'])})",
        file=out,
    )
    print_anomalies(out, result.anomalies)


def _print_top(out: TextIO, columns: tuple[str, ...], rows: list[tuple[str, ...]], top: int) -> None:
    print_table(out, columns, rows[: top or None])
    if top and len(rows) > top:
        print(f"... and {len(rows) - top} more rows (--top 0 shows all)", file=out)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"


def _class_cells(row: Rows) -> tuple[str, ...]:
    numbers = (f"{row[name]:,}" for name in ("spans", "empty_spans", "single_spans", "slots", "live_objects"))
    full = _share(int(row["live_objects"]), int(row["slots"]))
    return human_bytes(int(row["free_bytes"])), human_bytes(int(row["span_bytes"])), full, *numbers, str(row["name"])


def _holder_cells(row: Rows) -> tuple[str, ...]:
    name = f"{row['name']}, {row['class']}"
    return human_bytes(int(row["free_bytes"])), f"{row['spans']:,}", human_bytes(int(row["object_bytes"])), name


def print_spans_json(
    out: TextIO, path: str, result: Spans, warnings: list[str], losses: list[str], error: TraceError | None
) -> None:
    """Write spans as one JSON object, rows as in SPANS, ``holders`` as in HOLDERS."""
    print_json(
        out,
        "spans/1",
        path,
        rows=json_rows(result.table),
        holders=json_rows(result.holders),
        at=result.at,
        time=result.time if result.time >= 0 else None,
        memory=result.memory,
        anomalies=result.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )
