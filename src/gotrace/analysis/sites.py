"""Allocation sites, estimated from CPU samples, since alloc/free events have no stacks.

A CPU sample whose stack is in the allocator belongs to the object that its thread allocates next. The samples of a type
therefore estimate the shares of its sites; the number of objects is known exactly. Never here: output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gotrace.analysis.traces import analysis
from gotrace.dtypes import SITE, Rows, What
from gotrace.heap.table import SampleCounts
from gotrace.tables.allocs import AllocBuilder
from gotrace.tables.passes import ReadPass
from gotrace.tables.sites import Site, SiteLabels, site_name, spread
from gotrace.trace import Trace
from gotrace.units import printable
from gotrace.views import View, Viewed, cells
from gotrace.wire.segments import Segment

_LENGTH = 1 << 14  # rows at a time, few enough to stay in the cache
_MATCH = np.dtype([("type", "i4"), ("spanclass", "u1"), ("stack", "i4")])


@dataclass(kw_only=True, repr=False)
class Sites(Viewed, SampleCounts):
    """Allocation sites of objects, with the counts of the CPU samples they are estimated from.

    Attributes
    ----------
    table : ndarray of SITE
        A row for each type and stack, most bytes first. Objects and bytes of a type sum up to its exact totals.
    stacks : dict of int to tuple of Frame
        Frames of each ``stack`` of the table, starting at the site, leaf first; 0 has none.
    names : list of str
        Names of the types by row of table ``types``, as reports print them.
    counts : ndarray of COUNTS
        Exact counts of objects allocated, freed and existing at the start, by type and size class.
    """

    table: Rows
    stacks: dict[int, Site]
    names: list[str]
    counts: Rows

    @property
    def covered(self) -> float:
        """Share of the allocated bytes whose type and size class has samples."""
        allocated = self.table["bytes"]
        return float(allocated[self.table["samples"] > 0].sum() / max(int(allocated.sum()), 1))

    def by_site(self) -> Rows:
        """Return rows of SITE summed over all types, with ``type`` -1, most bytes first."""
        rows = self.table.copy()
        rows["type"] = -1
        for name in ("objects_error", "bytes_error"):
            rows[name] **= 2
        return _merged(rows)

    def label(self, stack: int) -> str:
        """Return the label of a stack of the table: ``"main.load (load.go:12)"``."""
        return site_name(self.stacks[stack])

    def view(self) -> View:
        """Return the counts of samples, and the largest sites by type."""
        columns = ("type", "site", "samples", "objects", "objects_error", "bytes", "bytes_error")
        rows = (
            (self.names[kind], self.label(stack), *numbers)
            for kind, stack, *numbers in cells(self.table, ("type", "stack", *columns[2:]))
        )
        facts = f"{self.matched:,} of {self.samples:,} CPU samples matched an allocation"
        return View(facts, columns, rows, len(self.table))

    def __str__(self) -> str:
        head = f"{'samples':>7} {'objects':>12} {'error':>10} {'bytes':>14}  type, site"
        lines = [
            f"{row['samples']:>7} {row['objects']:>12} {row['objects_error']:>10.0f} {row['bytes']:>14}"
            f"  {printable(self.names[row['type']])}, {printable(self.label(int(row['stack'])))}"
            for row in self.table
        ]
        return "\n".join([head, *lines])


@analysis
def sites(trace: Trace, progress: Callable[[int], None] | None = None) -> Sites:
    """Estimate from CPU samples where the objects of a trace were allocated.

    One pass. Memory is bounded by the samples and the largest generation.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
        Of a program that ran with ``GODEBUG=traceallocfree=1`` and a CPU profile. Without samples, every row has
        stack 0.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Sites

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    read_pass = trace.reader.new_pass()
    allocs = _SiteBuilder(read_pass)
    sampled = allocs.sampled
    fault = read_pass.run(allocs, progress=progress)
    counts = allocs.heap.used_counts()
    table = _spread(np.concatenate(allocs.matches), counts)
    used = {0, *table["stack"].tolist()}
    stacks = {row: frames for row, frames in sampled.stacks.items() if row in used}
    names = [read_pass.types.label(row) for row in range(len(read_pass.types))]
    result = Sites(table=table, stacks=stacks, names=names, counts=counts, **vars(sampled.counts))
    if fault is not None:
        fault.partial = result
        raise fault
    return result


class _SiteBuilder(AllocBuilder):
    """Replays the objects of a trace and matches samples with allocations; yields no rows.

    Attributes
    ----------
    matches : list of ndarray of _MATCH
        Type, size class and stack of each sample that matched an allocation.
    """

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass, _LENGTH, whats=(What.OBJECT,), replay=True)
        self.sampled = SiteLabels(read_pass)
        self.matches = [np.empty(0, _MATCH)]

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay the events of a segment and match its samples."""
        self.sampled.learn(segment)
        try:
            for rows in super().feed(segment):
                self._match(rows)
        finally:  # match the samples of this segment before those of the next
            for rows in super().flush():
                self._match(rows)
        yield from ()

    def _match(self, rows: Rows) -> None:
        indices, stacks = self.sampled.match(rows)
        matches = np.empty(len(indices), _MATCH)
        for name in ("type", "spanclass"):
            matches[name] = rows[name][indices]
        matches["stack"] = stacks
        self.matches.append(matches)


def _spread(matches: Rows, counts: Rows) -> Rows:
    """Divide what was allocated of each type and size class among its stacks, in proportion to their samples."""
    cells, inverse = np.unique(matches, return_inverse=True)
    k = np.bincount(inverse, minlength=len(cells)).astype(np.float64)
    classes, of_class = np.unique(cells[["type", "spanclass"]], return_inverse=True)
    known = {(int(row["type"]), int(row["spanclass"])): i for i, row in enumerate(counts)}
    at = np.array([known.pop((int(kind), int(spc)), -1) for kind, spc in classes], np.int64)
    allocated = np.stack([np.append(counts[name], 0) for name in ("alloc_objects", "alloc_bytes")], axis=1)
    shares, variances = spread(k, of_class, allocated[at].astype(np.float64))
    rest = list(known.values())
    rows = np.zeros(len(cells) + len(rest), SITE)
    for i, unit in enumerate(("objects", "bytes")):
        rows[unit] = np.append(shares[:, i], allocated[rest, i])
        rows[f"{unit}_error"][: len(cells)] = variances[:, i]
    rows["samples"][: len(cells)] = k
    for name in ("type", "stack"):
        rows[name][: len(cells)] = cells[name]
    rows["type"][len(cells) :] = counts["type"][rest]
    return _merged(rows[(rows["samples"] > 0) | (rows["objects"] > 0)])


def _merged(rows: Rows) -> Rows:
    """Sum rows of equal type and stack; errors are variances in the input, standard errors in the result."""
    keys, inverse = np.unique(rows[["type", "stack"]], return_inverse=True)
    table = np.zeros(len(keys), SITE)
    for name in ("type", "stack"):
        table[name] = keys[name]
    for name in ("samples", "objects", "bytes", "objects_error", "bytes_error"):
        np.add.at(table[name], inverse, rows[name])
    for name in ("objects_error", "bytes_error"):
        table[name] = np.sqrt(table[name])
    return table[np.lexsort((table["stack"], table["type"], -table["samples"], -table["bytes"]))]
