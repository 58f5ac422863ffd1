"""The text that gotrace makes of a trace. Never here: assertions."""

from __future__ import annotations

from pathlib import Path

import gotrace


def parsed(data: bytes | Path) -> tuple[bytes, gotrace.TraceError | None]:
    """Return the text of all events in order, and the fault that ended it, or None."""
    text = bytearray()
    try:
        with gotrace.open(data) as trace:
            for piece in trace.text():
                text += piece
    except gotrace.TraceError as error:
        return bytes(text), error
    return bytes(text), None
