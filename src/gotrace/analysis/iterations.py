"""What amounts of a trace are divided by: operations, seconds or tasks. Never here: the amounts."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from gotrace.spec.enums import EventKind
from gotrace.trace import Trace

Per = Literal["op", "second", "task"]

UNITS: tuple[Per, ...] = ("op", "second", "task")

_RECORDED = "b.N"
"""Category of a log whose message is a number of operations, or the start of a task's type ``b.N=1000``."""


def count_tasks(trace: Trace) -> int:
    """Return the number of tasks that start in a trace."""
    kinds = trace.tasks["kind"]
    return int((kinds == EventKind.TASK_BEGIN).sum())


def recorded_operations(trace: Trace) -> int:
    """Return the number of operations that the program recorded, 0 if it did not.

    It is the sum of the messages of logs of category ``b.N``, and of the numbers in types of tasks ``b.N=1000``.
    """
    texts = trace.strings["text"]
    tasks, logs = trace.tasks.to_numpy(["name", "kind"]), trace.logs.to_numpy(["category", "message"])
    names = texts[tasks["name"][tasks["kind"] == EventKind.TASK_BEGIN]]
    messages = texts[logs["message"][np.isin(logs["category"], np.flatnonzero(texts == _RECORDED))]]
    numbers = [name.removeprefix(f"{_RECORDED}=") for name in names.tolist() if name.startswith(f"{_RECORDED}=")]
    return sum(int(text) for text in (*numbers, *messages.tolist()) if re.fullmatch(r"[0-9]{1,18}", text))


def iterations(trace: Trace, per: Per, seconds: float) -> float:
    """Return what the amounts of a trace are divided by.

    Raises
    ------
    ValueError
        The trace has none.
    """
    if per == "second":
        if seconds <= 0:
            raise ValueError(f"{trace.path}: the trace has no duration")
        return seconds
    n = count_tasks(trace) if per == "task" else recorded_operations(trace)
    if n == 0:
        remedy = "no tasks" if per == "task" else 'no log of category "b.N": set the numbers of operations (ops, --ops)'
        raise ValueError(f"{trace.path}: {remedy}")
    return n
