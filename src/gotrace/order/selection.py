"""Which ordered events are wanted: by time, generation, kind and goroutine; how a duration is spelled.

Never here: the order, or how a filter is spelled on the command line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gotrace.dtypes import Rows
from gotrace.spec.enums import EventKind, Resource

Bounds = tuple[int | None, int | None]
"""From the first number on, below the second one; None leaves a side open."""


class Selection(NamedTuple):
    """What an event must have; filters join with "and".

    Attributes
    ----------
    time : Bounds
        ns from the trace's start.
    generations : Bounds
        Numbers of generations.
    kinds : frozenset of EventKind
        Empty: all.
    goroutines : frozenset of int
        An event is theirs when one of them runs, or is what a transition is about. Empty: all.
    """

    time: Bounds = (None, None)
    generations: Bounds = (None, None)
    kinds: frozenset[EventKind] = frozenset()
    goroutines: frozenset[int] = frozenset()

    def of(self, rows: Rows, start: int) -> Rows:
        """Return the rows of ORDERED that are wanted; ``start`` is the trace's, in ns."""
        wanted = np.ones(len(rows), bool)
        for column, (first, end), zero in (("time", self.time, start), ("generation", self.generations, 0)):
            if first is not None:
                wanted &= rows[column] >= zero + first
            if end is not None:
                wanted &= rows[column] < zero + end
        if self.kinds:
            wanted &= np.isin(rows["kind"], [int(kind) for kind in self.kinds])
        if self.goroutines:
            named = rows["args"][:, 0]
            about = (rows["kind"] == EventKind.STATE_TRANSITION) & (rows["resource"] == Resource.GOROUTINE)
            ids = list(self.goroutines)
            wanted &= np.isin(rows["g"], ids) | (about & np.isin(named, ids))
        return rows[wanted]
