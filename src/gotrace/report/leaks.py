"""Old objects and the types that grow, as text and as JSON. Never here: the rule of growth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TextIO

from gotrace.analysis.leaks import Leaks, OldObjects
from gotrace.heap.table import Heap
from gotrace.report.common import say
from gotrace.report.heap import heap_document
from gotrace.units import human_bytes, human_count, printable

_Row = tuple[str, list[tuple[float, str]]]

FORCE = (
    "trace longer, or force collections while tracing: with runtime.GC(), or in a server by fetching "
    "/debug/pprof/heap?gc=1 once a second"
)
"""How to take a trace with more GC cycles."""

PROFILE = "run a CPU profile (pprof.StartCPUProfile) while tracing"
"""How to take a trace with CPU samples."""


def print_old(out: TextIO, found: OldObjects, *, show: Callable[[TextIO, Heap], None]) -> None:
    """Write the verdict, what it is based on, and old objects with ``show``."""
    leaks = found.leaks
    say(out, f"verdict  {printable(leaks.verdict)}")
    if leaks.judged:
        say(out, f"basis    {human_count(leaks.cycles, 'GC cycle')} started in the trace")
    if not leaks.judged:
        say(out, f"next     {FORCE}")
    elif leaks.groups and not leaks.samples:
        say(out, f"missing  CPU samples, which show the lines that allocate: {PROFILE}")
    say(out)
    for heap in found.heaps:
        show(out, heap)


def after_old(found: OldObjects) -> list[tuple[str, str]]:
    """Return the commands that show where growing types are allocated, for :func:`print_next`."""
    by = found.heaps[0].by
    if not found.leaks.groups or by == "site":
        return []
    if found.leaks.samples:
        return [("heap --leaks --by site FILE", "the lines that allocated them, estimated from CPU samples")]
    steps = [("heap --leaks --by goroutine FILE", "the functions whose goroutines allocated them")]
    return [step for step in steps if by != "goroutine"]


def old_document(
    path: str, found: OldObjects, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return old objects as a JSON object like that of any heap, with the types that grow."""
    return heap_document(path, found.heaps[0], warnings, losses, error, **leaks_json(found.leaks))


def leak_tables(found: OldObjects) -> Iterator[tuple[str, str, list[str], list[_Row], str]]:
    """Yield the name, title, column titles, rows and note of each table of a page: what grows, and who holds old bytes.

    A row is a name, and for each number its value and its text.
    """
    leaks = found.leaks
    rows: list[_Row] = []
    for name in leaks.growing:
        i = leaks.names.index(name)
        first, last = int(leaks.objects[i, 0]), int(leaks.objects[i, -1])
        grown = int(leaks.nbytes[i, -1] - leaks.nbytes[i, 0])
        each = (last - first) / int(leaks.points[-1] - leaks.points[0])
        counts = [(n, f"{n:,}") for n in (first, last)]
        rows.append((name, [(grown, human_bytes(grown)), (each, f"{each:+,.1f}"), *counts]))
    rows.sort(key=lambda row: -row[1][0][0])
    heads = ["type", "growth", "objects per GC cycle", "objects at first", "objects at last"]
    note = (
        "Types of which more and more objects survive the GC cycles of the trace; those with the same growth per cycle "
        f"belong together. Verdict: {leaks.verdict}."
    )
    yield "growing", "Types that grow", heads, rows, note
    for heap in found.heaps:
        old = heap.table[heap.table["inuse_objects"] > 0]
        columns = [(human_bytes, "inuse_bytes"), ("{:,}".format, "inuse_objects")]
        rows = [(row["name"], [(int(row[column]), text(int(row[column]))) for text, column in columns]) for row in old]
        note = "Bytes allocated in the trace that outlived two GC cycles or more and are still alive."
        if heap.errors is not None:
            note += " Shares by site are estimated from CPU samples."
        yield f"old-{heap.by}", f"Old bytes by {heap.by}", [heap.by, "old", "objects"], rows, note


def leaks_json(leaks: Leaks) -> dict[str, Any]:
    """Convert the types that grow to members of a JSON object."""
    return {"verdict": leaks.verdict, "judged": leaks.judged, "growing": [vars(group) for group in leaks.groups]}
