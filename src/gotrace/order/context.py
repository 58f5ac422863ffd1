"""The names, strings and stacks that the events of one segment refer to, by row. Never here: a rule of the order."""

from __future__ import annotations

from dataclasses import replace

from gotrace.experiments import ExperimentData, Registry
from gotrace.experiments.batches import experiment_data
from gotrace.order.driver import Order
from gotrace.wire.segments import Segment
from gotrace.wire.structure import Frame, Tables


class EventContext:
    """Strings, stacks and names that the events of one segment share.

    Create it while ``order`` is at that segment. With ``copy``, it stays valid after the segment.

    Parameters
    ----------
    segment : Segment or None
        None for the Sync that ends a trace.
    order : Order
    registry : Registry
    copy : bool
        Copy the bytes of the segment's strings instead of referring to its window.

    Attributes
    ----------
    registry : Registry
    state : SchedState
    tables : Tables or None
    string_base, stack_base : int
        Rows of the segment's first string and stack in the trace's tables.
    """

    def __init__(self, segment: Segment | None, order: Order, registry: Registry, *, copy: bool = False) -> None:
        self.segment = segment
        self.registry = registry
        self.state = order.state
        self.string_base = order.string_base
        self.stack_base = order.stack_base
        self.tables: Tables | None = None
        if segment is not None:
            data = segment.tables.data
            self.tables = replace(segment.tables, data=data.copy() if copy else data)

    def text(self, row: int) -> str:
        """Return the string of a row; a row below 0 is a name of the whole trace."""
        if row < 0:
            return self.state.name(-1 - row).decode("utf-8", "surrogateescape")
        return self.tables.text(row - self.string_base) if row and self.tables else ""

    def frames(self, row: int) -> list[Frame]:
        """Return the frames of a stack's row."""
        return self.tables.stack(row - self.stack_base) if row and self.tables else []

    def experiments(self) -> dict[tuple[int, int], ExperimentData]:
        """Return the experiments' batches by generation, counted from the segment's first, and experiment number."""
        assert self.segment is not None
        return experiment_data(self.segment, self.registry)
