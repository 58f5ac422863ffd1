"""What an analysis can be given: a function of one open trace becomes one of traces, paths and lists of them.

Never here: an analysis.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from gotrace.trace import Trace, open

P = ParamSpec("P")
R = TypeVar("R")


class Analysis(Protocol[P, R]):
    """A function of an open trace; of a path, buffer or file, which it opens and closes; or of a list of these.

    Of a list, the result is a list of results, in order; one trace is open at a time.
    """

    @overload
    def __call__(self, trace: list[Any] | tuple[Any, ...], /, *args: P.args, **kwargs: P.kwargs) -> list[R]: ...

    @overload
    def __call__(self, trace: Any, /, *args: P.args, **kwargs: P.kwargs) -> R: ...


def analysis(function: Callable[Concatenate[Trace, P], R]) -> Analysis[P, R]:
    """Return a function of an open trace as an :class:`Analysis`."""

    @wraps(function)
    def of_any(trace: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        if isinstance(trace, Trace):
            return function(trace, *args, **kwargs)
        if isinstance(trace, list | tuple):
            return [of_any(one, *args, **kwargs) for one in trace]
        with open(trace) as opened:
            return function(opened, *args, **kwargs)

    return of_any
