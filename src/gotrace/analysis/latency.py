"""Distributions of durations: percentiles by group, and the latency histogram of Go's trace tool.

Never here: output.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import F8, I8

_BITS = 6
_PER_OCTAVE = 1 << _BITS
_BUCKETS = 64 * _PER_OCTAVE
_MAX_PENDING = 1 << 18  # buckets that wait to be added up, at least

GO_EDGES: F8 = np.array([10 ** (k // 5) if k % 5 == 0 else 10 ** (k / 5) for k in range(1, 95)])
"""ns, upper edges of the buckets of Go's latency histograms, inclusive: five in each decade."""


class Distributions:
    """Durations of any number of groups in log-linear histograms, with 64 buckets in each octave.

    Values below 128 have a bucket of their own. Only buckets that count a value take memory.

    Attributes
    ----------
    count, sum, min, max : ndarray of int64
        Exact, of each group; ``min`` and ``max`` of an empty group are -1.
    """

    def __init__(self) -> None:
        self.count: I8 = np.zeros(0, np.int64)
        self.sum: I8 = np.zeros(0, np.int64)
        self.max: I8 = np.zeros(0, np.int64)
        self._min: I8 = np.zeros(0, np.int64)
        self._keys: I8 = np.zeros(0, np.int64)  # group * _BUCKETS + bucket, rising
        self._counts: I8 = np.zeros(0, np.int64)
        self._pending: list[I8] = []
        self._n_pending = 0

    @property
    def min(self) -> I8:
        """Smallest value of each group; -1 if it is empty."""
        return np.where(self.count > 0, self._min, -1)

    def __len__(self) -> int:
        return len(self.count)

    def add(self, groups: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Count values.

        Parameters
        ----------
        groups : array_like of int
            Number of the group of each value, from 0.
        values : array_like of int
            At least 0.
        """
        values = np.asarray(values, np.int64)
        groups = np.broadcast_to(np.asarray(groups, np.int64), values.shape)
        if not len(values):
            return
        self._grow(int(groups.max()) + 1)
        np.add.at(self.count, groups, 1)
        np.add.at(self.sum, groups, values)
        np.maximum.at(self.max, groups, values)
        np.minimum.at(self._min, groups, values)
        self._pending.append(groups * _BUCKETS + _bucket(values))
        self._n_pending += len(values)
        if self._n_pending > max(_MAX_PENDING, len(self._keys)):
            self._compact()

    def _grow(self, n: int) -> None:
        more = max(n - len(self.count), 0)
        self.count, self.sum = (np.append(old, np.zeros(more, np.int64)) for old in (self.count, self.sum))
        self.max = np.append(self.max, np.full(more, -1))
        self._min = np.append(self._min, np.full(more, np.iinfo(np.int64).max))

    def _compact(self) -> None:
        keys = np.concatenate((self._keys, *self._pending))
        self._keys, inverse = np.unique(keys, return_inverse=True)
        counts = np.ones(len(keys), np.int64)
        counts[: len(self._counts)] = self._counts
        self._counts = np.zeros(len(self._keys), np.int64)
        np.add.at(self._counts, inverse, counts)
        self._pending, self._n_pending = [], 0

    def regrouped(self, groups: npt.ArrayLike) -> Distributions:
        """Return the distributions of groups of groups.

        Parameters
        ----------
        groups : array_like of int
            The new number of each group; -1 leaves a group out. Those after the last group are ignored.
        """
        self._compact()
        groups = np.asarray(groups, np.int64)[: len(self)]
        other = Distributions()
        kept = (groups >= 0) & (self.count > 0)
        other._grow(int(groups.max(initial=-1)) + 1)
        np.add.at(other.count, groups[kept], self.count[kept])
        np.add.at(other.sum, groups[kept], self.sum[kept])
        np.maximum.at(other.max, groups[kept], self.max[kept])
        np.minimum.at(other._min, groups[kept], self._min[kept])
        group, bucket = groups[self._keys // _BUCKETS], self._keys % _BUCKETS
        kept = group >= 0
        other._keys, inverse = np.unique(group[kept] * _BUCKETS + bucket[kept], return_inverse=True)
        other._counts = np.zeros(len(other._keys), np.int64)
        np.add.at(other._counts, inverse, self._counts[kept])
        return other

    def percentile(self, q: float) -> I8:
        """Return a percentile of each group.

        Parameters
        ----------
        q : float
            Fraction in (0, 1].

        Returns
        -------
        ndarray of int64
            The smallest value such that at least the fraction q of all values is at or below it, within 0.8 %, exact if
            that is the smallest or the largest of all; -1 for an empty group.
        """
        self._compact()
        upto = np.cumsum(self._counts)
        before = np.cumsum(self.count) - self.count
        rank = np.maximum(np.ceil(q * self.count), 1).astype(np.int64)
        filled = self.count > 0
        at = np.searchsorted(upto, (before + rank)[filled])
        result = np.full(len(self.count), -1)
        least, most = self._min[filled], self.max[filled]
        values = np.clip(_middle(self._keys[at] % _BUCKETS), least, most)
        values = np.where(rank[filled] == 1, least, values)
        result[filled] = np.where((rank == self.count)[filled], most, values)
        return result

    def histogram(self, group: int) -> tuple[I8, I8]:
        """Return the lower edges of the buckets of a group that count a value, and the counts."""
        self._compact()
        first, last = np.searchsorted(self._keys, (group * _BUCKETS, (group + 1) * _BUCKETS))
        return _edge(self._keys[first:last] % _BUCKETS), self._counts[first:last]


def _bucket(values: I8) -> I8:
    shift = np.maximum(np.frexp(values.astype(np.float64))[1] - _BITS - 1, 0).astype(np.int64)
    return np.asarray((shift << _BITS) + (values >> shift))


def _shift(buckets: I8) -> I8:
    return np.asarray(np.maximum((buckets >> _BITS) - 1, 0))


def _edge(buckets: I8) -> I8:
    shift = _shift(buckets)
    return np.asarray((buckets - (shift << _BITS)) << shift)


def _middle(buckets: I8) -> I8:
    return _edge(buckets) + ((1 << _shift(buckets)) - 1) // 2


def go_histogram(durations: npt.ArrayLike) -> I8:
    """Return the latency histogram that Go's trace tool shows for tasks and regions.

    Parameters
    ----------
    durations : array_like of int
        ns.

    Returns
    -------
    ndarray of int64
        Count of each bucket from 0 to the last one in use: bucket k has the durations above ``10**(k / 5)``, up to
        ``10**((k + 1) / 5)``. An exact power of ten from 10 on is in the bucket that it ends, as in Go.
    """
    return np.bincount(np.searchsorted(GO_EDGES, np.asarray(durations, np.int64)))
