"""Who allocated: alloc/free events carry no stack, CPU samples do. Never here: output, or a guess that is not counted.

A CPU sample whose stack stands in the allocator belongs to the object that its thread allocates next. So the samples of
a type say at which sites it is allocated, and in what proportion; how many objects there are is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from gotrace import _sites
from gotrace.dtypes import COUNTS, SAMPLE, SITE, What
from gotrace.errors import TraceError
from gotrace.reader import AllocBuilder, Part, SampleBuilder
from gotrace.slabs import Rows
from gotrace.tables import MULTIPLIER, Frame, make_index
from gotrace.trace import Trace

WITHIN = 1_000_000
"""ns from a sample to the allocation that it stands in, at most."""

SIGNAL = 512
"""ns that an interrupted thread needs at least from one event to the next."""

_NEVER = np.iinfo(np.int64).min
_LENGTH = 1 << 14  # rows at a time: they stay in the cache
_RUNTIME = ("runtime.", "internal/runtime/")
_ALLOCATOR = "runtime.mallocgc"  # the names of the whole family begin with it
_FRONT = ("runtime.newobject", "runtime.newarray", "runtime.makeslice", "runtime.growslice")
_EVENT = "runtime.traceLocker.HeapObjectAlloc"
_WRITERS = ("runtime.traceEventWriter.", "runtime.traceWriter.", "runtime.(*traceBuf)")
_MATCH = np.dtype([("type", "i4"), ("spanclass", "u1"), ("stack", "i4")])

Site = tuple[Frame, ...]


@dataclass
class Sites:
    """Where objects were allocated, as far as CPU samples tell.

    Attributes
    ----------
    table : ndarray of SITE
        A row for each type and stack, most bytes first. Objects and bytes of a type add up to what was allocated of it.
    stacks : dict of int to tuple of Frame
        Frames of each ``stack`` of the table from the site on, leaf first; those of 0 are none.
    names : list of str
        Names of the types by row, as reports print them.
    counts : ndarray of COUNTS
        What was allocated, freed and there before, by type and size class; exact.
    samples : int
        CPU samples in the trace.
    allocating : int
        Of these, samples whose stack stands in the allocator.
    unclear : int
        Of these, samples from where the event may have been written already, or without a caller of the allocator.
    matched : int
        Of the rest, samples whose thread and goroutine allocate next not later than :data:`WITHIN`, and whose thread's
        clock did not run ahead.
    start, end : int
        ns, times of the first and the last sample; -1 when there is none.
    """

    table: Rows
    stacks: dict[int, Site]
    names: list[str]
    counts: Rows
    samples: int = 0
    allocating: int = 0
    unclear: int = 0
    matched: int = 0
    start: int = -1
    end: int = -1

    @property
    def unmatched(self) -> int:
        """Samples in the allocator whose allocation was not found."""
        return self.allocating - self.unclear - self.matched

    def by_site(self) -> Rows:
        """Rows of SITE added up over all types, whose row is -1 here; most bytes first."""
        parts = self.table.copy()
        parts["type"] = -1
        for name in ("objects_error", "bytes_error"):
            parts[name] **= 2
        return _merged(parts)

    def label(self, stack: int) -> str:
        """Name the site of a stack of the table: ``"main.load (load.go:12)"``."""
        if not self.stacks[stack]:
            return "(no sample)"
        leaf = self.stacks[stack][0]
        return f"{leaf.function} ({leaf.file.rpartition('/')[2]}:{leaf.line})"

    def __str__(self) -> str:
        head = f"{'samples':>7} {'objects':>12} {'error':>10} {'bytes':>14}  type, site"
        lines = [
            f"{row['samples']:>7} {row['objects']:>12} {row['objects_error']:>10.0f} {row['bytes']:>14}"
            f"  {self.names[row['type']]}, {self.label(int(row['stack']))}"
            for row in self.table
        ]
        return "\n".join([head, *lines])


def sites(trace: Trace, progress: Callable[[int], None] | None = None) -> Sites:
    """Infer from CPU samples where the objects of a trace were allocated.

    One pass, in memory for the samples and one generation.

    Parameters
    ----------
    trace : Trace
        Of a program that ran with ``GODEBUG=traceallocfree=1`` and a CPU profile. Without samples, every row has
        stack 0.

    Returns
    -------
    Sites

    Raises
    ------
    TraceError
        The trace is damaged; ``partial`` of the error holds the sites up to the fault.
    """
    shared = trace._new_pass()
    allocs = AllocBuilder(shared, _LENGTH, whats=(What.OBJECT,), replay=True)
    samples = SampleBuilder(shared, 1)
    callers, waiting = _Callers(), _Waiting()
    found = Sites(np.empty(0, SITE), callers.stacks, [], np.empty(0, COUNTS))
    fault: TraceError | None = None
    try:
        for part in trace._parts(progress):
            for rows in trace._fed(samples, part):
                _count(found, rows)
                waiting.enter(callers.standing(rows, part, found))
            waiting.match(trace._fed(allocs, part))
            waiting.match(allocs.flush())
            part.drop()
    except TraceError as error:
        trace._fail(error)
        waiting.match(allocs.flush())
        fault = error
    trace._note([allocs], shared)
    matches = waiting.matches()
    found.matched = len(matches)
    found.counts = allocs.heap.used_counts()
    found.names = [shared.types.label(row) for row in range(len(shared.types))]
    found.table = _spread(matches, found.counts)
    used = {0, *found.table["stack"].tolist()}
    found.stacks = {row: frames for row, frames in callers.stacks.items() if row in used}
    if fault is not None:
        fault.partial = found
        raise fault
    return found


def caller(frames: list[Frame]) -> tuple[bool, bool, Site]:
    """Say whether a stack stands in the allocator, whether before the event is written, and who called.

    The site is the first frame outside the runtime, as in Go's own heap profiles; of a stack that is all runtime, the
    first one above the allocator. The event's time is taken while it is written, so a sample from there may stand
    before or behind it.
    """
    inside = [i for i, frame in enumerate(frames) if frame.function.startswith(_ALLOCATOR)]
    if not inside:
        return False, False, ()
    names = [frame.function for frame in frames[: inside[-1]]]
    writes = _EVENT in names and any(name.startswith(_WRITERS) for name in names)
    leaf = next(i for i, frame in enumerate(frames) if frame.function.startswith((_ALLOCATOR, "runtime.postMallocgc")))
    written = leaf > 0 and frames[leaf - 1].function == "runtime.traceRelease"
    above = [frame for frame in frames[inside[-1] + 1 :] if not frame.function.startswith(_FRONT)]
    first = next((i for i, frame in enumerate(above) if not frame.function.startswith(_RUNTIME)), 0)
    return True, not (writes or written), tuple(above[first:])


class _Callers:
    """Stacks of samples, each looked at once; those with the same frames from the site on are one."""

    def __init__(self) -> None:
        self.stacks: dict[int, Site] = {0: ()}
        self._rows: dict[tuple[tuple[str, str, int], ...], int] = {}
        self._first = 1  # row of stacks with which the part begins

    def standing(self, rows: Rows, part: Part, found: Sites) -> Rows:
        """Return the samples that wait for an allocation; their stacks become rows of the table."""
        stacks, of = np.unique(rows["stack"], return_inverse=True)
        looked = [self._look(int(stack), part) for stack in stacks]
        inside = np.array([inside for inside, _ in looked], bool)[of]
        row = np.array([row for _, row in looked], np.int32)[of]
        found.allocating += int(inside.sum())
        found.unclear += int((inside & (row == 0)).sum())
        chosen = rows[row > 0]
        chosen["stack"] = row[row > 0]
        self._first += len(part.tables.stacks)
        return chosen

    def _look(self, stack: int, part: Part) -> tuple[bool, int]:
        inside, before, site = caller(part.tables.stack(stack - self._first) if stack else [])
        if not (before and site):
            return inside, 0
        key = tuple((frame.function, frame.file, frame.line) for frame in site)
        row = self._rows.setdefault(key, stack)
        self.stacks.setdefault(row, site)
        return True, row


class _Waiting:
    """Samples that wait for the next allocation on their thread, for two parts at most."""

    def __init__(self) -> None:
        self._matches = [np.empty(0, _MATCH)]
        self._renew(np.empty(0, SAMPLE), 0)

    def _renew(self, rows: Rows, n_new: int) -> None:
        new = np.arange(len(rows)) >= len(rows) - n_new
        order = np.lexsort((rows["time"], rows["m"]))
        self._rows, self._new = rows[order], new[order]
        ms, heads = np.unique(self._rows["m"], return_index=True)
        index = make_index(ms.astype(np.uint64), np.zeros(len(ms), np.int32), 1)
        self._index = (index.keys, index.vals, int(index.bits[0]))
        self._threads = np.empty((len(ms), 4), np.int64)  # columns as in the kernel
        self._threads[:, 0] = self._threads[:, 1] = heads
        self._threads[:, 2] = np.append(heads, len(rows))[1:]
        self._threads[:, 3] = _NEVER
        self._samples = np.zeros((len(rows), 3), np.int64)
        self._samples[:, 0] = self._rows["time"]
        self._pairs = np.empty((len(rows), 2), np.int64)

    def enter(self, rows: Rows) -> None:
        """Let the samples of a part wait; those of the part before that still do may go on."""
        waits = np.zeros(len(self._rows), bool)
        for done, _, end, _ in self._threads.tolist():
            waits[done:end] = True
        self._renew(np.concatenate((self._rows[waits & self._new], rows)), len(rows))

    def match(self, chunks: Iterable[Rows]) -> None:
        """Take the next rows of ALLOC, and keep the pairs that can be meant.

        A thread that writes faster than the clock ticks runs ahead of it, and a sample then falls between events that
        were over long before. Its neighbours are too near: between true ones the thread was interrupted.
        """
        for rows in chunks:
            n = _sites.match(rows, *self._index, MULTIPLIER, self._threads, self._samples, self._pairs)
            if n == 0:
                continue
            at = self._pairs[:n, 0]
            samples, found = self._rows[at], rows[self._pairs[:n, 1]]
            gap = self._samples[at, 2].view(np.uint64) - self._samples[at, 1].view(np.uint64)
            good = (samples["g"] == found["g"]) & (gap > SIGNAL) & (found["time"] - samples["time"] <= WITHIN)
            matches = np.empty(int(good.sum()), _MATCH)
            matches["type"], matches["spanclass"] = found["type"][good], found["spanclass"][good]
            matches["stack"] = samples["stack"][good]
            self._matches.append(matches)

    def matches(self) -> Rows:
        """Type, size class and stack of each sample that found its allocation."""
        return np.concatenate(self._matches)


def _count(found: Sites, rows: Rows) -> None:
    found.samples += len(rows)
    if len(rows):
        first, last = int(rows["time"].min()), int(rows["time"].max())
        found.start = first if found.start < 0 else min(found.start, first)
        found.end = max(found.end, last)


def _spread(matches: Rows, counts: Rows) -> Rows:
    """Share out what was allocated of each type and size class over its stacks, in proportion to their samples.

    k of n samples say of a stack's share what k successes in n trials say of a probability: the error is the standard
    deviation of the beta distribution for k + 1 and n - k + 1.
    """
    cells, of = np.unique(matches, return_inverse=True)
    k = np.bincount(of, minlength=len(cells)).astype(np.float64)
    classes, of_class = np.unique(cells[["type", "spanclass"]], return_inverse=True)
    n = np.bincount(of_class, k, len(classes))[of_class]
    known = {(int(row["type"]), int(row["spanclass"])): i for i, row in enumerate(counts)}
    at = np.array([known.pop((int(kind), int(spc)), -1) for kind, spc in classes], np.int64)
    ends = np.cumsum(k)
    starts = np.searchsorted(of_class, np.arange(len(classes)))
    before = (ends - k)[starts][of_class] if len(cells) else ends
    parts = np.zeros(len(cells) + len(known), SITE)
    share = (k + 1) * (n - k + 1) / ((n + 2) ** 2 * (n + 3))
    for unit in ("objects", "bytes"):
        total = np.append(counts[f"alloc_{unit}"], 0)[at][of_class].astype(np.float64)
        upto, since = np.rint(total * (ends - before) / n), np.rint(total * (ends - k - before) / n)
        parts[unit][: len(cells)] = upto - since
        parts[f"{unit}_error"][: len(cells)] = total**2 * share  # variances, until they are added up
        parts[unit][len(cells) :] = counts[f"alloc_{unit}"][list(known.values())]
    parts["samples"][: len(cells)] = k
    for name in ("type", "stack"):
        parts[name][: len(cells)] = cells[name]
    parts["type"][len(cells) :] = counts["type"][list(known.values())]
    return _merged(parts[(parts["samples"] > 0) | (parts["objects"] > 0)])


def _merged(parts: Rows) -> Rows:
    """Add up rows of equal type and stack; their errors are variances before."""
    keys, of = np.unique(parts[["type", "stack"]], return_inverse=True)
    table = np.zeros(len(keys), SITE)
    for name in ("type", "stack"):
        table[name] = keys[name]
    for name in ("samples", "objects", "bytes", "objects_error", "bytes_error"):
        np.add.at(table[name], of, parts[name])
    for name in ("objects_error", "bytes_error"):
        table[name] = np.sqrt(table[name])
    return table[np.lexsort((table["stack"], table["type"], -table["samples"], -table["bytes"]))]
