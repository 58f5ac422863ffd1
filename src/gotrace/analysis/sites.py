"""Who allocated: alloc/free events carry no stack, CPU samples do. Never here: output, or a guess that is not counted.

A CPU sample whose stack stands in the allocator belongs to the object that its thread allocates next. So the samples of
a type say at which sites it is allocated, and in what proportion; how many objects there are is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gotrace.dtypes import SITE, Rows, What
from gotrace.heap.table import SampleCounts
from gotrace.tables.allocs import AllocBuilder
from gotrace.tables.passes import ReadPass
from gotrace.tables.sites import Site, SiteLabels, site_name, spread
from gotrace.trace import Trace
from gotrace.wire.segments import Segment

_LENGTH = 1 << 14  # rows at a time: they stay in the cache
_MATCH = np.dtype([("type", "i4"), ("spanclass", "u1"), ("stack", "i4")])


@dataclass(kw_only=True)
class Sites(SampleCounts):
    """Where objects were allocated, as far as CPU samples tell; with what became of the samples.

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
    """

    table: Rows
    stacks: dict[int, Site]
    names: list[str]
    counts: Rows

    def by_site(self) -> Rows:
        """Rows of SITE added up over all types, whose row is -1 here; most bytes first."""
        parts = self.table.copy()
        parts["type"] = -1
        for name in ("objects_error", "bytes_error"):
            parts[name] **= 2
        return _merged(parts)

    def label(self, stack: int) -> str:
        """Name the site of a stack of the table: ``"main.load (load.go:12)"``."""
        return site_name(self.stacks[stack])

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
    read_pass = trace.reader.new_pass()
    allocs = _SiteBuilder(read_pass)
    sampled = allocs.sampled
    fault = read_pass.run(allocs, progress=progress)
    counts = allocs.heap.used_counts()
    table = _spread(np.concatenate(allocs.matches), counts)
    used = {0, *table["stack"].tolist()}
    stacks = {row: frames for row, frames in sampled.stacks.items() if row in used}
    names = [read_pass.types.label(row) for row in range(len(read_pass.types))]
    found = Sites(table=table, stacks=stacks, names=names, counts=counts, **vars(sampled.counts))
    if fault is not None:
        fault.partial = found
        raise fault
    return found


class _SiteBuilder(AllocBuilder):
    """Replays the objects of a trace and matches samples with their allocations; no rows.

    Attributes
    ----------
    matches : list of ndarray of _MATCH
        Type, size class and stack of each sample that found its allocation.
    """

    def __init__(self, read_pass: ReadPass) -> None:
        super().__init__(read_pass, _LENGTH, whats=(What.OBJECT,), replay=True)
        self.sampled = SiteLabels(read_pass)
        self.matches = [np.empty(0, _MATCH)]

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Replay a segment's events, with its samples."""
        self.sampled.learn(segment)
        try:
            for rows in super().feed(segment):
                self._match(rows)
        finally:  # its samples are matched before the next segment's
            for rows in super().flush():
                self._match(rows)
        yield from ()

    def _match(self, rows: Rows) -> None:
        places, stacks = self.sampled.match(rows)
        matches = np.empty(len(places), _MATCH)
        for name in ("type", "spanclass"):
            matches[name] = rows[name][places]
        matches["stack"] = stacks
        self.matches.append(matches)


def _spread(matches: Rows, counts: Rows) -> Rows:
    """Share out what was allocated of each type and size class over its stacks, in proportion to their samples."""
    cells, of = np.unique(matches, return_inverse=True)
    k = np.bincount(of, minlength=len(cells)).astype(np.float64)
    classes, of_class = np.unique(cells[["type", "spanclass"]], return_inverse=True)
    known = {(int(row["type"]), int(row["spanclass"])): i for i, row in enumerate(counts)}
    at = np.array([known.pop((int(kind), int(spc)), -1) for kind, spc in classes], np.int64)
    allocated = np.stack([np.append(counts[name], 0) for name in ("alloc_objects", "alloc_bytes")], axis=1)
    shares, variances = spread(k, of_class, allocated[at].astype(np.float64))
    rest = list(known.values())
    parts = np.zeros(len(cells) + len(rest), SITE)
    for i, unit in enumerate(("objects", "bytes")):
        parts[unit] = np.append(shares[:, i], allocated[rest, i])
        parts[f"{unit}_error"][: len(cells)] = variances[:, i]
    parts["samples"][: len(cells)] = k
    for name in ("type", "stack"):
        parts[name][: len(cells)] = cells[name]
    parts["type"][len(cells) :] = counts["type"][rest]
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
