"""Builders of the scheduling tables: ordered events come in, rows of one table go out. Never here: their rules."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gotrace.dtypes import Rows, opaque
from gotrace.scheduler.scheduling import Scheduling
from gotrace.tables.builder import OrderedBuilder
from gotrace.tables.passes import ReadPass
from gotrace.wire.segments import Segment


class SchedulingBuilder(OrderedBuilder):
    """Rows of one of the scheduling tables. The builders of a pass share what makes them."""

    def __init__(self, read_pass: ReadPass, length: int, *, table: str) -> None:
        others = (builder for builder in read_pass.ordered if isinstance(builder, SchedulingBuilder))
        first = next(others, None)
        self._pass = read_pass
        self._leads = first is None
        self.scheduling: Scheduling = first.scheduling if first else Scheduling(read_pass.order, read_pass.since)
        self._ready = self.scheduling.ready.setdefault(table, [])
        read_pass.ordered.append(self)

    def begin(self, segment: Segment) -> None:
        """Start the next segment, before its rows."""
        if self._leads:
            self.scheduling.begin(segment)

    def take(self, rows: Rows) -> None:
        """Take rows of ORDERED."""
        if self._leads:
            self.scheduling.take(rows)

    def ready(self) -> Iterator[Rows]:
        """Yield the rows made so far."""
        if self._ready:
            first = self._ready[0]
            rows = np.concatenate(list(map(opaque, self._ready))).view(first.dtype) if self._ready[1:] else first
            self._ready.clear()
            yield rows

    def end(self) -> Iterator[None]:
        """Make the rows of what is live at the end."""
        if self._leads:
            yield from self.scheduling.end(self._pass.until if self._pass.cut else None)
