"""CPU samples in the allocator: which allocation each one stands in, and the shares that follow for the others.

A sample whose stack stands in the allocator belongs to the object that its thread allocates next. Never here: output,
or a guess that is not counted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import ESTIMATE, I8, SAMPLE, Op, Rows, What
from gotrace.hashing import MULTIPLIER, make_index
from gotrace.heap.table import SampleCounts, add_up
from gotrace.tables import _sites
from gotrace.tables.lookup import SampleBuilder
from gotrace.tables.passes import ReadPass
from gotrace.wire.segments import Segment
from gotrace.wire.structure import Frame

WITHIN = 1_000_000
"""ns from a sample to the allocation that it stands in, at most."""

SIGNAL = 512
"""ns that an interrupted thread needs at least from one event to the next."""

NO_SAMPLE, BEFORE = "(no sample)", "(there at the start)"
"""Names of groups: no sample tells the site; the object was allocated before the trace."""

_NEVER = np.iinfo(np.int64).min
_RUNTIME = ("runtime.", "internal/runtime/")
_ALLOCATOR = "runtime.mallocgc"  # the names of the whole family begin with it
_FRONT = ("runtime.newobject", "runtime.newarray", "runtime.makeslice", "runtime.growslice")
_EVENT = "runtime.traceLocker.HeapObjectAlloc"
_WRITERS = ("runtime.traceEventWriter.", "runtime.traceWriter.", "runtime.(*traceBuf)")
_NO_SAMPLE, _BEFORE = range(2)  # what stands for a site
_TYPE, _SITE = 8, 40  # bits of a label below the type's row and the site's; size class first
_CLASS = (1 << _SITE) - 1

Site = tuple[Frame, ...]
F8 = npt.NDArray[np.float64]


def site_name(site: Site) -> str:
    """Name a site: ``"main.load (load.go:12)"``."""
    if not site:
        return NO_SAMPLE
    return f"{site[0].function} ({site[0].file.rpartition('/')[2]}:{site[0].line})"


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
        self._first = 1  # row of stacks with which the segment begins

    def in_allocator(self, rows: Rows, segment: Segment, counts: SampleCounts) -> Rows:
        """Return the samples that wait for an allocation; their stacks become rows of the table."""
        stacks, of = np.unique(rows["stack"], return_inverse=True)
        looked = [self._look(int(stack), segment) for stack in stacks]
        inside = np.array([inside for inside, _ in looked], bool)[of]
        row = np.array([row for _, row in looked], np.int32)[of]
        counts.allocating += int(inside.sum())
        counts.unclear += int((inside & (row == 0)).sum())
        chosen = rows[row > 0]
        chosen["stack"] = row[row > 0]
        self._first += len(segment.tables.stacks)
        return chosen

    def _look(self, stack: int, segment: Segment) -> tuple[bool, int]:
        inside, before, site = caller(segment.tables.stack(stack - self._first) if stack else [])
        if not (before and site):
            return inside, 0
        key = tuple((frame.function, frame.file, frame.line) for frame in site)
        row = self._rows.setdefault(key, stack)
        self.stacks.setdefault(row, site)
        return True, row


class _PendingSamples:
    """Samples that wait for the next allocation on their thread, for two segments at most."""

    def __init__(self) -> None:
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
        """Let the samples of a segment wait; those of the segment before that still do may go on."""
        waits = np.zeros(len(self._rows), bool)
        for done, _, end, _ in self._threads.tolist():
            waits[done:end] = True
        self._renew(np.concatenate((self._rows[waits & self._new], rows)), len(rows))

    def match(self, rows: Rows) -> tuple[I8, I8]:
        """Take the next events of objects, and say which allocations can be meant: their places, rows of the stacks.

        A thread that writes faster than the clock ticks runs ahead of it, and a sample then falls between events that
        were over long before. Its neighbours are too near: between true ones the thread was interrupted.
        """
        n = _sites.match(rows, *self._index, MULTIPLIER, self._threads, self._samples, self._pairs)
        at, places = self._pairs[:n, 0], self._pairs[:n, 1]
        samples, found = self._rows[at], rows[places]
        gap = self._samples[at, 2].view(np.uint64) - self._samples[at, 1].view(np.uint64)
        good = (samples["g"] == found["g"]) & (gap > SIGNAL) & (found["time"] - samples["time"] <= WITHIN)
        return places[good], samples["stack"][good].astype(np.int64)


class SiteLabels:
    """The sites of sampled objects, segment by segment.

    Attributes
    ----------
    counts : SampleCounts
    stacks : dict of int to tuple of Frame
        Frames of sites by row, leaf first; those of 0 are none.
    """

    def __init__(self, read_pass: ReadPass) -> None:
        self.counts = SampleCounts()
        self._builder = SampleBuilder(read_pass, 1)
        self._callers, self._waiting = _Callers(), _PendingSamples()
        self._labels = {NO_SAMPLE: _NO_SAMPLE, BEFORE: _BEFORE}
        self._by_stack: dict[int, int] = {}
        self.stacks = self._callers.stacks

    def learn(self, segment: Segment) -> None:
        """Let the samples of a segment wait for its allocations."""
        for rows in self._builder.feed(segment):
            self.counts.count(rows)
            self._waiting.enter(self._callers.in_allocator(rows, segment, self.counts))

    def match(self, rows: Rows) -> tuple[I8, I8]:
        """Say which of the next rows of ALLOC are sampled objects: their places, and rows of :attr:`stacks`."""
        objects = np.flatnonzero(rows["what"] == What.OBJECT)
        places, stacks = self._waiting.match(rows[objects])
        self.counts.matched += len(places)
        return objects[places], stacks

    def labels(self, rows: Rows) -> I8:
        """Labels of the next rows of ALLOC: site, or what stands for it, with type and size class."""
        labels = np.where(rows["op"] == Op.EXISTS, _BEFORE, _NO_SAMPLE)
        places, stacks = self.match(rows)
        labels[places] = [self._site(stack) for stack in stacks.tolist()]
        kinds: I8 = rows["type"].astype(np.int64) << _TYPE | rows["spanclass"]
        return kinds | labels << _SITE

    def _site(self, stack: int) -> int:
        if stack not in self._by_stack:
            name = site_name(self.stacks[stack])
            self._by_stack[stack] = self._labels.setdefault(name, len(self._labels))
        return self._by_stack[stack]

    def estimate(self, parts: Rows, whole: Rows, labels: I8) -> tuple[Rows, Rows]:
        """Share out over the sites what was counted, each type and size class by its own samples.

        What lives and what died is shared out separately, by the samples that live and those that died: so sites whose
        objects stay are told from those whose objects die at once.

        Parameters
        ----------
        parts : ndarray of HEAP
            Counts by label, of the ages asked for.
        whole : ndarray of HEAP
            Counts by label, of any age.
        labels : ndarray of int64

        Returns
        -------
        table : ndarray of HEAP
            A row for each site.
        errors : ndarray of ESTIMATE
            Of the same rows.
        """
        order = np.argsort(labels & _CLASS, kind="stable")
        parts, whole, labels = parts[order], whole[order], labels[order]
        sites, of = labels >> _SITE, np.unique(labels & _CLASS, return_inverse=True)[1]
        new = sites != _BEFORE
        errors = np.zeros(len(parts), ESTIMATE)
        allocated = np.zeros((len(parts), 2), np.int64)
        for name in ("inuse", "free"):
            columns = [f"{name}_objects", f"{name}_bytes"]
            asked, every = (np.stack([rows[column] for column in columns], axis=1) for rows in (parts, whole))
            for values, counts in ((asked, (name, "alloc")), (every - asked, ("alloc",))):
                shares, samples, variances = _shared_out(values, of, sites)
                allocated[new] += shares[new]
                for to in counts:
                    errors[f"{to}_samples"] += samples
                    errors[f"{to}_objects_error"] += variances[:, 0]
                    errors[f"{to}_bytes_error"] += variances[:, 1]
                if name in counts:
                    parts[columns[0]], parts[columns[1]] = shares[:, 0], shares[:, 1]
        parts["alloc_objects"], parts["alloc_bytes"] = allocated[:, 0], allocated[:, 1]
        labelled = list(self._labels)
        rows, group = np.unique(sites, return_inverse=True)
        names = [labelled[row] for row in rows.tolist()]
        table = add_up(parts, names, group)
        summed = np.zeros(len(names), ESTIMATE)
        for column in ESTIMATE.names or ():
            np.add.at(summed[column], group, errors[column])
            if column.endswith("_error"):
                summed[column] = np.sqrt(summed[column])
        place = {name: i for i, name in enumerate(names)}
        return table, summed[[place[name] for name in table["name"]]]


def _shared_out(values: I8, of: I8, sites: I8) -> tuple[I8, I8, F8]:
    """Objects and bytes of each cell, estimated where its class has a sample; samples; variances."""
    told, new = sites > _BEFORE, sites != _BEFORE
    k = np.where(told, values[:, 0], 0)
    totals = np.zeros((int(of.max(initial=-1)) + 1, 2))
    np.add.at(totals, of[new], values[new])
    known = np.bincount(of, k, len(totals)) > 0
    mine = told & known[of]
    shares = np.where((new & known[of])[:, None], 0, values)
    variances = np.zeros(values.shape)
    classes, of_mine = np.unique(of[mine], return_inverse=True)
    shares[mine], variances[mine] = spread(k[mine].astype(np.float64), of_mine, totals[classes])
    return shares, k, variances


def spread(k: F8, of: I8, totals: F8) -> tuple[I8, F8]:
    """Share out objects and bytes of each class over its cells, in proportion to their samples.

    k of n samples say of a cell's share what k successes in n trials say of a probability: the error is the standard
    deviation of the beta distribution for k + 1 and n - k + 1.

    Parameters
    ----------
    k : ndarray of float64, (cells,)
        Samples of each cell; those of a class follow each other.
    of : ndarray of int64, (cells,)
        Row of each cell's class, rising.
    totals : ndarray of float64, (classes, 2)
        Objects and bytes; each class has a sample.

    Returns
    -------
    parts : ndarray of int64, (cells, 2)
        They add up to the totals.
    variances : ndarray of float64, (cells, 2)
    """
    n = np.bincount(of, k, len(totals))[of]
    upto = np.cumsum(k)
    before = (upto - k)[np.searchsorted(of, of)]
    total = totals[of]
    ends = np.rint(total * ((upto - before) / n)[:, None])
    begins = np.rint(total * ((upto - k - before) / n)[:, None])
    return (ends - begins).astype(np.int64), total**2 * ((k + 1) * (n - k + 1) / ((n + 2) ** 2 * (n + 3)))[:, None]
