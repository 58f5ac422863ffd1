"""What makes the rows of a table from segments, and the arrays in which rows gather.

Never here: a decision that a lower layer could make, or what a user holds.
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
    """Makes the rows of one table.

    ``feed`` takes the next segment and yields rows that are complete; ``flush`` yields what is left at the end, or
    before a fault. Rows of public tables are never touched again.
    """

    dtype: ClassVar[np.dtype[np.void]]
    refers_to_types: ClassVar[bool] = False
    """Its rows point into the table of types."""

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield the rows that a segment completes."""
        raise NotImplementedError

    def lose(self, segment: Segment) -> str:
        """Skip the rest of a broken segment; return what was lost."""
        return ""

    def flush(self) -> Iterator[Rows]:
        """Yield the rows still held back; a second call yields none."""
        return iter(())

    @property
    def done(self) -> bool:
        """True if what comes next does not matter."""
        return False

    def anomaly_counts(self) -> dict[str, int]:
        """What was odd about alloc/free events, without the zeros."""
        return {}


class Chunks:
    """Rows that gather in arrays of a fixed length; ``more`` rows may stand behind its end, and begin the next one.

    Memory that nobody holds serves again, in the next pass, too: systems take long to clear new one.
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
        """The part of the current array that is still free."""
        if self._rows is None:
            self._rows = np.frombuffer(memoryview(self._block()), self._dtype)
        return self._rows[self._n :]

    def _block(self) -> _buffers.RowBuffer:
        """Return memory that nobody holds: while one chunk is looked at, the next one takes the place of the last."""
        for block in self._blocks:
            if block.unused():
                return block
        nbytes = (self._length + self._more) * self._dtype.itemsize
        block = self._of_last_pass(nbytes) or _buffers.RowBuffer(np.empty(nbytes, np.uint8))
        self._blocks = [*self._blocks[-1:], block]
        return block

    def _of_last_pass(self, nbytes: int) -> _buffers.RowBuffer | None:
        """Return memory of that size, if some was kept; what does not fit is given up."""
        while nbytes in _KEPT:
            try:
                block = self._recycled.pop()  # another thread may do the same
            except IndexError:
                break
            if block.unused() and memoryview(block).nbytes == nbytes:
                return block
        return None

    def add(self, n: int) -> None:
        """Note that n rows of ``room()`` were filled."""
        self._n += n

    def full(self) -> Iterator[Rows]:
        """Yield the current array if it is full; the next one is made when that one is out of hands."""
        while self._rows is not None and self._n >= self._length:
            n = self._n - self._length
            rest = self._rows[self._length : self._n].tobytes() if n else b""
            yield self.take()
            if n:  # as bytes: to find out how to copy rows takes numpy longer than to copy them
                self.room()[:n].view(np.uint8)[:] = np.frombuffer(rest, np.uint8)
                self.add(n)

    def take(self) -> Rows:
        """Return what there is, up to the length, and begin anew."""
        rows = np.empty(0, self._dtype) if self._rows is None else self._rows[: min(self._n, self._length)]
        if len(rows) * 2 < self._length:
            rows = rows.view(np.uint8).copy().view(self._dtype)  # with what lies between columns
        self._rows, self._n = None, 0
        return rows

    def last(self) -> Iterator[Rows]:
        """Yield what is left, and leave the memory to the next pass."""
        rows = self.take()
        if len(rows):
            yield rows
        if self._blocks and memoryview(self._blocks[0]).nbytes in _KEPT:
            self._recycled[:] = self._blocks
        self._blocks = []
