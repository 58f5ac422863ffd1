"""Spans as tables by size class and by holder, and as JSON. Never here: analysis."""

from __future__ import annotations

from typing import Any, TextIO

from gotrace.analysis.spans import Spans
from gotrace.dtypes import Rows
from gotrace.report.common import document, error_json, json_rows, print_anomalies, print_table, say
from gotrace.report.heap import instant
from gotrace.units import human_bytes, human_count, human_share


def print_spans(out: TextIO, result: Spans, *, top: int) -> None:
    """Write tables of spans by size class and by holder, each of at most ``top`` rows, 0 for all."""
    table, holders, memory = result.table, result.holders, result.memory
    held, free = int(table["span_bytes"].sum()), int(table["free_bytes"].sum())
    empty = int((table["empty_spans"]).sum())
    say(
        out,
        f"spans {instant(result)}: {human_bytes(held)} held for objects, of which {human_bytes(free)} "
        f"({human_share(free, held)}) are free; {human_count(empty, 'span is', 'spans are')} empty",
    )
    say(out)
    columns = ("free", "held", "full", "spans", "empty", "one object", "slots", "live", "size class")
    print_table(out, columns, [_class_cells(row) for row in table[: top or None]], total=len(table))
    if n := int(holders["spans"].sum()):
        say(out)
        say(out, f"{human_count(n, 'span')} of several slots held by a single object")
        say(out)
        rows = [_holder_cells(row, result.by) for row in holders[: top or None]]
        title = "size class" if result.by == "class" else f"{result.by}, size class"
        print_table(out, ("free", "spans", "in use", title), rows, total=len(holders))
    say(out)
    say(
        out,
        f"manual  {human_count(memory['manual_spans'], 'span')} ({human_bytes(memory['manual_span_bytes'])}) of "
        f"goroutine stacks and the runtime; stacks {memory['stacks']:,} ({human_bytes(memory['stack_bytes'])})",
    )
    print_anomalies(out, result.anomalies)


def _class_cells(row: Rows) -> tuple[str, ...]:
    numbers = (f"{row[name]:,}" for name in ("spans", "empty_spans", "single_spans", "slots", "live_objects"))
    full = human_share(int(row["live_objects"]), int(row["slots"]))
    return human_bytes(int(row["free_bytes"])), human_bytes(int(row["span_bytes"])), full, *numbers, str(row["name"])


def _holder_cells(row: Rows, by: str) -> tuple[str, ...]:
    name = str(row["class"]) if by == "class" else f"{row['name']}, {row['class']}"
    return human_bytes(int(row["free_bytes"])), f"{row['spans']:,}", human_bytes(int(row["object_bytes"])), name


def spans_document(
    path: str, result: Spans, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return spans as a JSON object, rows as in SPANS, ``holders`` as in HOLDERS."""
    return document(
        "spans/1",
        path,
        rows=json_rows(result.table),
        holders=json_rows(result.holders),
        at=result.at,
        by=result.by,
        time=result.time if result.time >= 0 else None,
        memory=result.memory,
        anomalies=result.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )
