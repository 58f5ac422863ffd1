"""The heap at an instant as a table by group, and as JSON. Never here: replay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from gotrace.analysis.account import account_of_samples
from gotrace.dtypes import I8
from gotrace.heap.table import Heap, SampleCounts
from gotrace.report.common import document, error_json, json_rows, outside_spans, print_anomalies, print_table, say
from gotrace.report.layout import WIDEST_TEXT, width_of, wrap
from gotrace.units import human_bytes, human_count, human_time

if TYPE_CHECKING:
    from gotrace.analysis.spans import Spans
    from gotrace.analysis.stats import Stats

_COLUMNS = {
    "inuse": ("in use", "live"),
    "alloc": ("allocated", "allocs"),
    "free": ("freed", "frees"),
    "start": ("at start", "objects at start"),
}
"""Titles of the bytes and the number of objects of each group of columns of HEAP."""

_SHOWN = ("inuse", "alloc", "free")
"""Groups of columns that are shown in any case."""


def sort_heap(heap: Heap, column: str) -> None:
    """Sort the rows of a heap by a column of HEAP: numbers from the largest, names from A to Z."""
    values = heap.table[column]
    _choose(heap, np.argsort(values.astype(str) if column == "name" else -values, kind="stable"))


def filter_heap(heap: Heap, pattern: str) -> None:
    """Keep the rows whose names contain ``pattern``, in which ``*`` and ``?`` stand for any characters."""
    find = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL).search
    _choose(heap, np.flatnonzero([find(name) is not None for name in heap.table["name"].tolist()]))


def _choose(heap: Heap, rows: I8) -> None:
    heap.table = heap.table[rows]
    if heap.errors is not None:
        heap.errors = heap.errors[rows]


def print_heap(out: TextIO, heap: Heap, *, top: int, first: str = "inuse", note: str = "") -> None:
    """Write a heap as a table of at most ``top`` rows, 0 for all.

    ``first`` is the group of columns that the report is about: ``inuse``, ``alloc``, ``free`` or ``start``. ``note``
    says what is left out.
    """
    table = heap.table
    what = "free" if first == "free" else "inuse"
    least = "at least " if outside_spans(heap.anomalies) else ""
    total = least + human_bytes(int(table[f"{what}_bytes"].sum()))
    ages = _ages(*heap.ages)
    say(out, f"heap {instant(heap)}: {total} {_COLUMNS[what][0]}{ages}{note}")
    unknown = heap.unaged.get(f"{what}_objects", 0)
    if unknown:
        say(
            out,
            f"{human_count(unknown, 'object')} of unknown age ({human_bytes(heap.unaged[f'{what}_bytes'])}): left out, "
            "as their allocation is not in the trace",
        )
    say(out)
    shown = np.arange(min(top or len(table), len(table)))
    print_table(out, *_lines(heap, shown, first), total=len(table))
    memory = heap.memory
    say(out)
    if heap.samples is not None:
        say(out, wrap(" ".join(_account(heap, what)), width_of(out) or WIDEST_TEXT))
        say(out)
    say(
        out,
        f"spans   {memory['heap_spans']:,} of objects ({human_bytes(memory['heap_span_bytes'])}), "
        f"{memory['manual_spans']:,} manually managed ({human_bytes(memory['manual_span_bytes'])})",
    )
    say(out, f"stacks  {memory['stacks']:,} of goroutines ({human_bytes(memory['stack_bytes'])})")
    print_anomalies(out, heap.anomalies)


def _lines(heap: Heap, shown: I8, first: str) -> tuple[list[str], list[list[str]]]:
    """Return the column titles and the cells of each row; estimates have relative errors and numbers of samples."""
    groups = [first, *(group for group in _SHOWN if group != first)]
    what = first if first in _SHOWN else "inuse"
    titles = [title for group in groups for title in _COLUMNS[group]]
    rows = [
        [cell for group in groups for cell in (human_bytes(int(row[f"{group}_bytes"])), f"{row[f'{group}_objects']:,}")]
        for row in heap.table[shown]
    ]
    if heap.errors is not None:
        titles.insert(2, "samples")
        for line, row, error in zip(rows, heap.table[shown], heap.errors[shown], strict=True):
            line.insert(2, f"{error[f'{what}_samples']:,}")
            for i, group in enumerate(groups):
                if group != "start":
                    value = int(row[f"{group}_bytes"])
                    line[2 * i + (i > 0)] += relative_error(float(error[f"{group}_bytes_error"]), value)
    names = heap.table["name"][shown].tolist()
    return [*titles, heap.by], [[*line, name] for line, name in zip(rows, names, strict=True)]


def relative_error(error: float, value: int) -> str:
    """Return one standard error in percent of the value, as wide as that of any other row; empty if it is exact."""
    return f" ± {min(error / value, 9.99):>4.0%}" if error and value else " " * 7


def _account(heap: Heap, what: str) -> list[str]:
    """Describe the samples and the accuracy of an estimate, one string per sentence."""
    assert heap.samples is not None
    assert heap.errors is not None
    sentences = account_of_samples(heap.samples)
    if heap.samples.matched:
        n = int(heap.errors[f"{what}_samples"].sum())
        state = "are in use" if what == "inuse" else "were freed"
        sentences.append(
            f"{n:,} of the matched objects {state}. Totals by type and size class are exact; shares by site are "
            f"estimated from the samples whose objects {state}. ± is one standard error."
        )
    return sentences


def instant(heap: Heap | Spans) -> str:
    """Describe the instant of a heap or of spans."""
    after = f"{human_time(heap.time - heap.start)} after the start"
    if heap.at == "start":
        return "at the start"
    if heap.at in ("peak", "end"):
        return f"at the {heap.at}, {after}"
    return after if ":" not in heap.at else f"at the start of mark phase {heap.at.partition(':')[2]}, {after}"


def _ages(youngest: int | None, oldest: int | None) -> str:
    if youngest is None and oldest is None:
        return ""
    if youngest is not None and oldest is not None:
        return f", {youngest} to {oldest} GC cycles old"
    age = youngest if oldest is None else oldest
    assert age is not None
    return f", {human_count(age, 'GC cycle')} old or {'less' if youngest is None else 'more'}"


def heap_document(
    path: str, heap: Heap, warnings: list[str], losses: list[str], error: Exception | None, **more: Any
) -> dict[str, Any]:
    """Return a heap as a JSON object, rows as in table HEAP, with more members."""
    return document(
        "heap/1",
        path,
        rows=heap_rows(heap),
        by=heap.by,
        at=heap.at,
        min_age=heap.ages[0],
        max_age=heap.ages[1],
        unaged=heap.unaged,
        samples=samples_json(heap.samples),
        time=heap.time if heap.time >= 0 else None,
        cycles=heap.cycles if heap.cycles >= 0 else None,
        memory=heap.memory,
        anomalies=heap.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
        **more,
    )


def samples_json(counts: SampleCounts | None) -> dict[str, int] | None:
    """Return counts of CPU samples as a JSON object."""
    return None if counts is None else {**vars(counts), "unmatched": counts.unmatched}


def heap_rows(heap: Heap | Stats) -> list[dict[str, Any]]:
    """Return rows of HEAP as JSON objects; those of an estimate with the fields of ESTIMATE."""
    rows = json_rows(heap.table)
    if heap.errors is not None:
        for row, error in zip(rows, json_rows(heap.errors), strict=True):
            row |= error
    return rows
