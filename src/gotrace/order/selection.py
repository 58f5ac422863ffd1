"""Filter ordered events by time, generation, kind and goroutine: rows come in, the selected rows go out.

Never here: the order, or the syntax of command-line filters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gotrace.dtypes import Rows
from gotrace.spec.enums import EventKind, Resource

Bounds = tuple[int | None, int | None]
"""Half-open interval ``[first, end)``; None leaves a side unbounded."""


class Selection(NamedTuple):
    """Filters of events; an event must pass all of them.

    Attributes
    ----------
    time : Bounds
        ns from the trace's start.
    generations : Bounds
        Generation numbers.
    kinds : frozenset of EventKind
        Empty for all.
    goroutines : frozenset of int
        Events of their own, and transitions of one of them, whichever goroutine caused it. Empty for all.
    """

    time: Bounds = (None, None)
    generations: Bounds = (None, None)
    kinds: frozenset[EventKind] = frozenset()
    goroutines: frozenset[int] = frozenset()

    def of(self, rows: Rows, start: int) -> Rows:
        """Return the selected rows of ORDERED; ``start`` is the trace's start in ns."""
        selected = np.ones(len(rows), bool)
        for column, (first, end), zero in (("time", self.time, start), ("generation", self.generations, 0)):
            if first is not None:
                selected &= rows[column] >= zero + first
            if end is not None:
                selected &= rows[column] < zero + end
        if self.kinds:
            selected &= np.isin(rows["kind"], [int(kind) for kind in self.kinds])
        if self.goroutines:
            named = rows["args"][:, 0]
            about = (rows["kind"] == EventKind.STATE_TRANSITION) & (rows["resource"] == Resource.GOROUTINE)
            ids = list(self.goroutines)
            selected &= np.isin(rows["g"], ids) | (about & np.isin(named, ids))
        return rows[selected]

    def ends_in(self, rows: Rows, start: int) -> bool:
        """Return whether rows of ORDERED go beyond the selected range, and therefore all that follow are after it."""
        return any(
            end is not None and len(rows) > 0 and rows[column][-1] >= zero + end
            for column, (_, end), zero in (("time", self.time, start), ("generation", self.generations, 0))
        )
