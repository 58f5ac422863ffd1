"""Text of ordered events: rows of ORDERED come in, the text that Go's tool prints goes out.

Used by ``gotrace dump --mode parsed`` and ``str(event)``. Never here: the format of a line, which is the kernel's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

from gotrace.dtypes import Rows
from gotrace.experiments import Registry
from gotrace.order.context import EventContext
from gotrace.order.selection import Selection
from gotrace.spec.printable import PRINTABLE
from gotrace.tables.ordered import ContextBuilder
from gotrace.tables.passes import TraceReader
from gotrace.text import _text
from gotrace.text.pieces import parsed_pieces
from gotrace.wire import clock
from gotrace.wire.rows import RAW_PC, RAW_STACK, RAW_STRING
from gotrace.wire.structure import Tables

_RANGES = np.array(PRINTABLE, np.uint32)
_CHUNK = 1 << 20  # bytes of text; more than a line with two stacks of the longest strings
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_CYCLE = 146_097 * 86_400  # s of 400 years, after which the calendar repeats
_NEAR = range(-62_000_000_000, 253_000_000_000)  # s since 1970 of years that datetime has, in any time zone
_FIRST = -9_223_372_028_741_760_000  # s since 1970 of the first time that Go can print; the last one is 2**64 s later


def parsed_text(reader: TraceReader, selection: Selection | None = None) -> Iterator[bytes]:
    """Yield the text of the events of a trace in order, in chunks of whole events; read no further than the selection.

    Raises
    ------
    TraceError
        After the text of all events before the fault.
    """
    read_pass = reader.new_pass()
    builder = ContextBuilder(read_pass)
    texts = TextWriter(reader.experiments)
    context: EventContext | None = None
    start = -1
    for _, rows in read_pass.read(builder):
        if context is not builder.context:
            context = builder.context
            segment_text = texts.for_segment(context)
            if start < 0 and context.segment is not None:
                start = context.segment.start
        yield from segment_text.write(rows if selection is None else selection.of(rows, max(start, 0)))
        if selection is not None and selection.ends_in(rows, max(start, 0)):
            return


class TextWriter:
    """Writer of the lines of a trace's events."""

    def __init__(self, registry: Registry) -> None:
        forms = parsed_pieces(registry.events)
        self.forms = _text.EventForms(*forms, registry.timed.n_args, _RANGES)
        self.buffer = np.empty(_CHUNK, np.uint8)

    def for_segment(self, context: EventContext) -> SegmentWriter:
        """Return a writer of the lines of a segment's events."""
        return SegmentWriter(self, context)


class SegmentWriter:
    """Writer of the lines of one segment's events; without a segment, of the Sync that ends a trace."""

    def __init__(self, texts: TextWriter, context: EventContext) -> None:
        self._texts = texts
        self._state = context.state
        tables = context.tables
        clocks = _clocks(tables) if tables else []
        self._segment = _text.SegmentText(
            texts.forms,
            _text.Strings(
                _some(tables and tables.data, np.uint8),
                _some(tables and tables.strings, RAW_STRING),
                context.string_base,
            ),
            _text.Stacks(
                _some(tables and tables.stacks, RAW_STACK),
                context.stack_base,
                _some(tables and tables.frames, np.int32),
                _some(tables and tables.pcs, RAW_PC),
                _some(tables and tables.functions, np.int64),
                _some(tables and tables.files, np.int64),
            ),
            np.frombuffer(b"".join(clocks) + b" ", np.uint8),
            np.cumsum([0, *map(len, clocks)]),
        )

    def write(self, rows: Rows) -> Iterator[bytes]:
        """Yield the text of rows of ORDERED, in chunks of whole events."""
        text = self._texts.buffer
        at = 0
        while at < len(rows):
            n, at = _text.parsed(rows, at, self._segment, self._state.names, self._state.name_bytes, text)
            yield text[:n].tobytes()


def _some(rows: Any, dtype: Any) -> Any:
    return rows if rows is not None and len(rows) else np.zeros(1, dtype)


def _clocks(tables: Tables) -> list[bytes]:
    """Return the text about the clock snapshot in the Sync of each generation."""
    rows = tables.clocks
    times = clock.to_ns(rows["time"], clock.factor(rows["frequency"]))
    return [
        f" Trace={int(time)} Mono={int(row['mono'])} Wall={_wall(int(row['sec']), int(row['nsec']))}".encode()
        if row["n_snapshots"]
        else b""
        for row, time in zip(rows, times, strict=True)
    ]


def _wall(sec: int, nsec: int) -> str:
    """Return the local time in the format of Go's time.RFC3339Nano."""
    sec, nsec = sec + nsec // 1_000_000_000, nsec % 1_000_000_000
    sec = (sec - _FIRST) % 2**64 + _FIRST
    cycles = 0 if sec in _NEAR else sec // _CYCLE
    moment = (_EPOCH + timedelta(seconds=sec - cycles * _CYCLE)).astimezone()
    year = moment.year + 400 * cycles
    fraction = f".{nsec:09}".rstrip("0").rstrip(".")
    zone = moment.strftime("%z")
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:5]}"
    return f"{'-' * (year < 0)}{abs(year):04}-{moment:%m-%dT%H:%M:%S}{fraction}{zone}"
