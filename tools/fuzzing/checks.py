"""What a target is, and which results of a call are right: rows, a TraceError or a documented ValueError.

Never here: inputs.
"""

from __future__ import annotations

import linecache
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import gotrace

PACKAGES = (str(Path(gotrace.__file__).parent), "src/gotrace/")  # where modules are, and where kernels were compiled


class Problem(NamedTuple):
    """A finding about one input: the call, a short reason that is the same for the same fault, and all details."""

    call: str
    reason: str
    details: str = ""


class Target(Protocol):
    """A way to test inputs.

    Attributes
    ----------
    lot : int
        Inputs given to :meth:`check` at a time.
    largest : int
        Most bytes of a seed.
    changed : int
        Inputs so far that the target made itself, by changing those that it was given.
    documented : Counter
        Results so far that differ from Go's in a documented way.
    """

    lot: int
    largest: int
    changed: int
    documented: Counter[str]

    @property
    def runs(self) -> int:
        """Reads so far."""

    def check(self, inputs: Sequence[bytes], number: int, only: str | None = None) -> list[Problem | None]:
        """Test inputs, the first of which has this number; ``only`` is the one call to make."""


def _frame(error: BaseException) -> traceback.FrameSummary:
    """Return the innermost frame of gotrace."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame for frame in reversed(frames) if frame.filename.startswith(PACKAGES)), frames[-1])


def documented(error: Exception) -> bool:
    """True for an error that a user may get: a TraceError, or a ValueError that gotrace itself raises."""
    if isinstance(error, gotrace.TraceError):
        return True
    frame = _frame(error)
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    return isinstance(error, ValueError) and line.startswith("raise ")


def reason_of(error: BaseException) -> str:
    """Return the class of an error and where it was raised."""
    frame = _frame(error)
    return f"{type(error).__name__} at {frame.filename.rpartition('gotrace/')[2]}:{frame.lineno}"


def problem_of(call: str, read: Callable[[], Any]) -> Problem | None:
    """Run a call; text that it returns says what is wrong with its result."""
    try:
        wrong = read()
    except Exception as error:
        if documented(error):
            return None
        return Problem(call, reason_of(error), traceback.format_exc())
    return Problem(call, wrong.partition("\n")[0], wrong) if isinstance(wrong, str) else None
