"""Parts of intervals that lie in windows of time: of goroutines, in regions. Never here: what an interval means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gotrace.dtypes import I8


@dataclass(frozen=True)
class Windows:
    """Windows of time by key, disjoint and rising within each key.

    Attributes
    ----------
    key, start, end : ndarray of int64
    """

    key: I8
    start: I8
    end: I8

    @classmethod
    def union(cls, key: I8, start: I8, end: I8) -> Windows:
        """Return the union of windows that may overlap; those that end before they start are empty."""
        kept = end > start
        order = np.lexsort((start[kept], key[kept]))
        key, start, end = (column[kept][order] for column in (key, start, end))
        if not len(key):
            return cls(key, start, end)
        group = np.append(0, np.cumsum(key[1:] != key[:-1]))
        ends, rank = np.unique(end, return_inverse=True)
        reached = np.maximum.accumulate(group * len(end) + rank) - group * len(end)  # rank of the latest end so far
        opens = np.append(True, (key[1:] != key[:-1]) | (start[1:] > ends[reached[:-1]]))
        first = np.flatnonzero(opens)
        last = np.append(first[1:], len(key)) - 1
        return cls(key[first], start[first], ends[reached[last]])

    def overlap(self, key: I8, start: I8, end: I8) -> I8:
        """Return how long each interval is inside of the windows of its key."""
        length = np.append(0, np.cumsum(self.end - self.start))

        def covered(time: I8) -> I8:
            """Return the length of all windows of lower keys, and of its own up to a time."""
            keys, times = np.append(self.key, key), np.append(self.start, time)
            kind = np.repeat((0, 1), (len(self.key), len(key)))
            order = np.lexsort((kind, times, keys))
            at = np.empty(len(keys), np.int64)
            at[order] = np.cumsum(kind[order] == 0)
            at = at[len(self.key) :]  # windows that start before it or are of lower keys
            within = at - 1
            partial = np.zeros(len(key), np.int64)
            own = (at > 0) & (self.key[within] == key) if len(self.key) else np.zeros(len(key), bool)
            partial[own] = np.maximum(self.end[within[own]] - time[own], 0)
            return length[at] - partial

        return covered(np.maximum(end, start)) - covered(start)
