"""Cycles and pauses of the garbage collector, and which goroutines delay them. Never here: output."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gotrace.analysis.gather import Gathered, Keep, Range, bounds, last_life
from gotrace.analysis.texts import NO_STACK, merged, one_line, start_function
from gotrace.analysis.traces import analysis
from gotrace.dtypes import CYCLE, PAUSE, Rows
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.units import human_count
from gotrace.views import View, Viewed, cells

ASSISTS = np.dtype([("name", "O"), ("goroutines", "i8"), ("assist", "i8"), ("exec", "i8"), ("total", "i8")], align=True)
"""A row for each start function: its goroutines that assisted, and their time in mark assists, running, and in all, in
ns. In an assist, a goroutine runs or waits."""
PARTS = {"total": ("start", "end"), "stopping": ("start", "stopped"), "stopped": ("stopped", "restarted")}
"""Parts of a pause by name: the fields of PAUSE where they start and end."""


@dataclass(repr=False)
class Collector(Viewed):
    """What the garbage collector did in a trace.

    Attributes
    ----------
    cycles : ndarray of CYCLE
    pauses : ndarray of PAUSE
    reasons, requests, culprits : list of str
        For each pause, its reason, the call stack that requested it, and where the goroutine was that stopped last.
    assists : ndarray of ASSISTS
        Most ``assist`` first.
    start, end : int
        ns, of the trace, and of what was read of it; -1 if there is none.
    seen : bool
        True if the trace has events.
    """

    cycles: Rows = field(default_factory=lambda: np.empty(0, CYCLE))
    pauses: Rows = field(default_factory=lambda: np.empty(0, PAUSE))
    reasons: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    culprits: list[str] = field(default_factory=list)
    assists: Rows = field(default_factory=lambda: np.empty(0, ASSISTS))
    start: int = -1
    end: int = -1
    seen: bool = False

    @property
    def table(self) -> Rows:
        """The pauses."""
        return self.pauses

    def sort(self, part: str) -> None:
        """Sort the pauses by the length of one of ``PARTS``, longest first."""
        first, last = PARTS[part]
        ends = np.where(self.pauses[last] < 0, self.end, self.pauses[last])
        order = np.argsort(self.pauses[first] - ends, kind="stable")
        self.pauses = self.pauses[order]
        place = np.argsort(order)
        for name in ("sweep_pause", "mark_pause"):
            row = self.cycles[name]
            self.cycles[name][row >= 0] = place[row[row >= 0]]
        for name in ("reasons", "requests", "culprits"):
            texts = getattr(self, name)
            setattr(self, name, [texts[i] for i in order.tolist()])

    def view(self) -> View:
        """Return the pauses, times in ns."""
        columns = ("start", "stopped", "restarted", "end", "culprit_p", "culprit_g")
        rows = ((reason, *row) for reason, row in zip(self.reasons, cells(self.pauses, columns), strict=False))
        facts = f"{human_count(len(self.pauses), 'pause')}, {human_count(len(self.cycles), 'mark phase')}"
        return View(facts, ("reason", *columns), rows, len(self.pauses))


@analysis
def gc(trace: Trace, *, time: Range = None, progress: Progress | None = None) -> Collector:
    """Return cycles and pauses of the garbage collector, with what delayed each pause. One pass.

    Parameters
    ----------
    trace : Trace
    time : tuple of times or None, optional
        Only pauses and mark phases that are in this range, also in part; those that go on after it are open. Assists
        count in the range. Integers are ns on the trace's clock, other times count from its start: ``("1.5s", 2.5)``.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Collector

    Raises
    ------
    TraceError
        The trace is damaged; its attribute ``partial`` is the result up to the fault.
    """
    tables = ("cycles", "pauses", "goroutines")
    keep: dict[str, Keep] = {**dict.fromkeys(tables, np.copy), "goroutines": _assisting}
    found = Gathered(trace, keep, progress=progress, time=time)
    cycles, pauses, lives = (found.rows[name] for name in tables)
    first, _ = bounds(time)
    if first is not None:  # a phase of the table lasts to the next one
        cycles = cycles[(cycles["end"] < 0) | (cycles["end"] >= first)]
    start = trace.reader.start
    result = Collector(cycles, pauses, start=start, end=found.end if len(lives) else start, seen=start >= 0)
    result.reasons = [found.texts[row] for row in pauses["reason"].tolist()]
    result.requests = [one_line(found.frames(row)) for row in pauses["stack"].tolist()]
    result.culprits = [_culprit(found, row) for row in pauses["culprit_stack"].tolist()]
    lives = lives[lives["assist"] > 0]
    numbers, names = merged(found.texts[row] or NO_STACK for row in lives["function"].tolist())
    assists = np.zeros(len(names), ASSISTS)
    assists["name"] = names
    np.add.at(assists["goroutines"], numbers, 1)
    for name in ("assist", "exec", "total"):
        np.add.at(assists[name], numbers, lives[name])
    result.assists = assists[np.argsort(-assists["assist"], kind="stable")]
    return found.checked(result)


def _assisting(lives: Rows) -> Rows:
    """Return the goroutines that assisted, and the one that gives the end of the trace."""
    return np.concatenate((lives[lives["assist"] > 0], last_life(lives[lives["assist"] == 0])))


def _culprit(found: Gathered, stack: int) -> str:
    """Return where a goroutine was stopped: its start function, and its leaf."""
    frames = found.frames(stack)
    if not frames:
        return ""
    names = [start_function(frames), frames[0].function]
    return ", ".join(dict.fromkeys(names))
