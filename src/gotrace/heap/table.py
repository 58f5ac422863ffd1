"""The heap at one instant: counts of a replay come in, rows by type, size class or package go out.

Never here: reading of events.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from gotrace import plots
from gotrace.dtypes import HEAP, Rows
from gotrace.experiments.allocfree import ARENA_CHUNK, UNRESOLVED, UNTYPED, TypeTable
from gotrace.spec.sizeclasses import CLASS_BYTES, UNKNOWN_CLASS
from gotrace.units import printable
from gotrace.views import View, Viewed

UNKNOWN_SPAN = "unknown span"
"""Name of the size class of objects whose span is not in the trace."""

Kind = Literal["type", "class", "package"]
"""Group of :func:`group_keys`."""

KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(repr=False)
class Heap(Viewed):
    """Objects on the heap at one instant.

    Attributes
    ----------
    table : ndarray of HEAP
        Rows by group, largest ``inuse_bytes`` first. Objects are slots: tiny objects that share a slot count once. With
        ``ages``, ``inuse`` counts live objects of these ages, and ``free`` objects freed at these ages.
    time : int
        The instant in ns; -1 if there are no events.
    by, at : str
        Group and instant of the query.
    start : int
        Time of the trace's first event in ns; -1 if there is none.
    seen : bool
        True if there was any alloc/free event.
    memory : dict
        Number and bytes of live spans and goroutine stacks.
    anomalies : dict
        Nonzero counts of anomalies by name.
    ages : tuple of int
        Youngest and oldest age of the query in GC cycles; None for no bound.
    unaged : dict
        With ``ages``, ``inuse`` and ``free`` objects and bytes of unknown age, which were there at the start. They are
        not in the table.
    errors : ndarray of ESTIMATE or None
        Of an estimate (``by="site"``): number of samples and standard errors of each row of the table; errors of exact
        numbers are 0.
    samples : SampleCounts or None
        Of an estimate: counts of the CPU samples.
    cycles : int
        Mark phases that started before the instant; -1 if the query does not require the history of single objects.
    """

    table: Rows
    time: int
    by: str
    start: int = -1
    seen: bool = False
    memory: dict[str, int] = field(default_factory=dict)
    anomalies: dict[str, int] = field(default_factory=dict)
    at: str = "end"
    ages: tuple[int | None, int | None] = (None, None)
    unaged: dict[str, int] = field(default_factory=dict)
    errors: Rows | None = None
    samples: SampleCounts | None = None
    cycles: int = -1

    def __str__(self) -> str:
        names = ["inuse_objects", "inuse_bytes", "alloc_objects", "alloc_bytes"]
        names += ["inuse_bytes_error"] if self.errors is not None else []
        columns = [[name, *(str(number) for number in self._column(name))] for name in names]
        padded = [[cell.rjust(max(len(column[0]), 12)) for cell in column] for column in columns]
        titles = [self.by, *map(printable, self.table["name"])]
        return "\n".join(f"{' '.join(line)}  {title}" for *line, title in zip(*padded, titles, strict=True))

    def view(self) -> View:
        """Return what is in use, and the largest groups."""
        names = [f"{what}_{unit}" for what in ("inuse", "alloc", "free") for unit in ("objects", "bytes")]
        names += ["inuse_bytes_error", "inuse_samples"] if self.errors is not None else []
        rows = zip(self.table["name"].tolist(), *map(self._column, names), strict=True)
        objects, nbytes = (int(self.table[f"inuse_{unit}"].sum()) for unit in ("objects", "bytes"))
        facts = f"{nbytes:,} bytes in {objects:,} objects in use, at {self.at}"
        return View(facts, [self.by, *names], rows, len(self.table))

    def _column(self, name: str) -> list[int]:
        """Return a column of the table or of its errors as whole numbers."""
        rows = self.table if self.errors is None or name in (HEAP.names or ()) else self.errors
        return [round(number) for number in rows[name].tolist()]

    def plot(self, *, top: int = 10, ax: Any = None) -> Any:
        """Draw the largest rows as bars, with matplotlib (extra ``plot``).

        Parameters
        ----------
        top : int
            Number of bars; the remaining rows are one more.
        ax : matplotlib Axes, optional
            Axes to draw on. Default is a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        used = self.table[self.table["inuse_bytes"] > 0]
        return plots.bars(ax, used["name"].tolist(), used["inuse_bytes"], top=top, title="in use")


def class_name(spanclass: int) -> str:
    """Return a human-readable name of a size class: ``"48 B"``, ``"1024 B noscan"``, ``"large"``."""
    if spanclass == UNKNOWN_CLASS:
        return UNKNOWN_SPAN
    size = "large" if spanclass < 2 else f"{CLASS_BYTES[spanclass >> 1]} B"
    return f"{size} noscan" if spanclass & 1 else size


def package_of(name: str) -> str:
    """Return the package of a type's name as Go prints it: that of ``*ssa.Value`` and ``[]*ssa.Value`` is ``ssa``.

    It is ``(builtin)`` for types without a package, such as ``string``, ``(untyped)`` for objects without a type, and
    ``(arena chunk)`` for chunks of user arenas.
    """
    if name.startswith(ARENA_CHUNK):
        return ARENA_CHUNK
    if name.startswith(("(untyped)", "(unresolved)")):
        return "(untyped)"
    plain = re.sub(r"^(?:\*|\[\d*\]|<-|chan(?:<-)? )+", "", name)
    match = re.match(r"([^\s\[\](){}*.]+(?:\.[^\s\[\](){}*./]+)*/)*([^\s\[\](){}*./]+)\.", plain)
    return match[0][:-1] if match else "(builtin)"


def group_keys(keys: Rows, types: TypeTable, by: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Group pairs of type and size class; return the groups' names and each pair's group.

    ``by`` is one of :data:`KINDS`. Objects without a type are grouped by size class, as one large group would hide
    their differences.
    """
    names: list[str] = []
    group = np.empty(len(keys), np.int64)
    seen: dict[object, int] = {}
    for i, (kind, spanclass) in enumerate(zip(keys["type"].tolist(), keys["spanclass"].tolist(), strict=True)):
        whole = by == "class" or kind in (UNTYPED, UNRESOLVED)
        shared = package_of(types.names[kind]) if by == "package" else ""
        if by == "type" and types.names[kind] == ARENA_CHUNK:
            shared = ARENA_CHUNK
        key: object = shared or (kind if by == "type" else -1, spanclass if whole else -1)
        if key not in seen:
            seen[key] = len(names)
            name = shared or (types.label(kind) if by == "type" else class_name(spanclass))
            names.append(f"{name} {class_name(spanclass)}" if by == "type" and whole else name)
        group[i] = seen[key]
    return names, group


def summarize(counts: Rows, types: TypeTable, by: str) -> Rows:
    """Sum rows of COUNTS to rows of HEAP, by one of :data:`KINDS`."""
    cells = np.zeros(len(counts), HEAP)
    for column in counts.dtype.names or ():
        if column in (HEAP.names or ()):
            cells[column] = counts[column]
    for unit in ("objects", "bytes"):
        cells[f"inuse_{unit}"] = cells[f"start_{unit}"] + cells[f"alloc_{unit}"] - cells[f"free_{unit}"]
    return add_up(cells, *group_keys(counts, types, by))


def add_up(parts: Rows, names: list[str], group: npt.NDArray[np.int64]) -> Rows:
    """Sum rows of HEAP by name, largest first; ``group[i]`` is the index of row i's name."""
    table = np.zeros(len(names), HEAP)
    table["name"] = names
    for column in (HEAP.names or ())[1:]:
        np.add.at(table[column], group, parts[column])
    order = np.lexsort((np.array(names, dtype=object).astype(str), -table["inuse_objects"], -table["inuse_bytes"]))
    return table[order]


@dataclass(kw_only=True)
class SampleCounts:
    """Counts of CPU samples, and of their matches with allocations.

    Attributes
    ----------
    samples : int
        CPU samples in the trace.
    allocating : int
        Of these, samples whose stack is in the allocator.
    unclear : int
        Of these, ambiguous samples: the event may already have been written, or the allocator has no caller.
    matched : int
        Of the rest, samples whose thread and goroutine allocate next within :data:`gotrace.tables.sites.WITHIN` ns,
        and whose thread did not run ahead of the clock.
    start, end : int
        Times of the first and the last sample in ns; -1 if there is none.
    """

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

    def count(self, rows: Rows) -> None:
        """Count the samples of a segment."""
        self.samples += len(rows)
        if len(rows):
            first, last = int(rows["time"].min()), int(rows["time"].max())
            self.start = first if self.start < 0 else min(self.start, first)
            self.end = max(self.end, last)
