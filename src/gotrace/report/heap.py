"""The heap as text and as JSON. Never here: replay."""

from __future__ import annotations

from typing import TextIO

from gotrace.analysis.spans import Spans
from gotrace.errors import TraceError
from gotrace.heap import Heap
from gotrace.report.common import error_json, human_bytes, human_time, json_rows, print_json, print_table

NOTHING = (
    "no alloc/free events in this trace: start the program with GODEBUG=traceallocfree=1 (Go 1.23 or later), "
    "and trace it again"
)
_COLUMNS = ("inuse", "objects", "allocated", "objects", "freed", "objects")


def print_heap(out: TextIO, heap: Heap, *, top: int, died: bool = False) -> None:
    """Write a heap as a table of at most ``top`` lines, 0 for all; ``died``: about what died, not what lives."""
    if not heap.seen:
        print(NOTHING, file=out)
        return
    table = heap.table
    what = "free" if died else "inuse"
    live = table[table[f"{what}_objects"] != 0]
    total = human_bytes(int(table[f"{what}_bytes"].sum()))
    ages = _ages(*heap.ages)
    print(f"heap {instant(heap)}: {total} {'freed' if died else 'in use'}{ages}", file=out)
    unknown = heap.unaged.get(f"{what}_objects", 0)
    if unknown:
        print(
            f"{unknown:,} objects of unknown age ({human_bytes(heap.unaged[f'{what}_bytes'])}) are left out: "
            "they were there at the start",
            file=out,
        )
    print(file=out)
    rows = [
        (
            human_bytes(int(row["inuse_bytes"])),
            f"{row['inuse_objects']:,}",
            human_bytes(int(row["alloc_bytes"])),
            f"{row['alloc_objects']:,}",
            human_bytes(int(row["free_bytes"])),
            f"{row['free_objects']:,}",
            str(row["name"]),
        )
        for row in (live if top else table)[: top or None]
    ]
    print_table(out, (*_COLUMNS, heap.by), rows)
    hidden = len(table) - len(rows)
    if hidden:
        print(f"... and {hidden} more lines (--top 0 shows all)", file=out)
    memory = heap.memory
    print(file=out)
    print(
        f"spans   {memory['heap_spans']:,} of objects ({human_bytes(memory['heap_span_bytes'])}), "
        f"{memory['manual_spans']:,} managed by hand ({human_bytes(memory['manual_span_bytes'])})",
        file=out,
    )
    print(f"stacks  {memory['stacks']:,} of goroutines ({human_bytes(memory['stack_bytes'])})", file=out)
    for name, n in heap.anomalies.items():
        print(f"odd     {n:,} {name}", file=out)


def instant(heap: Heap | Spans) -> str:
    """Say when it was."""
    after = f"{human_time(heap.time - heap.start)} after the start"
    if heap.at == "start":
        return "at the start"
    if heap.at in ("peak", "end"):
        return f"at the {heap.at}, {after}"
    return after if ":" not in heap.at else f"as mark phase {heap.at.partition(':')[2]} begins, {after}"


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
        rows=json_rows(heap.table),
        by=heap.by,
        at=heap.at,
        min_age=heap.ages[0],
        max_age=heap.ages[1],
        unaged=heap.unaged,
        time=heap.time if heap.time >= 0 else None,
        memory=heap.memory,
        anomalies=heap.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )
