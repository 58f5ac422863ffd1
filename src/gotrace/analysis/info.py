"""The contents of a trace, what it lacks, and the commands to run next. Never here: output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from gotrace.analysis.footprint import FOOTPRINT, FootprintBuilder
from gotrace.analysis.traces import analysis
from gotrace.dtypes import GENERATION, Rows
from gotrace.errors import HEAP_DATA_ADVICE, TraceError
from gotrace.experiments.batches import alloc_free, experiment_data
from gotrace.tables.lookup import GenerationBuilder
from gotrace.tables.passes import ReadPass
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import View, Viewed
from gotrace.wire.segments import Segment


@dataclass(repr=False)
class Info(Viewed):
    """The contents of a trace.

    Attributes
    ----------
    version, writers : str
        As of :class:`gotrace.Trace`.
    nbytes : int
        Bytes read.
    generations : ndarray of GENERATION
    events : dict of str to int
        Number of events by name.
    footprint : ndarray of FOOTPRINT
        Events, records and their bytes by kind, most bytes first.
    experiments : dict of str to tuple of int
        Number of batches, and their bytes, by name of the experiment.
    threads : int
        Number of threads with events.
    has_info, has_snapshot, has_arenas : bool
        True if the trace has an alloc/free info batch, events of the heap snapshot, or chunks of user arenas.
    lost : bool
        True if parts of the trace were skipped (``errors="salvage"``).
    error : TraceError or None
        The fault that ended the pass.
    """

    version: str
    writers: str
    nbytes: int = 0
    generations: Rows = field(default_factory=lambda: np.empty(0, GENERATION))
    events: dict[str, int] = field(default_factory=dict)
    footprint: Rows = field(default_factory=lambda: np.empty(0, FOOTPRINT))
    experiments: dict[str, tuple[int, int]] = field(default_factory=dict)
    threads: int = 0
    has_info: bool = False
    has_snapshot: bool = False
    has_arenas: bool = False
    lost: bool = False
    error: TraceError | None = None

    @property
    def alloc_events(self) -> int:
        """Number of alloc/free events."""
        return sum(self.events.get(name, 0) for name in _ALLOC_NAMES)

    @property
    def missing(self) -> list[str]:
        """What the trace lacks, each with its remedy or consequence."""
        missing = []
        if not self.alloc_events:
            missing.append(f"no alloc/free events: {HEAP_DATA_ADVICE}")
        else:
            if not self.has_info:
                missing.append(
                    "no alloc/free info batch: addresses are relative to the heap base "
                    "(the trace is of a flight recorder, or joined a running session)"
                )
            if not self.has_snapshot:
                missing.append("no heap snapshot: objects allocated before the trace are unknown")
            if not int(self.generations["types"].sum()):
                missing.append("no type table: all objects are untyped or unresolved")
            if self.has_arenas:
                missing.append(
                    "objects in user arenas, and chunks made or released while tracing: the runtime omits them"
                )
        if not int(self.generations["samples"].sum()):
            missing.append("no CPU samples: run a CPU profile (pprof.StartCPUProfile) while tracing to record them")
        if np.isnat(self.generations["wall"]).all():
            missing.append("no wall-clock times: Go 1.25 and later record them")
        return missing

    @property
    def whole(self) -> bool:
        """True if every generation is complete and nothing was lost."""
        return self.error is None and not self.lost and not self.generations["state"].any()

    @property
    def next(self) -> list[tuple[str, str]]:
        """The three commands that show most of this trace: arguments with ``FILE`` for its name, and what they show."""
        found: list[tuple[str, str]] = []
        if self.events:
            found = self._of_the_heap() if self.alloc_events else self._of_the_schedule()
        if self.error is not None:
            found.insert(0, ("info FILE", "what can be read after the damage"))
        if self.error is not None or self.lost:
            found = [(f"{arguments} --salvage", shows) for arguments, shows in found]
        return found[:3]

    def _of_the_heap(self) -> list[tuple[str, str]]:
        leaks = "--leaks " if self.events.get("GCBegin", 0) >= _LEAK_CYCLES else ""
        what = "objects that outlived two GC cycles" if leaks else "objects in use at the end"
        found = [(f"heap {leaks}FILE", f"{what}, by type")]
        if leaks and self.events.get("HeapObject", 0) > self.events.get("HeapObjectAlloc", 0):
            found = [("heap --from gc:1 FILE", "what grew since the first GC cycle; most objects existed at the start")]
        if int(self.generations["samples"].sum()):
            found.append((f"heap {leaks}--by site FILE", "the lines that allocated them, estimated from CPU samples"))
        elif "GoCreate" in self.events:
            found.append((f"heap {leaks}--by goroutine FILE", "the functions whose goroutines allocated them"))
        return [
            *found,
            ("report FILE -o heap.html", "the heap over time as a page"),
            ("stats FILE", "totals, rates and GC cycles"),
        ]

    def _of_the_schedule(self) -> list[tuple[str, str]]:
        found = []
        if "UserTaskBegin" in self.events:
            found.append(("tasks FILE", "how long tasks take, and which to look into"))
        elif "UserRegionBegin" in self.events:
            found.append(("regions FILE", "how long regions take, and which to look into"))
        return [
            *found,
            ("goroutines FILE", "how much of their time goroutines run, and what they wait for"),
            ("block FILE", "the functions in which goroutines wait"),
            ("report FILE -o report.html", "scheduling as a page"),
        ]

    def view(self) -> View:
        """Return the number of events by name, most first."""
        rows = sorted(self.events.items(), key=lambda event: -event[1])
        events, generations = sum(self.events.values()), len(self.generations)
        facts = f"{self.writers}: {human_count(events, 'event')} in {human_count(generations, 'generation')}"
        return View(facts, ("event", "number"), rows, len(rows), "; ".join(self.missing))


_LEAK_CYCLES = 2  # mark phases that an object must outlive to be a possible leak


_ALLOC_NAMES = (
    *("Span", "SpanAlloc", "SpanFree", "HeapObject", "HeapObjectAlloc", "HeapObjectFree"),
    *("GoroutineStack", "GoroutineStackAlloc", "GoroutineStackFree"),
)


@analysis
def info(trace: Trace, progress: Callable[[int], None] | None = None) -> Info:
    """Return the contents of a trace, read in one pass.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Info
        If the trace is damaged, the contents before the fault, which is in ``error``.
    """
    found = Info(trace.version, trace.writers)
    read_pass = trace.reader.new_pass()
    builder, footprint = _InfoBuilder(read_pass, found), FootprintBuilder(trace)
    rows: list[Rows] = []
    try:
        rows += (chunk for _, chunk in read_pass.read(builder, footprint, progress=progress))
    except TraceError as error:
        found.error = error
    found.lost = bool(trace.losses)
    found.threads = len(builder.threads - {-1})
    if rows:
        found.generations = np.concatenate(rows)
    names = trace.experiments.event_names
    found.events = {names[i]: int(n) for i, n in enumerate(builder.counts) if n}
    found.footprint = footprint.table()
    found.has_snapshot = any(name in found.events for name in ("Span", "HeapObject"))
    return found


class _InfoBuilder(GenerationBuilder):
    """Yields rows of GENERATION, and adds the other contents of each segment to an Info."""

    def __init__(self, read_pass: ReadPass, info: Info) -> None:
        super().__init__(read_pass, 1)
        self._info = info
        self.threads: set[int] = set()

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield the rows of a segment."""
        info = self._info
        for (_, number), data in experiment_data(segment, self.registry).items():
            name = self.registry[number].name
            batches, nbytes = info.experiments.get(name, (0, 0))
            size = sum(len(batch) for _, batch in data.batches)
            info.experiments[name] = (batches + len(data.batches), nbytes + size)
        for _, tables in alloc_free(segment, self.registry):
            info.has_info |= tables.info is not None
            info.has_arenas |= bool((tables.types["length"] == 0).any())
        self.threads.update(segment.by_thread().cursors["m"].tolist())
        yield from super().feed(segment)
        info.nbytes = segment.slab.end
