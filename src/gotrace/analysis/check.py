"""Limits of a heap, for tests and CI: a trace and limits come in, the exceeded ones go out. Never here: output."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gotrace.analysis.leaks import LEAST_POINTS, Leaks, leaks
from gotrace.analysis.traces import analysis
from gotrace.errors import NoHeapDataError, TraceError, suggestion
from gotrace.trace import Trace
from gotrace.units import human_bytes, human_change, human_count, parse_size
from gotrace.views import View, Viewed


@dataclass(frozen=True)
class Limit:
    """One limit and what was found.

    Attributes
    ----------
    name : str
        ``max_heap``, ``max_growth``, ``max_alloc`` or ``forbid_leak``.
    limit : str
        The limit as given.
    value : float or None
        What was found, in bytes or bytes per second; None if it cannot be judged, or no type has the name.
    ok : bool
        True if the limit is kept.
    detail : str
        One line: what was found, and the limit.
    """

    name: str
    limit: str
    value: float | None
    ok: bool
    detail: str


@dataclass(frozen=True, repr=False)
class Check(Viewed):
    """The limits of a check; true if all are kept, so that a test can assert it.

    Attributes
    ----------
    trace : str
        Name of the trace.
    limits : list of Limit
    """

    trace: str
    limits: list[Limit] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True if all limits are kept."""
        return all(limit.ok for limit in self.limits)

    @property
    def failures(self) -> list[str]:
        """A line for each limit that is not kept."""
        return [limit.detail for limit in self.limits if not limit.ok]

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return "\n  ".join((super().__repr__(), *self.failures))

    def view(self) -> View:
        """Return the limits, and whether they are kept."""
        rows = [(limit.name, limit.limit, "ok" if limit.ok else "failed", limit.detail) for limit in self.limits]
        return View(
            f"{self.trace!r}, {'ok' if self.ok else 'failed'}", ("name", "limit", "result", "detail"), rows, len(rows)
        )


class Checks(list[Check]):
    """Checks of several traces; true if all are, so that a test can assert it."""

    def __bool__(self) -> bool:
        return all(self)


@dataclass(frozen=True)
class Limits:
    """Limits of a check; None for no limit.

    Parameters
    ----------
    max_heap, max_growth, max_alloc, forbid_leak
        As for :func:`gotrace.check`.

    Raises
    ------
    ValueError
        A limit is invalid, or there is none.
    """

    max_heap: str | int | None = None
    max_growth: str | float | None = None
    max_alloc: str | float | None = None
    forbid_leak: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        if (self.max_heap, self.max_growth, self.max_alloc) == (None, None, None) and not self.forbid_leak:
            raise ValueError("no limit: use max_heap, max_growth, max_alloc or forbid_leak")
        self.of(Leaks())  # parse all limits

    def of(self, found: Leaks) -> list[Limit]:
        """Compare what was found with each limit."""
        limits = []
        if self.max_heap is not None:
            limits.append(_heap(found, self.max_heap))
        if self.max_growth is not None:
            limits.append(_growth(found, self.max_growth))
        if self.max_alloc is not None:
            limits.append(_alloc(found, self.max_alloc))
        types = [self.forbid_leak] if isinstance(self.forbid_leak, str) else self.forbid_leak
        return limits + [_leak(found, pattern) for pattern in types if pattern]


def _heap(found: Leaks, limit: str | int) -> Limit:
    most, peak = parse_size(limit, "max_heap"), found.totals.get("peak_bytes", 0)
    allowed = limit if isinstance(limit, str) else human_bytes(limit)
    detail = f"heap: {human_bytes(peak)} in use at the peak, at most {allowed} allowed"
    return Limit("max_heap", str(limit), peak, peak <= most, detail)


def _growth(found: Leaks, limit: str | float) -> Limit:
    share, name = None, str(limit)
    if isinstance(limit, float):
        share, name = limit, f"{100 * limit:.10g}%"
    elif isinstance(limit, str) and (percent := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", limit)):
        share = float(percent[1]) / 100
    elif isinstance(limit, int):
        name = human_bytes(limit)
    try:
        fixed = parse_size(limit, "max_growth") if share is None and not isinstance(limit, float) else 0
    except ValueError:
        raise ValueError(f"max_growth={limit!r} is not a limit: write 5% or 512KiB") from None
    if len(found.points) < 2:
        return Limit("max_growth", name, None, False, f"growth: {_unjudged(found, 3)}")
    first, last = int(found.total_bytes[0]), int(found.total_bytes[-1])
    ok = last - first <= (fixed if share is None else share * first)
    change = f"{human_bytes(first)} to {human_bytes(last)} ({human_change(last, first)})"
    return Limit(
        "max_growth", name, last - first, ok, f"growth: {change} over {_cycles(found)}, at most {name} allowed"
    )


def _alloc(found: Leaks, limit: str | float) -> Limit:
    if isinstance(limit, str):
        if not limit.endswith("/s"):
            raise ValueError(f"max_alloc={limit!r} is not a rate: write, for example, '10MB/s'")
        most: float = parse_size(limit[:-2], "max_alloc")
    else:
        most = limit
    rate = found.totals.get("alloc_bytes", 0) * 1e9 / max(found.end - found.start, 1)
    allowed = limit if isinstance(limit, str) else f"{human_bytes(limit)}/s"
    detail = f"allocations: {human_bytes(rate)}/s, at most {allowed} allowed"
    return Limit("max_alloc", str(limit), rate, rate <= most, detail)


def _leak(found: Leaks, pattern: str) -> Limit:
    if not found.judged:
        return Limit("forbid_leak", pattern, None, False, f"leak of {pattern}: {_unjudged(found, LEAST_POINTS + 1)}")
    if not any(name == pattern or fnmatchcase(name, pattern) for name in found.names):
        similar = suggestion(pattern, found.names)
        return Limit(
            "forbid_leak", pattern, None, True, f"leak of {pattern}: no type of this name in the trace{similar}"
        )
    growing = [name for name in found.growing if name == pattern or fnmatchcase(name, pattern)]
    rows = [found.names.index(name) for name in growing]
    objects, nbytes = (values[rows, -1] - values[rows, 0] for values in (found.objects, found.nbytes))
    grown = ", ".join(f"{name} +{human_count(n, 'object')}" for name, n in zip(growing, objects.tolist(), strict=True))
    detail = f"leak of {pattern}: {grown or 'none'} over {_cycles(found)}"
    return Limit("forbid_leak", pattern, int(nbytes.sum()), not growing, detail)


def _unjudged(found: Leaks, least: int) -> str:
    return (
        f"cannot be judged: {human_count(found.cycles, 'GC cycle')} started in the trace, at least {least} are needed"
    )


def _cycles(found: Leaks) -> str:
    return human_count(int(found.points[-1] - found.points[0]), "GC cycle")


def _check(
    trace: Trace,
    *,
    max_heap: str | int | None = None,
    max_growth: str | float | None = None,
    max_alloc: str | float | None = None,
    forbid_leak: str | Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Check:
    """Compare the heap of a trace with limits, for tests.

    One pass.

    Parameters
    ----------
    trace : Trace, path, buffer or file, or a list of these
    max_heap : str or int, optional
        Most bytes in use at any time, such as ``"64MiB"``.
    max_growth : str, float or int, optional
        Most that the objects that survive a GC cycle may grow, from the first cycle to the last whose survivors are
        known: a share of the first (``"5%"``, or 0.05) or bytes (``"512KiB"``, or an int).
    max_alloc : str or float, optional
        Most bytes allocated per second, on average over the trace: ``"10MB/s"``.
    forbid_leak : str or sequence of str, optional
        Types, or patterns with ``*`` and ``?``, that must not grow steadily; docs/leak.md states the rule.
    progress : callable, optional
        Called with the number of bytes read so far.

    Returns
    -------
    Check
        True if all limits are kept. A limit that cannot be judged for lack of GC cycles is not kept. Of a list, a list
        that is true if all checks are.

    Raises
    ------
    ValueError
        A limit is invalid, or there is none.
    NoHeapDataError
        The trace has no alloc/free events.
    TraceError
        The trace is damaged; its attribute ``partial`` is the Check up to the fault.

    Examples
    --------
    >>> assert gotrace.check("app.trace", max_heap="64MiB", forbid_leak="session.*")  # doctest: +SKIP
    """
    return check_trace(trace, Limits(max_heap, max_growth, max_alloc, forbid_leak), progress)


check = analysis(_check, Checks)


def check_trace(trace: Trace, limits: Limits, progress: Callable[[int], None] | None = None) -> Check:
    """Compare the heap of an open trace with limits; raises like :func:`gotrace.check`."""
    try:
        found = leaks(trace, progress)
    except TraceError as fault:
        fault.partial = Check(trace.path, limits.of(fault.partial))
        raise
    if not found.seen:
        raise NoHeapDataError(trace.path, lost=bool(trace.losses))
    return Check(trace.path, limits.of(found))
