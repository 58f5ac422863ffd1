"""The replayed heap: the kernel's tables, and what they add up to.

Never here: reading of events.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace import plots
from gotrace.dtypes import HEAP, Rows
from gotrace.experiments.allocfree import UNRESOLVED, UNTYPED, TypeTable
from gotrace.spec.sizeclasses import CLASS_BYTES, UNKNOWN_CLASS

KINDS = ("type", "class", "package")
"""What :func:`group_keys` can put objects together by."""


@dataclass
class Heap:
    """What is on the heap at one instant.

    Attributes
    ----------
    table : ndarray of HEAP
        Largest ``inuse_bytes`` first. Objects are slots: tiny ones that share a slot count once. Where ages were asked
        for, ``inuse`` counts those that live at such an age, and ``free`` those that died at one.
    time : int
        ns, the instant; -1 when there is no event.
    by, at : str
        As asked for.
    start : int
        ns, time of the trace's first event; -1 when there is none.
    seen : bool
        Whether there was any alloc/free event.
    memory : dict
        Live spans and goroutine stacks: numbers and bytes.
    anomalies : dict
        What was odd on the way, with counts.
    ages : tuple of int
        Youngest and oldest age in GC cycles that was asked for, None where a side is open.
    unaged : dict
        If ages were asked for, ``inuse`` and ``free`` objects and bytes whose age is not known: they were there at the
        start. The table does not have them.
    errors : ndarray of ESTIMATE or None
        Of an estimate (``by="site"``): for each row of the table the samples that it rests on, and one standard error
        of its numbers; 0 where they are exact.
    samples : SampleCounts or None
        Of an estimate: what became of the CPU samples.
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

    def __str__(self) -> str:
        names = ["inuse_objects", "inuse_bytes", "alloc_objects", "alloc_bytes"]
        names += ["inuse_bytes_error"] if self.errors is not None else []
        columns = [[name, *(str(number) for number in self._column(name))] for name in names]
        padded = [[cell.rjust(max(len(column[0]), 12)) for cell in column] for column in columns]
        titles = [self.by, *self.table["name"]]
        return "\n".join(f"{' '.join(line)}  {title}" for *line, title in zip(*padded, titles, strict=True))

    def _repr_html_(self) -> str:
        from html import escape

        names = [f"{what}_{unit}" for what in ("inuse", "alloc", "free") for unit in ("objects", "bytes")]
        names += ["inuse_bytes_error", "inuse_samples"] if self.errors is not None else []
        columns = [[f"<td>{number:,}</td>" for number in self._column(name)] for name in names]
        titles = [f"<td>{escape(name)}</td>" for name in self.table["name"]]
        head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in names)
        body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in zip(titles, *columns, strict=True))
        return f"<table><thead><tr><th>{escape(self.by)}</th>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _column(self, name: str) -> list[int]:
        """A column of the table or of its errors, in whole numbers."""
        rows = self.table if self.errors is None or name in (HEAP.names or ()) else self.errors
        return [round(number) for number in rows[name].tolist()]

    def plot(self, *, top: int = 10, ax: Any = None) -> Any:
        """Draw the largest rows as bars, with matplotlib (extra ``plot``).

        Parameters
        ----------
        top : int
            Bars; what is left is one more.
        ax : matplotlib Axes, optional
            Where to draw; a new figure if there is none.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            There is no matplotlib.
        """
        used = self.table[self.table["inuse_bytes"] > 0]
        return plots.bars(ax, used["name"].tolist(), used["inuse_bytes"], top=top, title="in use")


def class_name(spanclass: int) -> str:
    """Name a size class for people: ``"48 B"``, ``"1024 B noscan"``, ``"large"``."""
    if spanclass == UNKNOWN_CLASS:
        return "size unknown"
    size = "large" if spanclass < 2 else f"{CLASS_BYTES[spanclass >> 1]} B"
    return f"{size} noscan" if spanclass & 1 else size


def package_of(name: str) -> str:
    """Package of a type's name, as Go prints it: that of ``*ssa.Value`` and ``[]*ssa.Value`` is ``ssa``.

    Types without one, such as ``string``, stand under ``(builtin)``, and objects without a type under ``(untyped)``.
    """
    if name.startswith(("(untyped)", "(unresolved)")):
        return "(untyped)"
    plain = re.sub(r"^(?:\*|\[\d*\]|<-|chan(?:<-)? )+", "", name)
    match = re.match(r"([^\s\[\](){}*.]+(?:\.[^\s\[\](){}*./]+)*/)*([^\s\[\](){}*./]+)\.", plain)
    return match[0][:-1] if match else "(builtin)"


def group_keys(keys: Rows, types: TypeTable, by: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Put pairs of type and size class into groups: names, and each pair's group.

    ``by`` is one of :data:`KINDS`. Objects without a type stand under their size class, so that
    nothing hides behind one large line.
    """
    names: list[str] = []
    group = np.empty(len(keys), np.int64)
    seen: dict[object, int] = {}
    for i, (kind, spanclass) in enumerate(zip(keys["type"].tolist(), keys["spanclass"].tolist(), strict=True)):
        whole = by == "class" or kind in (UNTYPED, UNRESOLVED)
        package = package_of(types.names[kind]) if by == "package" else ""
        key: object = package or (kind if by == "type" else -1, spanclass if whole else -1)
        if key not in seen:
            seen[key] = len(names)
            name = types.label(kind) if by == "type" else package or class_name(spanclass)
            names.append(f"{name} {class_name(spanclass)}" if by == "type" and whole else name)
        group[i] = seen[key]
    return names, group


def summarize(counts: Rows, types: TypeTable, by: str) -> Rows:
    """Add rows of COUNTS up to rows of HEAP, by one of :data:`KINDS`."""
    parts = np.zeros(len(counts), HEAP)
    for column in counts.dtype.names or ():
        if column in (HEAP.names or ()):
            parts[column] = counts[column]
    for unit in ("objects", "bytes"):
        parts[f"inuse_{unit}"] = parts[f"start_{unit}"] + parts[f"alloc_{unit}"] - parts[f"free_{unit}"]
    return add_up(parts, *group_keys(counts, types, by))


def add_up(parts: Rows, names: list[str], group: npt.NDArray[np.int64]) -> Rows:
    """Add rows of HEAP up to one for each name, largest first; ``group`` says which name a row belongs to."""
    table = np.zeros(len(names), HEAP)
    table["name"] = names
    for column in (HEAP.names or ())[1:]:
        np.add.at(table[column], group, parts[column])
    order = np.lexsort((np.array(names, dtype=object).astype(str), -table["inuse_objects"], -table["inuse_bytes"]))
    return table[order]


@dataclass(kw_only=True)
class SampleCounts:
    """How many CPU samples there were, and what became of them.

    Attributes
    ----------
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
        """Take notice of samples of a part."""
        self.samples += len(rows)
        if len(rows):
            first, last = int(rows["time"].min()), int(rows["time"].max())
            self.start = first if self.start < 0 else min(self.start, first)
            self.end = max(self.end, last)
