"""The catalog of tables: name, builder, row type and one line of documentation of each.

The properties of :class:`gotrace.Trace`, ``gotrace export --table`` and the list in docs/surface.md follow from it.
Never here: how rows are made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from gotrace.dtypes import (
    ALLOC,
    CYCLE,
    EVENT,
    EXPERIMENTAL,
    FRAME,
    GENERATION,
    GOROUTINE,
    GOTIME,
    LABEL,
    LIFETIME,
    LOG,
    METRIC,
    PAUSE,
    PROC,
    RANGE,
    REGION,
    REGIONTIME,
    SAMPLE,
    STACK,
    STATE,
    STRING,
    TASK,
    TASKTIME,
    THREAD,
    TRANSITION,
    TYPE,
    What,
    narrow,
)
from gotrace.tables.allocs import AllocBuilder, ExperimentalBuilder, LifetimeBuilder
from gotrace.tables.builder import Builder
from gotrace.tables.lookup import (
    FrameBuilder,
    GenerationBuilder,
    SampleBuilder,
    StackBuilder,
    StringBuilder,
    TypeBuilder,
)
from gotrace.tables.ordered import (
    EventBuilder,
    LabelBuilder,
    LogBuilder,
    MetricBuilder,
    RangeBuilder,
    RegionBuilder,
    TaskBuilder,
    TransitionBuilder,
)
from gotrace.tables.passes import ReadPass
from gotrace.tables.scheduling import SchedulingBuilder


class TableSpec(NamedTuple):
    """One table.

    Attributes
    ----------
    builder : callable
        Takes a pass and the number of rows of a chunk, returns the builder.
    dtype : dtype
        Type of a row.
    doc : str
        The table's contents in one line.
    """

    builder: Callable[[ReadPass, int], Builder]
    dtype: np.dtype[np.void]
    doc: str


def _without(dtype: np.dtype[np.void], *names: str) -> np.dtype[np.void]:
    return narrow(dtype, [name for name in dtype.names or () if name not in names])


TABLES: dict[str, TableSpec] = {
    "allocs": TableSpec(AllocBuilder, ALLOC, "One row for each AllocFree event."),
    "objects": TableSpec(
        partial(AllocBuilder, whats=(What.OBJECT,)),
        _without(ALLOC, "what"),
        "The rows of ``allocs`` about heap objects.",
    ),
    "spans": TableSpec(
        partial(AllocBuilder, whats=(What.SPAN,)),
        _without(ALLOC, "what", "type", "inset"),
        "The rows of ``allocs`` about spans.",
    ),
    "goroutine_stacks": TableSpec(
        partial(AllocBuilder, whats=(What.STACK,)),
        _without(ALLOC, "what", "type", "spanclass", "inset"),
        "The rows of ``allocs`` about stack memory of goroutines.",
    ),
    "lifetimes": TableSpec(LifetimeBuilder, LIFETIME, "One row for each heap object."),
    "experimental": TableSpec(ExperimentalBuilder, EXPERIMENTAL, "Events of every experiment, raw."),
    "events": TableSpec(EventBuilder, EVENT, "Every event, ordered and validated."),
    "transitions": TableSpec(TransitionBuilder, TRANSITION, "State transitions of goroutines and procs, in order."),
    "ranges": TableSpec(
        RangeBuilder, RANGE, "Starts and ends of stopped worlds, mark phases, sweeps and mark assists, in order."
    ),
    "tasks": TableSpec(TaskBuilder, TASK, "Starts and ends of tasks, in order."),
    "regions": TableSpec(RegionBuilder, REGION, "Starts and ends of regions, in order."),
    "logs": TableSpec(LogBuilder, LOG, "Log messages, in order."),
    "labels": TableSpec(LabelBuilder, LABEL, "Labels of goroutines, in order."),
    "metrics": TableSpec(MetricBuilder, METRIC, "Samples of Go's metrics, in order."),
    **{
        name: TableSpec(partial(SchedulingBuilder, table=name), dtype, doc)
        for name, dtype, doc in (
            ("states", STATE, "Intervals that goroutines spend in one state, in the order in which they end."),
            ("goroutines", GOROUTINE, "Lives of goroutines, with their times by state."),
            ("goroutine_times", GOTIME, "Times of each goroutine by reason of waiting, and in ranges."),
            ("region_times", REGIONTIME, "Regions, with the times of their goroutines by state."),
            ("task_times", TASKTIME, "Tasks, from their starts to their ends."),
            ("pauses", PAUSE, "Stopped worlds, with what stopped last."),
            ("cycles", CYCLE, "Mark phases, with the time of their workers and assists."),
            ("procs", PROC, "The use of each proc."),
            ("threads", THREAD, "The use of each thread."),
        )
    },
    "types": TableSpec(TypeBuilder, TYPE, "Types of the whole trace; row 0 is untyped, row 1 unresolved."),
    "generations": TableSpec(GenerationBuilder, GENERATION, "A row for each generation."),
    "strings": TableSpec(StringBuilder, STRING, "Strings of each generation; row 0 is the empty one."),
    "stacks": TableSpec(StackBuilder, STACK, "Call stacks of each generation; row 0 is none."),
    "frames": TableSpec(FrameBuilder, FRAME, "Frames of all call stacks."),
    "samples": TableSpec(SampleBuilder, SAMPLE, "CPU samples."),
}
"""Tables by name."""
