"""Lookup arrays for kernels, made from rows of the event table. Never here: facts of its own."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gotrace.spec.events import EventSpec

NO_EVENT = 255
"""In :func:`wire_args`: there is no such type."""


def timed_args(events: Iterable[EventSpec]) -> npt.NDArray[np.uint8]:
    """Count the varints of each timed event type, its time included: shape (256,), 0 for all other types."""
    counts = np.zeros(256, np.uint8)
    for event in events:
        if event.timed:
            counts[event.id] = len(event.args)
    return counts


def wire_args(events: Iterable[EventSpec]) -> npt.NDArray[np.uint8]:
    """Count the varints of each event type: shape (256,), ``NO_EVENT`` where there is no such type."""
    counts = np.full(256, NO_EVENT, np.uint8)
    for event in events:
        counts[event.id] = len(event.args)
    return counts


def experiments(events: Iterable[EventSpec]) -> npt.NDArray[np.uint8]:
    """Experiment of each event type: shape (256,), 0 for Go's own and for types that do not exist."""
    numbers = np.zeros(256, np.uint8)
    for event in events:
        numbers[event.id] = event.experiment
    return numbers


def line_pieces(events: Iterable[EventSpec]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Cut the text line of each event type at its arguments.

    Returns
    -------
    pieces : ndarray of uint8
        All pieces of all lines.
    bounds : ndarray of int32, shape (256, 7)
        Piece i of a type is ``pieces[bounds[type, i] : bounds[type, i + 1]]``; it stands before argument i.
    """
    text = bytearray()
    bounds = np.zeros((256, 7), np.int32)
    for event in events:
        bounds[event.id, 0] = len(text)
        for i in range(6):
            if i < len(event.args):
                text += f"{event.name if i == 0 else ''} {event.args[i]}=".encode()
            elif i == 0:
                text += event.name.encode()
            bounds[event.id, i + 1] = len(text)
    return np.frombuffer(bytes(text), np.uint8), bounds
