"""Event specs come in; the text of each event type, split at its numbers, goes out for the kernels.

Never here: facts about event types.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gotrace.spec.enums import EventKind, GoState, ProcState
from gotrace.spec.events import ATTRIBUTES, BY_ID, METRICS, RANGES, EventSpec


def line_pieces(events: Iterable[EventSpec]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Split the text line of each event type at its arguments.

    Returns
    -------
    pieces : ndarray of uint8
        All pieces of all lines.
    bounds : ndarray of int32, shape (256, 7)
        Piece i of a type is ``pieces[bounds[type, i] : bounds[type, i + 1]]``; it precedes argument i.
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
    """Split the parsed text of each event type at its numbers.

    Returns
    -------
    pieces : ndarray of uint8
        All pieces of all lines.
    bounds : ndarray of int32, shape (256, 7)
        Pieces of a type, as of :func:`line_pieces`, without the names of kinds and states.
    words : ndarray of int32, shape (64, 2)
        Start and end of those names in ``pieces``: kinds from row 0, each with a leading space and a trailing
        ``Time=``; goroutine states from row 32; proc states from row 48.
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
            name = RANGES[BY_ID[event.start].name if event.start else event.name]
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
