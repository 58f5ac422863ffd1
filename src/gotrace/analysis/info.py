"""What is in a trace, what is missing from it, and what to run next. Never here: output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from gotrace.dtypes import GENERATION, Rows
from gotrace.errors import TraceError
from gotrace.experiments.batches import alloc_free, experiment_data
from gotrace.tables.lookup import GenerationBuilder
from gotrace.tables.passes import ReadPass
from gotrace.trace import Trace
from gotrace.wire.segments import Segment


@dataclass
class Info:
    """What one pass over a trace found.

    ``events`` counts by event name, ``experiments`` batches and bytes by name; ``error`` is what ended the pass.
    """

    version: str
    writers: str
    nbytes: int = 0
    generations: Rows = field(default_factory=lambda: np.empty(0, GENERATION))
    events: dict[str, int] = field(default_factory=dict)
    experiments: dict[str, tuple[int, int]] = field(default_factory=dict)
    threads: int = 0
    has_info: bool = False
    has_snapshot: bool = False
    error: TraceError | None = None

    @property
    def alloc_events(self) -> int:
        """How many alloc/free events there are."""
        return sum(self.events.get(name, 0) for name in _ALLOC_NAMES)

    @property
    def missing(self) -> list[str]:
        """What the trace lacks, each with what to do about it."""
        found = []
        if not self.alloc_events:
            found.append("no alloc/free events: start the program with GODEBUG=traceallocfree=1 (Go 1.23 or later)")
        else:
            if not self.has_info:
                found.append(
                    "no alloc/free info batch: addresses count from the heap's base "
                    "(a flight recorder's file, or a trace that joined a running session)"
                )
            if not self.has_snapshot:
                found.append("no heap snapshot: what was allocated before the trace began is unknown")
            if not int(self.generations["types"].sum()):
                found.append("no type table: all objects are untyped or unresolved")
        if not int(self.generations["samples"].sum()):
            found.append("no CPU samples: run a CPU profile (pprof.StartCPUProfile) while tracing to get them")
        if np.isnat(self.generations["wall"]).all():
            found.append("no wall-clock times: Go 1.25 and later write them")
        return found

    @property
    def next(self) -> list[str]:
        """Commands that show more, without the file's name."""
        return ["heap", "dump --mode wire"] if self.alloc_events else ["dump --mode wire"]


_ALLOC_NAMES = (
    *("Span", "SpanAlloc", "SpanFree", "HeapObject", "HeapObjectAlloc", "HeapObjectFree"),
    *("GoroutineStack", "GoroutineStackAlloc", "GoroutineStackFree"),
)


def inspect(trace: Trace, progress: Callable[[int], None] | None = None) -> Info:
    """Read a whole trace once and say what is in it; a fault ends up in ``error``."""
    info = Info(trace.version, trace.writers)
    read_pass = trace.reader.new_pass()
    builder = _InfoBuilder(read_pass, info)
    rows: list[Rows] = []
    try:
        rows += (part for _, part in read_pass.read(builder, progress=progress))
    except TraceError as error:
        info.error = error
    info.threads = len(builder.threads - {-1})
    if rows:
        info.generations = np.concatenate(rows)
    info.events = {trace.experiments.event_names[i]: int(n) for i, n in enumerate(builder.counts) if n}
    info.has_snapshot = any(name in info.events for name in ("Span", "HeapObject"))
    return info


class _InfoBuilder(GenerationBuilder):
    """Rows of GENERATION; notes what else is in each segment."""

    def __init__(self, read_pass: ReadPass, info: Info) -> None:
        super().__init__(read_pass, 1)
        self._info = info
        self.threads: set[int] = set()

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield a row for each generation of a segment."""
        info = self._info
        for (_, number), data in experiment_data(segment, self.registry).items():
            name = self.registry[number].name
            batches, nbytes = info.experiments.get(name, (0, 0))
            size = sum(len(batch) for _, batch in data.batches)
            info.experiments[name] = (batches + len(data.batches), nbytes + size)
        info.has_info |= any(data.info is not None for _, data in alloc_free(segment, self.registry))
        self.threads.update(segment.by_thread().cursors["m"].tolist())
        yield from super().feed(segment)
        info.nbytes = segment.slab.end
