"""The text of ordered events, as Go's tool prints them: one way for ``gotrace dump --mode parsed`` and ``str(event)``.

Never here: the form of a line; the kernel writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from gotrace import _text, clock
from gotrace.dtypes import RAW_PC, RAW_STACK, RAW_STRING
from gotrace.experiments import Registry
from gotrace.slabs import Rows
from gotrace.spec import tables as spec_tables
from gotrace.spec.printable import PRINTABLE

if TYPE_CHECKING:
    from gotrace.ordering.drive import Order
    from gotrace.parts import Part

_RANGES = np.array(PRINTABLE, np.uint32)
_CHUNK = 1 << 20  # bytes of text that a line with two stacks of the longest strings stays below
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Lines:
    """Writes the lines of a trace's events."""

    def __init__(self, registry: Registry) -> None:
        self._pieces = spec_tables.parsed_pieces(registry.events)
        self._n_args = spec_tables.timed_args(registry.events)
        self._text = np.empty(_CHUNK, np.uint8)

    def of(self, part: Part | None, order: Order) -> PartLines:
        """Return a writer of the lines of a part's events, while ``order`` is at that part.

        Without a part it can write the Sync that ends a trace.
        """
        return PartLines(self, part, order)


class PartLines:
    """Writes the lines of events of one part."""

    def __init__(self, lines: Lines, part: Part | None, order: Order) -> None:
        self._lines = lines
        self._state = order.state
        clocks = _clocks(part) if part else []
        tables = part.tables if part else None
        self._sources: tuple[Any, ...] = (
            *(_some(tables and tables.data, np.uint8), _some(tables and tables.strings, RAW_STRING)),
            *(order.string_base, _some(tables and tables.stacks, RAW_STACK), order.stack_base),
            *(_some(tables and tables.frames, np.int32), _some(tables and tables.pcs, RAW_PC)),
            *(_some(tables and tables.functions, np.int64), _some(tables and tables.files, np.int64)),
        )
        self._rest = (
            *(*lines._pieces, lines._n_args, np.frombuffer(b"".join(clocks) + b" ", np.uint8)),
            *(np.cumsum([0, *map(len, clocks)]), _RANGES, lines._text),
        )

    def write(self, rows: Rows) -> Iterator[bytes]:
        """Yield the text of rows of ORDERED, in pieces of whole events."""
        data, strings, string_base, *tables = self._sources
        at = 0
        while at < len(rows):
            n, at = _text.parsed(
                *(rows, at, data, strings, string_base),
                *(self._state.names, self._state.letters, *tables, *self._rest),
            )
            yield self._lines._text[:n].tobytes()


def _some(rows: Any, dtype: Any) -> Any:
    return rows if rows is not None and len(rows) else np.zeros(1, dtype)


def _clocks(part: Part) -> list[bytes]:
    """What the Sync of each generation says of its clock snapshot."""
    rows = part.tables.clocks
    times = clock.to_ns(rows["time"], clock.factor(rows["frequency"]))
    return [
        f" Trace={int(time)} Mono={int(row['mono'])} Wall={_wall(int(row['sec']), int(row['nsec']))}".encode()
        if row["n_snapshots"]
        else b""
        for row, time in zip(rows, times, strict=True)
    ]


def _wall(sec: int, nsec: int) -> str:
    """Local time as Go's time.RFC3339Nano has it."""
    sec, nsec = sec + nsec // 1_000_000_000, nsec % 1_000_000_000
    try:
        moment = (_EPOCH + timedelta(seconds=sec)).astimezone()
    except (OverflowError, ValueError, OSError):
        return f"{sec}.{nsec:09}"
    fraction = f".{nsec:09}".rstrip("0").rstrip(".")
    zone = moment.strftime("%z")
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:5]}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}".zfill(19) + fraction + zone
