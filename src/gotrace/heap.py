"""The replayed heap: the kernel's tables, and what they add up to.

Never here: reading of events.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gotrace import _allocfree, plots
from gotrace.dtypes import COUNTS, HEAP, PAGE, SPAN, HeapSize, Layout
from gotrace.errors import Status
from gotrace.experiments.allocfree import ANOMALIES, UNRESOLVED, UNTYPED, TypeTable
from gotrace.slabs import Rows
from gotrace.spec.limits import CLASS_BYTES
from gotrace.tables import MULTIPLIER

if TYPE_CHECKING:
    from gotrace.sampling import SampleCounts

UNKNOWN_CLASS = 255
_GROWTH = 4  # of tables that are copied often: what is not used yet costs no memory
_LITTLE = 1 << 20  # bytes of a table up to which that is so

KINDS = ("type", "class", "package")
"""What :func:`group_keys` can put objects together by."""

_Map = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]


class LiveHeap:
    """Tables that the kernel fills and that grow here when it asks for it."""

    def __init__(self) -> None:
        self.spans = np.empty(256, SPAN)
        self.pages = _new_map(512)
        self.leaves = np.zeros(128 * Layout.LEAF, PAGE)
        self.stacks = _new_map(512)
        self.loose = _new_map(64)
        self.cells = np.empty(1024 * Layout.GROUP, np.int32)
        self.keys = _new_map(512)
        self.counts = np.zeros(256, COUNTS)
        self.sizes = np.zeros(len(HeapSize), np.int64)
        self.sizes[HeapSize.LATEST] = np.iinfo(np.int64).min
        self.anomalies = np.zeros(len(ANOMALIES), np.int64)

    def arrays(self) -> tuple[Any, ...]:
        """All tables in the order in which the kernel takes them."""
        return (
            *(self.spans, *self.pages, self.leaves, *self.stacks, *self.loose, self.cells, *self.keys),
            *(self.counts, self.sizes, self.anomalies),
        )

    def grow(self, status: Status) -> None:
        """Make the table larger that the kernel found full."""
        grow: dict[Status, Callable[[], None]] = {
            Status.GROW_SPANS: self._grow_spans,
            Status.GROW_PAGES: self._grow_pages,
            Status.GROW_STACKS: self._grow_stacks,
            Status.GROW_LOOSE: self._grow_loose,
            Status.GROW_CELLS: self._grow_cells,
            Status.GROW_KEYS: self._grow_keys,
        }
        grow[status]()

    def _grow_spans(self) -> None:
        self.spans = _larger(self.spans, _GROWTH)

    def _grow_pages(self) -> None:
        self.pages = _rehashed(self.pages)
        self.leaves = _larger(self.leaves)

    def _grow_stacks(self) -> None:
        self.stacks = _rehashed(self.stacks)

    def _grow_loose(self) -> None:
        self.loose = _rehashed(self.loose)

    def _grow_cells(self) -> None:
        self.cells = _larger(self.cells, _GROWTH)

    def _grow_keys(self) -> None:
        self.keys = _rehashed(self.keys)
        self.counts = _larger(self.counts)

    def anomaly_counts(self) -> dict[str, int]:
        """What was odd, without the zeros."""
        return {name: n for name, n in ((ANOMALIES[kind], int(self.anomalies[kind])) for kind in ANOMALIES) if n}

    @property
    def time(self) -> int:
        """Latest time of any event in ns, -1 before the first one."""
        time = int(self.sizes[HeapSize.LATEST])
        return time if time != np.iinfo(np.int64).min else -1

    def used_counts(self) -> Rows:
        """Rows of COUNTS, one for each pair of type and size class that had an object."""
        counts = self.counts[: int(self.sizes[HeapSize.N_KEYS])]
        return counts[(counts["alloc_objects"] > 0) | (counts["start_objects"] > 0)]

    def memory(self) -> dict[str, int]:
        """Live spans and stacks: numbers and bytes."""
        live = range(HeapSize.HEAP_SPANS, HeapSize.STACK_BYTES + 1)
        return {HeapSize(place).name.lower(): int(self.sizes[place]) for place in live}


def _new_map(places: int) -> _Map:
    return np.empty(places, np.uint64), np.zeros(places, np.int32)


def _rehashed(old: _Map) -> _Map:
    new = _new_map(2 * len(old[0]))
    _allocfree.rehash(*old, *new, MULTIPLIER)
    return new


def _larger(old: npt.NDArray[Any], most: int = 2) -> npt.NDArray[Any]:
    new = np.empty((most if old.nbytes < _LITTLE else 2) * len(old), old.dtype)
    new[: len(old)] = old
    return new


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
