"""Rows of several tables in one pass, and the texts and call stacks that they refer to. Never here: what they mean."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from typing import Any, SupportsIndex, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from gotrace.analysis.texts import distinct
from gotrace.dtypes import I4, I8, Rows, opaque
from gotrace.errors import TraceError
from gotrace.order.selection import Bounds
from gotrace.tables.catalog import TABLES
from gotrace.tables.instants import QueryError, since_start
from gotrace.tables.passes import Progress
from gotrace.tables.table import chunks
from gotrace.trace import Trace
from gotrace.units import human_time
from gotrace.wire.structure import Frame

TEXTS = ("strings",)
STACKS = ("strings", "stacks", "frames")
_STEP = 1 << 20  # bytes of a chunk

R = TypeVar("R")

Keep = Callable[[Rows], Rows]
"""Returns what to keep of a chunk of rows: a new array."""

Moment: TypeAlias = "int | float | str | timedelta | np.timedelta64[Any] | np.integer[Any] | np.floating[Any]"
"""A time in ns on the trace's clock if it is an integer, else since the start: ``1.5`` (seconds), ``"1.5s"``."""

Range: TypeAlias = "tuple[Moment | None, Moment | None] | None"
"""Range of time without its end; None in place of an end leaves it open."""


def on_clock(trace: Trace, time: Range) -> Bounds:
    """Return both ends of a range in ns on the trace's clock.

    Raises
    ------
    TypeError, ValueError
        This is not a range, or no part of it is in the trace.
    """
    if not isinstance(time, tuple | list) or len(time) != 2:
        raise TypeError(f"time={time!r}: must be two times, or None in place of one")
    first, end = (_clock_time(trace, moment) for moment in time)
    if first is not None and end is not None and first > end:
        raise QueryError(f"time={time!r}: the range ends before it starts")
    if not trace.reader.source.once:
        with suppress(TraceError):  # of a damaged trace, whose end is not known
            _check_inside(trace, first, end)
    return first, end


def _check_inside(trace: Trace, first: int | None, end: int | None) -> None:
    """Raise an error for a range outside of the trace; nothing is read of what follows its start."""
    if end is not None and end < trace.start:
        raise QueryError(f"the range of time ends before the trace starts, at {trace.start} ns on its clock")
    last = -1
    with trace.reader.peek():
        for _, rows in chunks(trace.reader, {"generations": ["end"]}, 1) if first is not None else ():
            last = int(rows["end"][0])
            if first is None or first <= last:
                return
    if last >= 0:
        after = f"{human_time(last - trace.start)} after its start, at {last} ns on its clock"
        raise QueryError(f"the range of time starts after the end of the trace: {after}")


def _clock_time(trace: Trace, moment: Moment | None) -> int | None:
    limits = np.iinfo(np.int64)
    if moment is None:
        return None
    if isinstance(moment, SupportsIndex) and not isinstance(moment, bool):
        return min(max(operator.index(moment), limits.min), limits.max)
    if trace.reader.source.once:
        raise QueryError(f"time={moment!r}: times since the start need a trace that can be read twice")
    return trace.start + since_start(moment, "time")


def bounds(time: Range) -> Bounds:
    """Return both ends of a range that :func:`on_clock` made."""
    return cast(Bounds, time or (None, None))


def starts_in(start: I8, time: Range) -> npt.NDArray[np.bool_]:
    """Return which times are in a range; -1, a start before the trace, is in one without a start."""
    first, end = bounds(time)
    chosen = np.ones(len(start), bool)
    if first is not None:
        chosen &= start >= first
    if end is not None:
        chosen &= start < end
    return chosen


def last_life(lives: Rows) -> Rows:
    """Return the row of GOROUTINE that gives ``Gathered.end``."""
    return lives[np.argsort(lives["created"] + lives["total"])[-1:]]


def _joined(pieces: list[Rows]) -> Rows:
    """Return all rows; rows without objects are copied as bytes, which is faster."""
    dtype = pieces[0].dtype
    return np.concatenate(pieces if dtype.hasobject else list(map(opaque, pieces))).view(dtype)


class Gathered:
    """Rows of tables, as far as they could be read.

    Parameters
    ----------
    trace : Trace
    keep : dict of str to callable
        By table: what to keep of each chunk.
    lookups : tuple of str
        Tables that the rows refer to.
    progress : callable, optional
        Called with the number of bytes read so far.
    time : tuple of int or None, optional
        Ordered events and scheduling tables in this range only: the pass ends where it ends, and what is live where
        it starts, starts there. Rows of ``transitions`` and other tables of events before it are kept.

    Attributes
    ----------
    rows : dict of str to ndarray
        By table.
    fault : TraceError or None
        The fault that ended the pass.
    """

    def __init__(
        self,
        trace: Trace,
        keep: Mapping[str, Keep],
        lookups: tuple[str, ...] = STACKS,
        progress: Progress | None = None,
        time: Range = None,
    ) -> None:
        dtypes = {name: TABLES[name].dtype for name in (*lookups, *keep)}
        pieces = {name: [keep.get(name, np.copy)(np.empty(0, dtype))] for name, dtype in dtypes.items()}
        self.fault: TraceError | None = None
        try:
            columns = {name: list(dtype.names or ()) for name, dtype in dtypes.items()}
            for name, rows in chunks(trace.reader, columns, _STEP, progress, bounds(time)):
                kept = keep[name](rows) if name in keep else rows
                if len(kept):  # an empty view would hold the memory of the chunk
                    pieces[name].append(kept)
        except TraceError as error:
            self.fault = error
        self.rows = {name: _joined(found) for name, found in pieces.items()}

    def checked(self, result: R) -> R:
        """Return a result; if there is a fault, raise it with the result as its ``partial``."""
        if self.fault is not None:
            self.fault.partial = result
            raise self.fault
        return result

    @property
    def end(self) -> int:
        """Time in ns up to which the rows of ``goroutines`` count; 0 if there is none."""
        lives = self.rows["goroutines"]
        return int((lives["created"] + lives["total"]).max(initial=0))

    @cached_property
    def texts(self) -> list[str]:
        """Text of each row of ``strings``."""
        texts: list[str] = self.rows["strings"]["text"].tolist()
        return texts

    def frames(self, stack: int) -> tuple[Frame, ...]:
        """Return the frames of a row of ``stacks``, leaf first."""
        first, n = (int(self.rows["stacks"][name][stack]) for name in ("first", "n_frames"))
        frames = self.rows["frames"][first : first + n][["function", "file", "line", "pc"]].tolist()
        return tuple(Frame(self.texts[function], self.texts[file], line, pc) for function, file, line, pc in frames)

    def merged(self, stacks: I4 | I8) -> tuple[I4, list[tuple[Frame, ...]]]:
        """Return which stacks have the same frames; each generation has rows of its own for them.

        Parameters
        ----------
        stacks : ndarray of int
            Rows of ``stacks``.

        Returns
        -------
        index : ndarray of int32
            For each of ``stacks``, the index of its frames.
        frames : list of tuple of Frame
        """
        rows, inverse = np.unique(stacks, return_inverse=True)
        of_stacks = self.rows["stacks"][rows]
        n = of_stacks["n_frames"].astype(np.int64)
        ends = np.cumsum(n)
        frames = self.rows["frames"][np.repeat(of_stacks["first"] - ends + n, n) + np.arange(n.sum())]
        numbers, different = self._distinct(frames)
        found: dict[bytes, int] = {}
        keys = [numbers[end - length : end].tobytes() for end, length in zip(ends.tolist(), n.tolist(), strict=True)]
        index = np.array([found.setdefault(key, len(found)) for key in keys], np.int32)
        return index[inverse], [tuple(different[i] for i in np.frombuffer(key, np.int32).tolist()) for key in found]

    def _distinct(self, frames: Rows) -> tuple[I4, list[Frame]]:
        """Return the number of each row of ``frames`` among those that differ, and these."""
        first: dict[str, int] = {}
        text = np.array([first.setdefault(text, row) for row, text in enumerate(self.texts)], np.int64)
        at, numbers = distinct(text[frames["function"]], text[frames["file"]], frames["line"], frames["pc"])
        rows = frames[at][["function", "file", "line", "pc"]].tolist()
        found = [Frame(self.texts[function], self.texts[file], line, pc) for function, file, line, pc in rows]
        return numbers.astype(np.int32), found

    def text(self, strings: I4) -> npt.NDArray[np.object_]:
        """Return the text of each row of ``strings``."""
        return np.array([self.texts[row] for row in strings.tolist()], object)

    def where(self, strings: I4, matches: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
        """Return whether the text of each row of ``strings`` matches."""
        rows, inverse = np.unique(strings, return_inverse=True)
        return np.array([matches(self.texts[row]) for row in rows.tolist()], bool)[inverse]
