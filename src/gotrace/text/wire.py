"""Text of records: the bytes of a trace come in, the text that Go's tool prints goes out.

Used by ``gotrace dump --mode wire``. Never here: the format of a line, which is the kernel's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.errors import Status, TraceError, from_fault, new_fault
from gotrace.experiments import Registry
from gotrace.spec import lookup
from gotrace.spec.printable import PRINTABLE
from gotrace.spec.versions import Version
from gotrace.tables.passes import TraceReader
from gotrace.text import _text, pieces
from gotrace.wire.header import SIZE
from gotrace.wire.slabs import around
from gotrace.wire.source import Source

_CHUNK = 1 << 20  # bytes of text
_RANGES = np.array(PRINTABLE, np.uint32)
_LARGEST = 4 * 65536 + 4096  # maximum bytes of text of a record


def quote(data: bytes) -> bytes:
    """Quote bytes like Go's strconv.Quote."""
    out = np.empty(4 * len(data) + 2, np.uint8)
    return out[: _text.quote(np.frombuffer(data, np.uint8), _RANGES, out)].tobytes()


def wire_text(reader: TraceReader) -> Iterator[bytes]:
    """Yield the text of all records of a trace, in chunks of whole lines.

    Raises
    ------
    TraceError
        After the text of all records before the fault.
    """
    try:
        yield from _records(reader.source, reader.version, reader.experiments)
    except TraceError as error:
        reader.fail(error)
        raise


def _records(source: Source, version: Version, registry: Registry) -> Iterator[bytes]:
    window = source.window()
    events = registry.events
    forms = _text.RecordForms(lookup.wire_args(events), *pieces.line_pieces(events), _RANGES, version.end_marks)
    state = np.zeros(3, np.uint64)
    text = np.empty(_CHUNK + _LARGEST, np.uint8)
    fault = new_fault()
    at = SIZE
    while True:
        n, index = _text.wire(forms, window.data, window.base, at - window.base, window.last, state, text, fault)
        at = window.base + index
        yield text[:n].tobytes()
        status = Status(int(fault[0]["status"]))
        failure = source.failure() if status <= Status.OK else None
        if failure is not None:
            raise failure
        if status == Status.OK:
            return
        if status < 0:
            raise _error(source, registry, fault[0], state, around(window.data, window.base, int(fault[0]["offset"])))
        window.release(at)
        if status == Status.MORE:
            window.more()


def _error(
    source: Source, registry: Registry, fault: np.void, state: npt.NDArray[np.uint64], near: dict[str, Any]
) -> TraceError:
    known = int(state[2]) > 0
    return from_fault(
        fault,
        path=source.name,
        generation=int(state[0]) if known else None,
        m=int(state[1].astype(np.int64)) if known else None,
        event=registry.event_names.get(int(fault["type"])),
        **near,
    )
