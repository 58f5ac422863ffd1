"""Old objects and the types that grow, as text and as JSON. Never here: the rule of growth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

from gotrace.analysis.leaks import Leaks, OldObjects
from gotrace.heap.table import Heap
from gotrace.report.common import say
from gotrace.report.heap import heap_document
from gotrace.units import printable

FORCE = (
    "trace longer, or force collections while tracing: with runtime.GC(), or in a server by fetching "
    "/debug/pprof/heap?gc=1 once a second"
)
"""How to take a trace with more GC cycles."""


def print_old(out: TextIO, found: OldObjects, *, show: Callable[[TextIO, Heap], None]) -> None:
    """Write the verdict, what it is based on, and old objects with ``show``."""
    leaks = found.leaks
    say(out, f"verdict  {printable(leaks.verdict)}")
    say(out, f"basis    {leaks.cycles:,} GC cycles started in the trace" if leaks.judged else f"next     {FORCE}")
    say(out)
    show(out, found.heap)


def old_document(
    path: str, found: OldObjects, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return old objects as a JSON object like that of any heap, with the types that grow."""
    return heap_document(path, found.heap, warnings, losses, error, **leaks_json(found.leaks))


def leaks_json(leaks: Leaks) -> dict[str, Any]:
    """Convert the types that grow to members of a JSON object."""
    return {"verdict": leaks.verdict, "judged": leaks.judged, "growing": [vars(group) for group in leaks.groups]}
