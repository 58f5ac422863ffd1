"""Allocation sites from CPU samples: samples and allocations come in, estimates by site go out.

A sample whose stack is in the allocator belongs to the object that its thread allocates next; the other objects are
distributed in proportion. Never here: output, or a guess that is not counted.
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
"""Maximum time in ns from a sample to its allocation."""

SIGNAL = 512
"""Minimum time in ns between two events of a thread that a sample's signal interrupted."""

NO_SAMPLE, BEFORE = "(no sample)", "(there at the start)"
"""Names of groups: the site is unknown for lack of samples; the object was allocated before the trace."""

_NEVER = np.iinfo(np.int64).min
_RUNTIME = ("runtime.", "internal/runtime/")
_ALLOCATOR = "runtime.mallocgc"  # a prefix: its variants too
_FRONT = ("runtime.newobject", "runtime.newarray", "runtime.makeslice", "runtime.growslice")
_EVENT = "runtime.traceLocker.HeapObjectAlloc"
_WRITERS = ("runtime.traceEventWriter.", "runtime.traceWriter.", "runtime.(*traceBuf)")
_NO_SAMPLE, _BEFORE = range(2)  # sites of objects without a sample
_TYPE, _SITE = 8, 40  # shifts of the type's row and of the site in a label; the low 8 bits are the size class
_CLASS = (1 << _SITE) - 1

Site = tuple[Frame, ...]
F8 = npt.NDArray[np.float64]


def site_name(site: Site) -> str:
    """Return a site's name, such as ``"main.load (load.go:12)"``."""
    if not site:
        return NO_SAMPLE
    return f"{site[0].function} ({site[0].file.rpartition('/')[2]}:{site[0].line})"


def caller(frames: list[Frame]) -> tuple[bool, bool, Site]:
    """Return whether a stack is in the allocator, whether it precedes the writing of the event, and the caller's site.

    The site starts at the first frame outside the runtime, as in Go's own heap profiles, or at the first frame above
    the allocator if there is no other. The event's timestamp is taken while the event is written, so a sample from
    there may be before or after it.
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
    """Sites of stacks of samples, cached; stacks with the same frames from the site on share a row."""

    def __init__(self) -> None:
        self.stacks: dict[int, Site] = {0: ()}
        self._rows: dict[tuple[tuple[str, str, int], ...], int] = {}
        self._first = 1  # row of the segment's first stack

    def in_allocator(self, rows: Rows, segment: Segment, counts: SampleCounts) -> Rows:
        """Return the samples to match with an allocation, their stacks replaced by rows of ``stacks``."""
        stacks, of = np.unique(rows["stack"], return_inverse=True)
        found = [self._classify(int(stack), segment) for stack in stacks]
        inside = np.array([inside for inside, _ in found], bool)[of]
        row = np.array([row for _, row in found], np.int32)[of]
        counts.allocating += int(inside.sum())
        counts.unclear += int((inside & (row == 0)).sum())
        chosen = rows[row > 0]
        chosen["stack"] = row[row > 0]
        self._first += len(segment.tables.stacks)
        return chosen

    def _classify(self, stack: int, segment: Segment) -> tuple[bool, int]:
        """Return whether a stack is in the allocator, and the row of its site; 0 if it is ambiguous."""
        inside, before, site = caller(segment.tables.stack(stack - self._first) if stack else [])
        if not (before and site):
            return inside, 0
        key = tuple((frame.function, frame.file, frame.line) for frame in site)
        row = self._rows.setdefault(key, stack)
        self.stacks.setdefault(row, site)
        return True, row


class _PendingSamples:
    """Samples to match with the next allocation on their thread, kept for two segments at most."""

    def __init__(self) -> None:
        self._reset(np.empty(0, SAMPLE), 0)

    def _reset(self, rows: Rows, n_new: int) -> None:
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
        """Add the samples of a segment; keep only unmatched ones of the segment before."""
        unmatched = np.zeros(len(self._rows), bool)
        for done, _, end, _ in self._threads.tolist():
            unmatched[done:end] = True
        self._reset(np.concatenate((self._rows[unmatched & self._new], rows)), len(rows))

    def match(self, rows: Rows) -> tuple[I8, I8]:
        """Match the next events of objects; return the indices of the sampled allocations and their rows of stacks.

        A thread that writes events faster than the clock ticks runs ahead of it, so that a sample may fall between
        events that happened long before. Their distance is then too small: a signal takes at least ``SIGNAL``.
        """
        n = _sites.match(rows, *self._index, MULTIPLIER, self._threads, self._samples, self._pairs)
        at, places = self._pairs[:n, 0], self._pairs[:n, 1]
        samples, found = self._rows[at], rows[places]
        gap = self._samples[at, 2].view(np.uint64) - self._samples[at, 1].view(np.uint64)
        good = (samples["g"] == found["g"]) & (gap > SIGNAL) & (found["time"] - samples["time"] <= WITHIN)
        return places[good], samples["stack"][good].astype(np.int64)


class SiteLabels:
    """Labels of allocations by site, type and size class, segment by segment.

    Attributes
    ----------
    counts : SampleCounts
    stacks : dict of int to tuple of Frame
        Frames of sites by row, leaf first; row 0 has none.
    """

    def __init__(self, read_pass: ReadPass) -> None:
        self.counts = SampleCounts()
        self._builder = SampleBuilder(read_pass, 1)
        self._callers, self._pending = _Callers(), _PendingSamples()
        self._labels: dict[str | int, int] = {NO_SAMPLE: _NO_SAMPLE, BEFORE: _BEFORE}
        self._by_stack: dict[int, int] = {}
        self.stacks = self._callers.stacks

    def learn(self, segment: Segment) -> None:
        """Add the samples of a segment, before its allocations."""
        for rows in self._builder.feed(segment):
            self.counts.count(rows)
            self._pending.enter(self._callers.in_allocator(rows, segment, self.counts))

    def match(self, rows: Rows) -> tuple[I8, I8]:
        """Return the indices of sampled objects in the next rows of ALLOC, and their rows of :attr:`stacks`."""
        objects = np.flatnonzero(rows["what"] == What.OBJECT)
        places, stacks = self._pending.match(rows[objects])
        self.counts.matched += len(places)
        return objects[places], stacks

    def labels(self, rows: Rows) -> I8:
        """Return the labels of the next rows of ALLOC: site, type and size class."""
        labels = np.where(rows["op"] == Op.EXISTS, _BEFORE, _NO_SAMPLE)
        places, stacks = self.match(rows)
        labels[places] = [self._site(stack) for stack in stacks.tolist()]
        kinds: I8 = rows["type"].astype(np.int64) << _TYPE | rows["spanclass"]
        return kinds | labels << _SITE

    def _site(self, stack: int) -> int:
        if stack not in self._by_stack:
            self._by_stack[stack] = self._labels.setdefault(self._place(stack), len(self._labels))
        return self._by_stack[stack]

    def _place(self, stack: int) -> str | int:
        """Return what stacks of one label share: the name of their site."""
        return site_name(self.stacks[stack])

    def places(self, labels: I8) -> list[str | int]:
        """Return what each label stands for: NO_SAMPLE, BEFORE or a site's name."""
        known = list(self._labels)
        return [known[label] for label in (labels >> _SITE).tolist()]

    def estimate(self, parts: Rows, whole: Rows, labels: I8) -> tuple[Rows, Rows]:
        """Distribute counts over the sites, and sum them up by site.

        Parameters
        ----------
        parts, whole, labels
            As for :meth:`distribute`.

        Returns
        -------
        table : ndarray of HEAP
            A row for each site.
        errors : ndarray of ESTIMATE
            Errors of the rows of ``table``.
        """
        parts, errors, labels = self.distribute(parts, whole, labels)
        places = self.places(labels)
        names = list(dict.fromkeys(map(str, places)))
        row = {name: i for i, name in enumerate(names)}
        group = np.array([row[str(place)] for place in places], np.int64)
        table = add_up(parts, names, group)
        summed = np.zeros(len(names), ESTIMATE)
        for column in ESTIMATE.names or ():
            np.add.at(summed[column], group, errors[column])
            if column.endswith("_error"):
                summed[column] = np.sqrt(summed[column])
        return table, summed[[row[name] for name in table["name"]]]

    def distribute(self, parts: Rows, whole: Rows, labels: I8) -> tuple[Rows, Rows, I8]:
        """Distribute counts over the sites, each type and size class by its own samples.

        Live and freed objects are distributed separately, by the samples of live and of freed objects: this separates
        sites whose objects stay from those whose objects are soon freed.

        Parameters
        ----------
        parts : ndarray of HEAP
            Counts by label, of the query's ages.
        whole : ndarray of HEAP
            Counts by label, of all ages.
        labels : ndarray of int64

        Returns
        -------
        parts : ndarray of HEAP
            Estimates in place of counts, a row for each label.
        errors : ndarray of ESTIMATE
            Samples, and variances in place of errors.
        labels : ndarray of int64
            Of these rows.
        """
        order = np.argsort(labels & _CLASS, kind="stable")
        parts, whole, labels = parts[order], whole[order], labels[order]
        sites, of = labels >> _SITE, np.unique(labels & _CLASS, return_inverse=True)[1]
        new = sites != _BEFORE
        errors = np.zeros(len(parts), ESTIMATE)
        allocated = np.zeros((len(parts), 2), np.int64)
        for name in ("inuse", "free"):
            columns = [f"{name}_objects", f"{name}_bytes"]
            selected, total = (np.stack([rows[column] for column in columns], axis=1) for rows in (parts, whole))
            for values, counts in ((selected, (name, "alloc")), (total - selected, ("alloc",))):
                shares, samples, variances = _distribute(values, of, sites)
                allocated[new] += shares[new]
                for to in counts:
                    errors[f"{to}_samples"] += samples
                    errors[f"{to}_objects_error"] += variances[:, 0]
                    errors[f"{to}_bytes_error"] += variances[:, 1]
                if name in counts:
                    parts[columns[0]], parts[columns[1]] = shares[:, 0], shares[:, 1]
        parts["alloc_objects"], parts["alloc_bytes"] = allocated[:, 0], allocated[:, 1]
        return parts, errors, labels


class StackLabels(SiteLabels):
    """Labels by whole call stack: places are rows of :attr:`stacks`."""

    def _place(self, stack: int) -> str | int:
        return stack


def _distribute(values: I8, of: I8, sites: I8) -> tuple[I8, I8, F8]:
    """Return objects and bytes of each cell, estimated where its class has samples; samples; variances."""
    has_site, new = sites > _BEFORE, sites != _BEFORE
    k = np.where(has_site, values[:, 0], 0)
    totals = np.zeros((int(of.max(initial=-1)) + 1, 2))
    np.add.at(totals, of[new], values[new])
    sampled = np.bincount(of, k, len(totals)) > 0
    estimated = has_site & sampled[of]
    shares = np.where((new & sampled[of])[:, None], 0, values)
    variances = np.zeros(values.shape)
    classes, class_of = np.unique(of[estimated], return_inverse=True)
    shares[estimated], variances[estimated] = spread(k[estimated].astype(np.float64), class_of, totals[classes])
    return shares, k, variances


def spread(k: F8, of: I8, totals: F8) -> tuple[I8, F8]:
    """Distribute objects and bytes of each class over its cells, in proportion to their samples.

    A cell with k of n samples is like k successes in n trials: the error of its share is the standard deviation of the
    beta distribution with parameters k + 1 and n - k + 1.

    Parameters
    ----------
    k : ndarray of float64, (cells,)
        Samples of each cell; the cells of a class are contiguous.
    of : ndarray of int64, (cells,)
        Row of each cell's class, nondecreasing.
    totals : ndarray of float64, (classes, 2)
        Objects and bytes; each class has at least one sample.

    Returns
    -------
    parts : ndarray of int64, (cells, 2)
        Objects and bytes; the sums by class are the totals.
    variances : ndarray of float64, (cells, 2)
    """
    n = np.bincount(of, k, len(totals))[of]
    upto = np.cumsum(k)
    before = (upto - k)[np.searchsorted(of, of)]
    total = totals[of]
    ends = np.rint(total * ((upto - before) / n)[:, None])
    begins = np.rint(total * ((upto - k - before) / n)[:, None])
    return (ends - begins).astype(np.int64), total**2 * ((k + 1) * (n - k + 1) / ((n + 2) ** 2 * (n + 3)))[:, None]
