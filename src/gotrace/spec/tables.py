"""Lookup arrays for kernels, made from rows of the event table. Never here: facts of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import SPEC
from gotrace.spec.enums import EventKind, GoState, ProcState
from gotrace.spec.events import ATTRIBUTES, EVENTS, METRICS, RANGES, EventSpec
from gotrace.spec.rules import Rule

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


def specs(events: Iterable[EventSpec], needs: Mapping[int, str]) -> npt.NDArray[np.void]:
    """Lay out what the ordering asks of each event type: shape (256,) of dtype SPEC.

    ``needs`` says what the events of an experiment need of their context, by its number.
    """
    table = np.zeros(256, SPEC)
    columns = {name: table[name] for name in SPEC.names or ()}
    for name in ("stack", "stack2", "string", "string2"):
        columns[name][:] = -1
    for event in events:
        row = event.id
        columns["kind"][row] = event.kind or 0
        if not event.timed:
            continue
        rule = Rule.EXPERIMENT if event.experiment else event.rule
        columns["rule"][row], columns["start"][row] = rule, event.start
        columns["creates"][row] = bool(event.creates)
        ends = [name.rpartition("_")[2] for name in event.arg_names]
        for what in ("stack", "string"):
            places = [i for i, end in enumerate(ends) if end == what]
            if what == "stack":
                places.reverse()  # the stack of the context is the last one
            for name, at in zip((what, f"{what}2"), places, strict=False):
                columns[name][row] = at
        context = {Rule.EXPERIMENT: needs.get(event.experiment), Rule.ON_PROC: "RR?"}.get(rule)
        if columns["stack"][row] == columns["string"][row] == -1:
            columns["bulk"][row] = {"R??": 1, "RR?": 2}.get(context or "", 0)
        columns["needs"][row] = ["?RN".index(letter) for letter in needs.get(event.experiment, "???")]
    return table


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


def parsed_pieces(
    events: Iterable[EventSpec],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Cut the parsed text of each event type at its numbers.

    Returns
    -------
    pieces : ndarray of uint8
        All pieces of all lines.
    bounds : ndarray of int32, shape (256, 7)
        Pieces of a type, as of :func:`line_pieces`, without what kinds and states are called.
    words : ndarray of int32, shape (64, 2)
        Where those stand: kinds from 0, each with blanks and the word for the time around it; goroutines' states
        from 32; procs' states from 48.
    """
    text = bytearray()
    bounds = np.zeros((256, 7), np.int32)
    words = np.zeros((64, 2), np.int32)

    def put(word: str) -> int:
        text.extend(word.encode())
        return len(text)

    for event in events:
        pieces: list[str] = []
        if event.kind == EventKind.EXPERIMENTAL:
            pieces = [f"{', ' if i else ''}{name}=Value{{Uint64(" for i, name in enumerate(event.arg_names)]
            pieces = [(")}" if i else f" Name={event.name} Args=[") + piece for i, piece in enumerate([*pieces, "]"])]
        elif event.kind == EventKind.METRIC:
            pieces = [f' Name="{METRICS[event.name]}" Value=Value{{Uint64(', ")}"]
        elif event.kind in (EventKind.RANGE_BEGIN, EventKind.RANGE_ACTIVE, EventKind.RANGE_END):
            name = RANGES[EVENTS[event.start - 1].name if event.start else event.name]
            pieces = [f' Name="{name}' if name.endswith("(") else f' Name="{name}" Scope=', ""]
            if event.kind == EventKind.RANGE_END:
                swept = [f'"{attribute}"=Value{{Uint64(' for attribute in ATTRIBUTES.get(event.name, ())]
                swept = [(")} " if i else " Attributes=[") + piece for i, piece in enumerate(swept)]
                pieces[1:] = [*swept, ")}]"] if swept else [" Attributes=[]"]
        bounds[event.id] = len(text)
        for i, piece in enumerate(pieces):
            bounds[event.id, i + 1 :] = put(piece)
    for first, names, around in (
        (0, {k.value: _camel(k.name) for k in EventKind}, " {} Time="),
        (32, {k.value: _camel(k.name) for k in GoState}, "{}"),
        (48, {k.value: _camel(k.name) for k in ProcState}, "{}"),
    ):
        for number, name in names.items():
            words[first + number] = len(text), put(around.format(name))
    return np.frombuffer(bytes(text), np.uint8), bounds, words


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
