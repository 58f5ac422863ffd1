"""Traces in the order of a metric, as text and as JSON. Never here: the metric."""

from __future__ import annotations

from typing import Any, TextIO

from gotrace.analysis.rank import Measure
from gotrace.report.common import document, print_table
from gotrace.units import human_bytes, human_time


def print_rank(out: TextIO, metric: str, measures: list[tuple[str, Measure]]) -> None:
    """Write a line for each trace: the value, its instant since the start, and the name."""
    lines = [
        (
            _shown(measure, metric),
            human_time(measure.time - measure.start) if measure.value is not None else "",
            f"{name} ({measure.missing})" if measure.missing else name,
        )
        for name, measure in measures
    ]
    print_table(out, (metric, "at", "trace"), lines)


def _shown(measure: Measure, metric: str) -> str:
    if measure.value is None:
        return "-"
    if metric == "inuse_bytes":
        return human_bytes(measure.value)
    if metric == "alloc_rate":
        return f"{human_bytes(measure.value)}/s"
    return human_time(int(measure.value))


def measure_document(path: str, metric: str, measure: Measure, notes: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON object of a trace, with one row; ``notes`` are members that all reports share."""
    return document(
        "rank/1",
        path,
        metric=metric,
        rows=[{"trace": path, "value": measure.value, "time": measure.time if measure.value is not None else None}],
        missing=[measure.missing] if measure.missing else [],
        **notes,
    )
