"""Events by kind and call stack: a trace and a pattern come in, the events that match go out. Never here: output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import EVENT, I4, I8, Rows
from gotrace.errors import TraceError
from gotrace.spec.enums import EventKind
from gotrace.tables.builder import Builder
from gotrace.tables.catalog import TABLES
from gotrace.tables.passes import Progress
from gotrace.tables.stream import event_names
from gotrace.trace import Trace
from gotrace.wire.segments import Segment

_LENGTH = 1 << 15  # events at a time


@dataclass
class Found:
    """The events of a trace that match.

    Attributes
    ----------
    events : ndarray of EVENT
    functions : ndarray of int32
        For each event, the index in ``names`` of the function that the first pattern matches; without a pattern, that
        of the leaf of its stack.
    names : list of str
        Names of functions; the first one is empty.
    types : tuple of str
        Names of wire types by number.
    start : int
        Start of the trace in ns; -1 if it has no events.
    error : TraceError or None
        The fault that ended the search.
    """

    events: Rows = field(default_factory=lambda: np.empty(0, EVENT))
    functions: I4 = field(default_factory=lambda: np.empty(0, np.int32))
    names: list[str] = field(default_factory=lambda: [""])
    types: tuple[str, ...] = ()
    start: int = -1
    error: TraceError | None = None


def find(
    trace: Trace,
    kinds: Iterable[EventKind] = (),
    patterns: Sequence[str] = (),
    most: int | None = None,
    progress: Progress | None = None,
) -> Found:
    """Find events by kind and by the functions on their stacks.

    Parameters
    ----------
    trace : Trace
    kinds : iterable of EventKind
        Kinds of events; all if there are none.
    patterns : sequence of str
        Names of functions, with the wildcards of :mod:`fnmatch`; case matters, and a name matches itself. They must
        match frames of the event's stack in this order, leaf first; other frames may be in between.
    most : int, optional
        Number of events after which to stop.
    progress : callable, optional

    Returns
    -------
    Found
        A fault of the trace is in ``error``; the events are those before it.
    """
    read_pass = trace.reader.new_pass()
    stacks = _Stacks(patterns)
    wanted = np.zeros(256, bool)
    wanted[list(kinds) or slice(None)] = True
    found = Found(names=stacks.names, types=event_names(read_pass.registry.events))
    events: list[Rows] = []
    functions: list[I4] = []
    n = 0
    read = read_pass.read(stacks, TABLES["events"].builder(read_pass, _LENGTH), progress=progress)
    try:
        for _, rows in read:
            matches = stacks.functions[rows["stack"]]
            chosen = np.flatnonzero(wanted[rows["kind"]] & (matches >= 0))[: None if most is None else most - n]
            events.append(rows[chosen])
            functions.append(matches[chosen])
            n += len(chosen)
            if n == most:
                break
    except TraceError as error:
        found.error = error
    if n:
        found.events, found.functions = np.concatenate(events), np.concatenate(functions)
    found.start = stacks.start
    return found


class _Stacks(Builder):
    """The stacks of a trace that match patterns, by row of the table of stacks.

    Attributes
    ----------
    names : list of str
        Names of functions; the first one is empty.
    functions : ndarray of int32
        Index in ``names`` of the function that the first pattern matches, of the leaf without patterns; -1 if the
        stack does not match.
    start : int
        Start of the trace in ns; -1 if it has no events.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.names = [""]
        self.functions: I4 = np.full(1, -1 if patterns else 0, np.int32)
        self.start = -1
        self._patterns = [re.compile(f"{translate(pattern)}|{re.escape(pattern)}\\Z") for pattern in patterns]
        self._ids = {"": 0}
        self._matching = np.zeros((max(len(patterns), 1), 1), bool)  # by pattern and index in names
        self._match(0)

    def _match(self, name: int) -> None:
        for i, pattern in enumerate(self._patterns):
            self._matching[i, name] = pattern.match(self.names[name]) is not None

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Match the stacks of a segment."""
        if self.start < 0:
            self.start = segment.start
        tables = segment.tables
        rows, inverse = np.unique(tables.functions[tables.frames], return_inverse=True)
        ids = self._ids_of(map(tables.text, rows.tolist()))[inverse]
        starts = np.cumsum(tables.stacks["n_frames"], dtype=np.int64) - tables.stacks["n_frames"]
        matches = self._first_matches(ids, starts, starts + tables.stacks["n_frames"])
        self.functions = np.concatenate((self.functions, matches))
        return iter(())

    def _ids_of(self, texts: Iterable[str]) -> I4:
        known = len(self.names)
        ids = []
        for text in texts:
            ids.append(self._ids.setdefault(text, len(self.names)))
            if ids[-1] == len(self.names):
                self.names.append(text)
        if len(self.names) > self._matching.shape[1]:
            more = np.zeros((len(self._matching), len(self.names)), bool)
            self._matching = np.concatenate((self._matching, more), axis=1)
        for name in range(known, len(self.names)):
            self._match(name)
        return np.array(ids, np.int32)

    def _first_matches(self, ids: I4, starts: I8, ends: npt.NDArray[np.int64]) -> I4:
        """Return what ``functions`` holds, for stacks whose frames are those from ``starts`` to ``ends``."""
        if not self._patterns:
            leaves = np.append(ids, 0)[starts]
            return np.where(starts < ends, leaves, 0).astype(np.int32)
        at, first = starts, np.full(len(starts), -1, np.int32)
        for i in range(len(self._patterns)):
            hits = np.append(np.flatnonzero(self._matching[i][ids]), len(ids))  # frames, and one beyond all
            at = hits[np.searchsorted(hits, at)]
            if i == 0:
                first = np.append(ids, -1)[at]
            first = np.where(at < ends, first, -1).astype(np.int32)
            at = np.minimum(at + 1, len(ids))
        return first
