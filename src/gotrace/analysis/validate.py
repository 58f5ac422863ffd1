"""Whether a trace is whole, in order, and makes sense. Never here: words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gotrace.errors import TraceError
from gotrace.reader import BUILDERS
from gotrace.slabs import Rows
from gotrace.trace import Trace

_LENGTH = 1 << 15  # rows at a time


@dataclass
class Verdict:
    """What was found.

    Attributes
    ----------
    events, generations : int
        Events in order, Sync events included, and whole generations before the fault.
    error : TraceError or None
        Why the trace is broken.
    """

    events: int = 0
    generations: int = 0
    error: TraceError | None = None


def validate(trace: Trace, progress: Callable[[int], None] | None = None) -> Verdict:
    """Read everything in a trace: tables, events in order, the experiment's own data."""
    verdict = Verdict()
    shared = trace._new_pass()
    builders = {name: BUILDERS[name](shared, _LENGTH) for name in ("generations", "events", "allocs")}
    ends: list[int] = []

    def note(name: str, rows: Rows) -> None:
        if name == "events":
            verdict.events += len(rows)
        elif name == "generations":
            ends.extend((rows["offset"] + rows["nbytes"]).tolist())

    try:
        for part in trace._parts(progress):
            for name, builder in builders.items():
                for rows in trace._fed(builder, part):
                    note(name, rows)
            part.drop()
    except TraceError as error:
        verdict.error = error
    for name, builder in builders.items():
        for rows in builder.flush():
            note(name, rows)
    fault = verdict.error
    verdict.generations = sum(fault is None or end <= fault.offset for end in ends)
    return verdict
