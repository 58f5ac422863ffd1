"""Base class of table builders, and the chunks that they fill: segments come in, arrays of rows go out.

Never here: decoding, or public API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from gotrace.dtypes import Rows
from gotrace.tables import _buffers
from gotrace.wire.segments import Segment

_KEPT = range(1 << 20, 1 << 26)  # bytes of a chunk whose memory is kept for the next pass


class Builder:
    """Builder of the rows of one table.

    ``feed`` takes the next segment and yields completed rows; ``flush`` yields the rest at the end, or before a fault.
    Rows of public tables are not modified after they are yielded.
    """

    dtype: ClassVar[np.dtype[np.void]]
    lookup: ClassVar[bool] = False
    """True if rows of other tables refer to these rows, which come before those of the same generation."""
    refers_to_types: ClassVar[bool] = False
    """True if the rows refer to the table of types."""

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield the rows that a segment completes."""
        raise NotImplementedError

    def flush(self) -> Iterator[Rows]:
        """Yield the remaining rows; a second call yields none."""
        return iter(())

    @property
    def done(self) -> bool:
        """True if later segments are not needed."""
        return False

    def anomaly_counts(self) -> dict[str, int]:
        """Return the nonzero counts of anomalies in alloc/free events by name."""
        return {}


class OrderedBuilder(Builder):
    """Builder of a table of ordered events: it takes rows of ORDERED, which all such builders of a pass share."""

    places: ClassVar[bool] = False
    """True if ``place`` returns memory."""

    def begin(self, segment: Segment) -> None:
        """Start the next segment, before its rows."""

    def place(self) -> Rows | None:
        """Return the memory for the next rows, if there is no other builder; None for the order's own."""
        return None

    def take(self, rows: Rows) -> None:
        """Take the next rows of ORDERED, which are valid only during the call."""
        raise NotImplementedError

    def ready(self) -> Iterator[Rows]:
        """Yield the rows of this table that are complete."""
        raise NotImplementedError

    def end(self) -> Iterator[None]:
        """Make the rows that the end of the trace, or a fault, completes; yield whenever some are ready."""
        return iter(())

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield none: rows come through ``take``."""
        return iter(())


class Chunks:
    """Rows collected in arrays of a fixed length.

    Up to ``more`` rows may exceed an array's end; they start the next one. Memory no caller references is reused, also
    by the next pass: fresh pages are slow to zero.
    """

    _recycled: ClassVar[list[_buffers.RowBuffer]] = []  # of the last pass

    def __init__(self, dtype: np.dtype[np.void], length: int, more: int = 0) -> None:
        self._dtype = dtype
        self._length = max(length, 1)
        self._more = more
        self._rows: Rows | None = None
        self._n = 0
        self._blocks: list[_buffers.RowBuffer] = []

    def room(self) -> Rows:
        """Return the unused rest of the current array."""
        if self._rows is None:
            self._rows = np.frombuffer(memoryview(self._block()), self._dtype)
        return self._rows[self._n :]

    def _block(self) -> _buffers.RowBuffer:
        """Return memory without references; two blocks alternate while the caller uses one chunk at a time."""
        for block in self._blocks:
            if block.unused():
                return block
        nbytes = (self._length + self._more) * self._dtype.itemsize
        block = self._of_last_pass(nbytes) or _buffers.RowBuffer(np.empty(nbytes, np.uint8))
        self._blocks = [*self._blocks[-1:], block]
        return block

    def _of_last_pass(self, nbytes: int) -> _buffers.RowBuffer | None:
        """Return kept memory of ``nbytes`` bytes, if any; release kept memory of other sizes."""
        while nbytes in _KEPT:
            try:
                block = self._recycled.pop()  # another thread may empty the list first
            except IndexError:
                break
            if block.unused() and memoryview(block).nbytes == nbytes:
                return block
        return None

    def add(self, n: int) -> None:
        """Record that ``n`` more rows of ``room()`` are filled."""
        self._n += n

    def full(self) -> Iterator[Rows]:
        """Yield the current array if it is full; the next one is allocated after the caller resumes."""
        while self._rows is not None and self._n >= self._length:
            n = self._n - self._length
            rest = self._rows[self._length : self._n].tobytes() if n else b""
            yield self.take()
            if n:  # as bytes: numpy takes longer to prepare a copy of structured rows than to copy them
                self.room()[:n].view(np.uint8)[:] = np.frombuffer(rest, np.uint8)
                self.add(n)

    def take(self) -> Rows:
        """Return the rows so far, up to the length, and start a new array."""
        rows = np.empty(0, self._dtype) if self._rows is None else self._rows[: min(self._n, self._length)]
        if len(rows) * 2 < self._length:
            rows = rows.view(np.uint8).copy().view(self._dtype)  # as bytes, padding included
        self._rows, self._n = None, 0
        return rows

    def last(self) -> Iterator[Rows]:
        """Yield the remaining rows and keep the memory for the next pass."""
        rows = self.take()
        if len(rows):
            yield rows
        if self._blocks and memoryview(self._blocks[0]).nbytes in _KEPT:
            self._recycled[:] = self._blocks
        self._blocks = []
