"""Lookup arrays for kernels: rows of the event table become arrays by event type. Never here: facts of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace.spec.events import EventSpec

NO_EVENT = 255
"""Value in :func:`wire_args` of a type that does not exist."""


class TimedEvents(NamedTuple):
    """The timed events of a trace, including those of experiments.

    Attributes
    ----------
    n_args : ndarray of uint8, shape (256,)
        See :func:`timed_args`.
    names : mapping of int to str
        Names by type.
    """

    n_args: npt.NDArray[np.uint8]
    names: Mapping[int, str]


def timed_args(events: Iterable[EventSpec]) -> npt.NDArray[np.uint8]:
    """Return the number of varints of each timed event type, its time included: shape (256,), 0 for other types."""
    counts = np.zeros(256, np.uint8)
    for event in events:
        if event.timed:
            counts[event.id] = len(event.args)
    return counts


def wire_args(events: Iterable[EventSpec]) -> npt.NDArray[np.uint8]:
    """Return the number of varints of each event type: shape (256,), ``NO_EVENT`` for types that do not exist."""
    counts = np.full(256, NO_EVENT, np.uint8)
    for event in events:
        counts[event.id] = len(event.args)
    return counts


def experiments(events: Iterable[EventSpec]) -> npt.NDArray[np.uint8]:
    """Return the experiment of each event type: shape (256,), 0 for Go's own and for types that do not exist."""
    numbers = np.zeros(256, np.uint8)
    for event in events:
        numbers[event.id] = event.experiment
    return numbers
