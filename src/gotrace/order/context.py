"""What the events of one segment refer to: names, strings and stacks. Never here: a rule of the order."""

from __future__ import annotations

from dataclasses import replace

from gotrace.experiments import ExperimentData, Registry
from gotrace.experiments.batches import experiment_data
from gotrace.order.driver import Order
from gotrace.wire.segments import Segment
from gotrace.wire.structure import Frame, Tables


class EventContext:
    """What the events of one segment have in common.

    Make it while ``order`` is at that segment, None for the Sync that ends a trace. It stays valid after the segment.

    Attributes
    ----------
    registry : Registry
    state : SchedState
    tables : Tables or None
    string_base, stack_base : int
        Rows of the trace's tables that the segment's first string and stack have.
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
        """Return a row of strings, or of names."""
        if row < 0:
            return self.state.name(-1 - row).decode("utf-8", "surrogateescape")
        return self.tables.text(row - self.string_base) if row and self.tables else ""

    def frames(self, row: int) -> list[Frame]:
        """Return a row of stacks."""
        return self.tables.stack(row - self.stack_base) if row and self.tables else []

    def experiments(self) -> dict[tuple[int, int], ExperimentData]:
        """Batches of experiments by generation, as the segment counts them, and number of the experiment."""
        assert self.segment is not None
        return experiment_data(self.segment, self.registry)
