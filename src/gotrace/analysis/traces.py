"""What an analysis can be given: a function of one open trace becomes one of traces, paths and lists of them.

Never here: an analysis.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from gotrace.analysis.gather import Range, on_clock
from gotrace.trace import Analysis, Trace, open

P = ParamSpec("P")
R = TypeVar("R")


def analysis(
    function: Callable[Concatenate[Trace, P], R], several: Callable[[list[R]], list[R]] = list
) -> Analysis[P, R]:
    """Return a function of an open trace as an :class:`Analysis`; ``several`` makes the result of a list."""

    @wraps(function)
    def of_any(trace: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        if isinstance(trace, Trace):
            if kwargs.get("time") is not None:
                kwargs["time"] = on_clock(trace, cast(Range, kwargs["time"]))
            return function(trace, *args, **kwargs)
        if isinstance(trace, list | tuple):
            return several([of_any(one, *args, **kwargs) for one in trace])
        with open(trace) as opened:
            return of_any(opened, *args, **kwargs)

    return of_any
