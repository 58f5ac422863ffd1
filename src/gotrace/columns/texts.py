"""Texts of columns: texts come in, memory in the layout of Arrow's utf8 goes out. Never here: which texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from gotrace.columns import _columns
from gotrace.columns._arrow import Column
from gotrace.columns._memory import Block
from gotrace.columns.memory import view
from gotrace.dtypes import I4, U1

_MAX_BYTES = 2**31 - 1  # Arrow's utf8 has offsets of 32 bits
_FIRST = 1024  # bytes of new memory at least


def clean(text: str) -> str:
    """Return a text with U+FFFD in place of bytes that are not valid UTF-8 (surrogate escapes)."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Stored(NamedTuple):
    """The first ``n`` texts of a dictionary, which later ones do not change; ``values`` may already have more."""

    offsets: Block
    data: Block
    n: int
    values: list[str]

    def column(self) -> Column:
        """Return the Arrow array of the texts."""
        column = Column(self.n, 0)
        column.skip_buffer()
        column.add_buffer(self.offsets, 0)
        column.add_buffer(self.data, 0)
        return column


class Texts:
    """The values of a dictionary: texts, each once, which keep their places.

    Memory already handed out is not changed; texts are added behind it.

    Attributes
    ----------
    values : list of str
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values: list[str] = []
        self._places: dict[str, int] = {}
        self._n_stored = self._n_bytes = 0
        self._offsets, self._data = Block(_FIRST), Block(_FIRST)
        view(self._offsets, np.int32)[0] = 0
        for value in values:
            self.place(value)

    def place(self, text: str) -> int:
        """Return the place of a text, which is added if it is new."""
        place = self._places.setdefault(clean(text), len(self.values))
        if place == len(self.values):
            self.values.append(clean(text))
        return place

    def stored(self) -> Stored:
        """Return the texts so far."""
        self._store()
        return Stored(self._offsets, self._data, len(self.values), self.values)

    def gather(self, places: I4) -> tuple[Block, Block]:
        """Return offsets and data of the texts at ``places``; a place below 0 has none."""
        self._store()
        offsets = view(self._offsets, np.int32)
        lengths = np.where(places < 0, 0, offsets[places + 1] - offsets[places])
        starts, out = new_texts(lengths.cumsum(dtype=np.int64))
        _columns.gather(
            *(places, offsets, view(self._data, np.uint8)),
            *(view(starts, np.int32), view(out, np.uint8)),
        )
        return starts, out

    def _store(self) -> None:
        """Write the texts that are not in memory yet."""
        fresh = [value.encode() for value in self.values[self._n_stored :]]
        if not fresh:
            return
        ends = self._n_bytes + _ends(fresh)
        _check(int(ends[-1]))
        n = self._n_stored
        self._offsets = _longer(self._offsets, 4 * (n + 1), 4 * (n + 1 + len(fresh)))
        self._data = _longer(self._data, self._n_bytes, int(ends[-1]))
        view(self._offsets, np.int32)[n + 1 : n + 1 + len(fresh)] = ends
        view(self._data, np.uint8)[self._n_bytes : int(ends[-1])] = _bytes(b"".join(fresh))
        self._n_stored, self._n_bytes = len(self.values), int(ends[-1])


def stored(values: Sequence[str]) -> tuple[Block, Block]:
    """Return offsets and data of texts in this order."""
    encoded = [clean(value).encode() for value in values]
    offsets, data = new_texts(_ends(encoded))
    joined = b"".join(encoded)
    view(data, np.uint8)[: len(joined)] = _bytes(joined)
    return offsets, data


def new_texts(ends: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[Block, Block]:
    """Return the offsets of texts that end at ``ends``, and memory for their data."""
    size = int(ends[-1]) if len(ends) else 0
    _check(size)
    offsets = Block(4 * (len(ends) + 1))
    starts = view(offsets, np.int32)
    starts[0], starts[1:] = 0, ends
    return offsets, Block(max(size, 1))


def _ends(texts: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))


def _bytes(data: bytes) -> U1:
    return np.frombuffer(data, np.uint8)


def _check(size: int) -> None:
    if size > _MAX_BYTES:
        raise ValueError(
            f"{size:,} bytes of text in one chunk are more than Arrow's utf8 holds: use a smaller step_size"
        )


def _longer(block: Block, used: int, size: int) -> Block:
    """Return memory of ``size`` bytes or more that starts with the first ``used`` bytes of a block."""
    old = view(block, np.uint8)
    if size <= len(old):
        return block
    longer = Block(max(size, 2 * len(old)))
    view(longer, np.uint8)[:used] = old[:used]
    return longer
