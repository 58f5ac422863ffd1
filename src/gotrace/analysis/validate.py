"""Check that a trace is complete, in order and valid: a trace comes in, a verdict goes out. Never here: output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gotrace.errors import TraceError
from gotrace.tables.catalog import TABLES
from gotrace.trace import Trace

_LENGTH = 1 << 15  # rows at a time


@dataclass
class Verdict:
    """The result of a check.

    Attributes
    ----------
    events, generations : int
        Number of ordered events, including Sync events, and of complete generations before the fault.
    error : TraceError or None
        The fault, if the trace is broken.
    """

    events: int = 0
    generations: int = 0
    error: TraceError | None = None


def validate(trace: Trace, progress: Callable[[int], None] | None = None) -> Verdict:
    """Read everything in a trace: tables, ordered events, alloc/free data; a fault is stored in the verdict."""
    verdict = Verdict()
    read_pass = trace.reader.new_pass()
    generations, events, allocs = (
        TABLES[name].builder(read_pass, _LENGTH) for name in ("generations", "events", "allocs")
    )
    ends: list[int] = []
    try:
        for builder, rows in read_pass.read(generations, events, allocs, progress=progress):
            if builder is events:
                verdict.events += len(rows)
            elif builder is generations:
                ends.extend((rows["offset"] + rows["nbytes"]).tolist())
    except TraceError as error:
        verdict.error = error
    fault = verdict.error
    verdict.generations = sum(fault is None or end <= fault.offset for end in ends)
    return verdict
