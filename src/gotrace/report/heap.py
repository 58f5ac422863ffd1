"""The heap at an instant as a table by group, and as JSON. Never here: replay."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from gotrace.analysis.account import account_of_samples
from gotrace.dtypes import I8
from gotrace.errors import TraceError
from gotrace.heap.table import Heap
from gotrace.report.common import error_json, json_rows, outside_spans, print_anomalies, print_json, print_table
from gotrace.units import human_bytes, human_time

if TYPE_CHECKING:
    from gotrace.analysis.spans import Spans

NOTHING = (
    "no alloc/free events in this trace: start the program with GODEBUG=traceallocfree=1 (Go 1.23 or later), "
    "and trace it again"
)
_WIDTH = 120  # characters of a line of text
_ESTIMATED = ("error", "objects", "samples")
_COLUMNS: tuple[str, ...] = ("inuse", "objects", "allocated", "objects", "freed", "objects")


def print_heap(out: TextIO, heap: Heap, *, top: int, died: bool = False) -> None:
    """Write a heap as a table of at most ``top`` rows, 0 for all.

    With ``died``, the table is about freed objects instead of live ones.
    """
    if not heap.seen:
        print(NOTHING, file=out)
        return
    table = heap.table
    what = "free" if died else "inuse"
    least = "at least " if outside_spans(heap.anomalies) else ""
    total = least + human_bytes(int(table[f"{what}_bytes"].sum()))
    ages = _ages(*heap.ages)
    print(f"heap {instant(heap)}: {total} {'freed' if died else 'in use'}{ages}", file=out)
    unknown = heap.unaged.get(f"{what}_objects", 0)
    if unknown:
        print(
            f"{unknown:,} objects of unknown age ({human_bytes(heap.unaged[f'{what}_bytes'])}) are left out: "
            "they existed at the start",
            file=out,
        )
    print(file=out)
    shown = np.arange(min(top or len(table), len(table)))
    print_table(out, *_lines(heap, shown, what))
    hidden = len(table) - len(shown)
    if hidden:
        print(f"... and {hidden} more rows (--top 0 shows all)", file=out)
    memory = heap.memory
    print(file=out)
    if heap.samples is not None:
        print(textwrap.fill(" ".join(_account(heap, what)), _WIDTH), end="\n\n", file=out)
    print(
        f"spans   {memory['heap_spans']:,} of objects ({human_bytes(memory['heap_span_bytes'])}), "
        f"{memory['manual_spans']:,} manually managed ({human_bytes(memory['manual_span_bytes'])})",
        file=out,
    )
    print(f"stacks  {memory['stacks']:,} of goroutines ({human_bytes(memory['stack_bytes'])})", file=out)
    print_anomalies(out, heap.anomalies)


def _lines(heap: Heap, shown: I8, what: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the column titles and the cells of each row; an estimate has errors and samples."""
    if heap.errors is None:
        units = [f"{column}_{unit}" for column in ("inuse", "alloc", "free") for unit in ("bytes", "objects")]
        cells = [
            [f"{row[unit]:,}" if unit.endswith("objects") else human_bytes(int(row[unit])) for unit in units]
            for row in heap.table[shown]
        ]
        titles = _COLUMNS
    else:
        cells = [
            [
                cell
                for column in (what, "alloc")
                for cell in (
                    human_bytes(int(row[f"{column}_bytes"])),
                    human_bytes(round(error[f"{column}_bytes_error"])) if error[f"{column}_bytes_error"] else "",
                    f"{row[f'{column}_objects']:,}",
                    f"{error[f'{column}_samples']:,}",
                )
            ]
            for row, error in zip(heap.table[shown], heap.errors[shown], strict=True)
        ]
        titles = ("inuse" if what == "inuse" else "freed", *_ESTIMATED, "allocated", *_ESTIMATED)
    names = heap.table["name"][shown].tolist()
    return (*titles, heap.by), [(*line, name) for line, name in zip(cells, names, strict=True)]


def _account(heap: Heap, what: str) -> list[str]:
    """Describe the samples and the accuracy of an estimate, one string per sentence."""
    assert heap.samples is not None
    assert heap.errors is not None
    sentences = account_of_samples(heap.samples)
    if heap.samples.matched:
        n = int(heap.errors[f"{what}_samples"].sum())
        state = "are in use" if what == "inuse" else "were freed"
        sentences.append(
            f"{n:,} of the matched objects {state}. Totals by type and size class are exact; shares by site are "
            f"estimated from the samples whose objects {state}. Errors are one standard error."
        )
    return sentences


def instant(heap: Heap | Spans) -> str:
    """Describe the instant of a heap or of spans."""
    after = f"{human_time(heap.time - heap.start)} after the start"
    if heap.at == "start":
        return "at the start"
    if heap.at in ("peak", "end"):
        return f"at the {heap.at}, {after}"
    return after if ":" not in heap.at else f"at the start of mark phase {heap.at.partition(':')[2]}, {after}"


def _ages(youngest: int | None, oldest: int | None) -> str:
    if youngest is None and oldest is None:
        return ""
    if youngest is not None and oldest is not None:
        return f", {youngest} to {oldest} GC cycles old"
    age = oldest if youngest is None else youngest
    return f", {age} GC cycle{'' if age == 1 else 's'} old or {'less' if youngest is None else 'more'}"


def print_heap_json(
    out: TextIO, path: str, heap: Heap, warnings: list[str], losses: list[str], error: TraceError | None
) -> None:
    """Write a heap as one JSON object, rows as in table HEAP."""
    print_json(
        out,
        "heap/1",
        path,
        rows=_rows(heap),
        by=heap.by,
        at=heap.at,
        min_age=heap.ages[0],
        max_age=heap.ages[1],
        unaged=heap.unaged,
        samples=heap.samples and {**vars(heap.samples), "unmatched": heap.samples.unmatched},
        time=heap.time if heap.time >= 0 else None,
        memory=heap.memory,
        anomalies=heap.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def _rows(heap: Heap) -> list[dict[str, Any]]:
    rows = json_rows(heap.table)
    if heap.errors is not None:
        for row, error in zip(rows, json_rows(heap.errors), strict=True):
            row |= error
    return rows
