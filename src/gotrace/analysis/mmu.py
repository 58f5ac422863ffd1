"""Minimum mutator utilization, and its distribution, over windows of any length. Never here: what counts as collection.

As in Go's ``internal/trace``, but every window is looked at. The mean of a window is linear between the positions where
one of its edges meets a change of utilization.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np

from gotrace.analysis.gather import Range
from gotrace.analysis.traces import analysis
from gotrace.analysis.utilization import INCLUDE, utilization
from gotrace.dtypes import F8, I8, Rows
from gotrace.errors import TraceError
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.views import View, Viewed, cells

_POINTS = 100  # of a curve
_DECADES = 6  # that a curve covers


class Window(NamedTuple):
    """A window of time with its mean utilization; ``start`` in ns."""

    start: int
    util: float


class MMU:
    """Windows of utilization functions.

    Parameters
    ----------
    series : list of ndarray of UTIL
        Result of :func:`gotrace.utilization`.
    """

    def __init__(self, series: Sequence[Rows]) -> None:
        self._series = [_Integral(rows) for rows in series]

    def mmu(self, window: int) -> float:
        """Return the minimum mutator utilization: the least mean of any window of this length.

        Parameters
        ----------
        window : int
            ns. A function shorter than that counts with its mean.

        Returns
        -------
        float
            From 0 to 1; 0 for a window without length.
        """
        if window <= 0:
            return 0.0
        return min((one.least(window) for one in self._series), default=1.0)

    def mud(self, window: int, quantiles: Sequence[float]) -> F8:
        """Return quantiles of the mutator utilization distribution.

        Parameters
        ----------
        window : int
            ns.
        quantiles : sequence of float
            Fractions of all positions of the window.

        Returns
        -------
        ndarray of float64
            The utilization that this fraction of the positions does not exceed. It is that of :meth:`mmu` if the
            functions are not longer than the window.
        """
        if window <= 0:
            return np.zeros(len(quantiles))
        longer = [one for one in self._series if one.length > window]
        if not longer:
            return np.full(len(quantiles), self.mmu(window))
        pieces = [_pieces(*one.windows(window)) for one in longer]
        low, high, mass = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
        return _quantiles(low, high, mass, np.asarray(quantiles) * sum(one.length - window for one in longer))

    def mean(self) -> float:
        """Return the mean of all functions, by their lengths."""
        length = sum(one.length for one in self._series)
        return sum(one.total() for one in self._series) / length if length else float("nan")

    def worst(self, window: int, n: int = 10) -> list[Window]:
        """Return up to n windows with the least utilization that do not overlap, lowest and then earliest first."""
        if window <= 0 or not self._series:
            return []
        columns = [one.windows(window) for one in self._series]
        start, util = (np.concatenate(column) for column in zip(*columns, strict=True))
        order = np.lexsort((start, util))
        start, util = start[order], util[order]
        found: list[Window] = []
        while len(start) and len(found) < n:
            found.append(Window(int(start[0]), float(util[0])))
            apart = np.abs(start - start[0]) >= window
            start, util = start[apart], util[apart]
        return found

    def curve(self) -> tuple[I8, F8]:
        """Return the window lengths that Go's tool shows, in ns, and the minimum mutator utilization of each.

        They are 100 lengths in equal steps of the logarithm. They cover six decades, from a length whose utilization is
        nearly 0, but do not exceed the longest function.
        """
        least = 1_000_000_000
        while least > 1 and self.mmu(least) >= 1e-4:
            least //= 1000
        most = min(least * 10**_DECADES, max((one.length for one in self._series), default=0))
        windows = np.exp(np.linspace(np.log(max(least, 1)), np.log(max(most, 1)), _POINTS)).astype(np.int64)
        return windows, np.array([self.mmu(window) for window in windows.tolist()])


WINDOWS = np.dtype([("window", "i8"), *((name, "f8") for name in ("mmu", "q01", "q05", "q10", "q50"))], align=True)
"""A row for each length of a window, in ns: minimum mutator utilization, and quantiles of its distribution."""

_QUANTILES = (0.01, 0.05, 0.1, 0.5)


@dataclass(repr=False)
class Utilization(Viewed):
    """Mutator utilization of a trace.

    Attributes
    ----------
    table : ndarray of WINDOWS
    functions : MMU
        For windows of other lengths.
    worst : list of Window
        Windows of the shortest length of ``table`` with the least utilization.
    mean : float
        Over the trace, or the part of it; NaN if it is not known.
    start : int
        ns, the start of the trace; -1 if it has no events.
    include : tuple of str
        What counts as collection.
    per_goroutine : bool
        As requested.
    seen : bool
        True if the trace states the number of procs.
    """

    table: Rows = field(default_factory=lambda: np.empty(0, WINDOWS))
    functions: MMU = field(default_factory=lambda: MMU([]))
    worst: list[Window] = field(default_factory=list)
    mean: float = float("nan")
    start: int = -1
    include: tuple[str, ...] = INCLUDE
    per_goroutine: bool = False
    seen: bool = False

    def view(self) -> View:
        """Return minima and quantiles by length of the window, in ns."""
        columns = ("window", "mmu", "q01", "q05", "q10", "q50")
        return View(f"mean utilization {self.mean:.3f}", columns, cells(self.table, columns), len(self.table))


@analysis
def mmu(
    trace: Trace,
    *,
    include: Iterable[str] = INCLUDE,
    per_goroutine: bool = False,
    windows: Sequence[int] = (),
    worst: int = 10,
    time: Range = None,
    progress: Progress | None = None,
) -> Utilization:
    """Return the minimum mutator utilization: how little of a window of time the collector leaves to the program.

    Parameters
    ----------
    trace : Trace
    include, per_goroutine
        As for :func:`gotrace.utilization`.
    windows : sequence of int, optional
        Lengths of windows in ns. By default, those of each power of ten up to the length of the trace.
    worst : int
        Number of worst windows.
    time : tuple of times or None, optional
        Only windows in this range. Integers are ns on the trace's clock, other times count from its start: ``("1.5s",
        2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Utilization

    Raises
    ------
    ValueError
        ``include`` has an unknown name.
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    fault: TraceError | None = None
    chosen = tuple(include)
    try:
        series = utilization(trace, chosen, per_goroutine=per_goroutine, time=time, progress=progress)
    except TraceError as error:
        fault, series = error, cast("list[Rows]", error.partial or [])
    result = Utilization(include=chosen, per_goroutine=per_goroutine, seen=len(series) > 0)
    if series:
        functions = result.functions = MMU(series)
        lengths = list(windows) or _powers(max(int(rows["time"][-1] - rows["time"][0]) for rows in series))
        result.table = np.array(
            [(length, functions.mmu(length), *functions.mud(length, _QUANTILES)) for length in lengths], WINDOWS
        )
        result.worst = functions.worst(min(lengths), worst)
        result.mean = functions.mean()
        result.start = trace.reader.start
    if fault is not None:
        fault.partial = result
        raise fault
    return result


def _powers(longest: int) -> list[int]:
    """Return the powers of ten from 10 µs up to a length; at least one."""
    return [10**power for power in range(4, 19) if 10**power <= longest] or [max(longest, 1)]


class _Integral:
    """A utilization function and its integral."""

    def __init__(self, rows: Rows) -> None:
        self._time, self._util = rows["time"].astype(np.int64), rows["util"].astype(np.float64)
        self._sums = np.append(0.0, np.cumsum(self._util[:-1] * np.diff(self._time)))
        self.length = int(self._time[-1] - self._time[0])

    def total(self) -> float:
        """Return the integral over the whole function."""
        return float(self._sums[-1])

    def _upto(self, time: I8) -> F8:
        at = np.searchsorted(self._time, time, side="right") - 1
        return np.asarray(self._sums[at] + self._util[at] * (time - self._time[at]))

    def least(self, window: int) -> float:
        """Return the least mean of a window."""
        window = min(window, self.length)
        if window == 0:
            return float(self._util[0])
        last = self._time[-1] - window
        after, before = self._time[self._time <= last], self._time[self._time - window >= self._time[0]]
        sums = self._sums[: len(after)], self._sums[len(self._time) - len(before) :]
        means = self._upto(after + window) - sums[0], sums[1] - self._upto(before - window)
        return float(min(column.min() for column in means if len(column))) / window

    def windows(self, window: int) -> tuple[I8, F8]:
        """Return where a window can start so that one of its edges meets a change, rising, and the means."""
        window = min(window, self.length)
        if window == 0:
            return self._time[:1], self._util[:1]
        first, last = self._time[0], self._time[-1] - window
        start = np.unique(np.concatenate((self._time, self._time - window, (first, last))))
        start = start[(start >= first) & (start <= last)]
        return start, (self._upto(start + window) - self._upto(start)) / window


def _pieces(start: I8, util: F8) -> tuple[F8, F8, I8]:
    """Return the least and the largest mean of each linear piece, and its length."""
    return np.minimum(util[:-1], util[1:]), np.maximum(util[:-1], util[1:]), np.diff(start)


def _quantiles(low: F8, high: F8, mass: I8, upto: F8) -> F8:
    """Return the values at which a sum of uniform distributions reaches some masses."""
    level = low == high
    rate = mass[~level] / (high[~level] - low[~level])
    x = np.concatenate((low[level], low[~level], high[~level]))
    order = np.argsort(x, kind="stable")
    x = x[order]
    point = np.concatenate((mass[level], np.zeros(2 * len(rate))))[order]
    rates = np.append(0.0, np.cumsum(np.concatenate((np.zeros(np.count_nonzero(level)), rate, -rate))[order]))[:-1]
    before = np.cumsum(np.diff(x, prepend=x[0]) * rates + np.append(0.0, point[:-1]))
    found = np.empty(len(upto))
    for i, y in enumerate(upto.tolist()):
        at = min(int(np.argmax(np.append(before + point >= y, True))), len(x) - 1)
        inside = at > 0 and before[at] > y and rates[at] > 0
        found[i] = x[at] - (before[at] - y) / rates[at] if inside else x[at]
    return found
