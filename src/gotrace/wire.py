"""The text of ``gotrace dump --mode wire``: every record of the file, as Go's tool prints it.

Never here: the form of a line; the kernel writes it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gotrace import _text
from gotrace.errors import Status, TraceError, from_fault, new_fault
from gotrace.experiments import Registry
from gotrace.slabs import around
from gotrace.source import Source
from gotrace.spec import tables
from gotrace.spec.printable import PRINTABLE
from gotrace.spec.versions import Version

_CHUNK = 1 << 20  # bytes of text
_RANGES = np.array(PRINTABLE, np.uint32)
_LARGEST = 4 * 65536 + 4096  # bytes of text of the largest record


def quote(data: bytes) -> bytes:
    """Quote bytes as Go's strconv.Quote does."""
    out = np.empty(4 * len(data) + 2, np.uint8)
    return out[: _text.quote(np.frombuffer(data, np.uint8), _RANGES, out)].tobytes()


def wire_text(source: Source, version: Version, start: int, registry: Registry) -> Iterator[bytes]:
    """Yield the text of all records from absolute offset ``start`` on, in pieces of whole lines.

    Raises
    ------
    TraceError
        After the text of everything before the fault.
    """
    window = source.window()
    n_args = tables.wire_args(registry.events)
    pieces, bounds = tables.line_pieces(registry.events)
    state = np.zeros(3, np.uint64)
    text = np.empty(_CHUNK + _LARGEST, np.uint8)
    fault = new_fault()
    at = start
    while True:
        n, index = _text.wire(
            *(window.data, window.base, at - window.base, window.last, version.end_marks, n_args, pieces, bounds),
            *(_RANGES, state, text, fault),
        )
        at = window.base + index
        yield text[:n].tobytes()
        status = Status(int(fault[0]["status"]))
        if status == Status.OK:
            return
        if status < 0:
            raise _error(source, registry, fault[0], state, around(window.data, window.base, int(fault[0]["offset"])))
        window.release(at)
        if status == Status.MORE:
            window.more()


def _error(source: Source, registry: Registry, fault: np.void, state: np.ndarray, near: dict) -> TraceError:  # type: ignore[type-arg]
    known = int(state[2]) > 0
    return from_fault(
        fault,
        path=source.name,
        generation=int(state[0]) if known else None,
        m=int(state[1].astype(np.int64)) if known else None,
        event=registry.event_names.get(int(fault["type"])),
        **near,
    )
