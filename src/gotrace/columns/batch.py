"""Batches: rows of a table come in, in pieces of any length; batches of columns go out.

Never here: which rows, or what their numbers refer to.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gotrace.columns import _columns
from gotrace.columns._arrow import Column, Type
from gotrace.columns._memory import Block
from gotrace.columns.fields import PROC_STATES, TEXT, Dictionary, Field
from gotrace.columns.memory import view
from gotrace.columns.rows import COPY
from gotrace.columns.texts import Stored, Texts, stored
from gotrace.dtypes import I4, U1, Rows, narrow, select
from gotrace.spec.enums import Resource

_LINE = 64  # bytes: each column starts at a multiple of it
_KEPT = range(1 << 20, 1 << 27)  # bytes of a block that is kept for the next pass
_NO_TEXT = -1  # place of the text of a null
_NO_MAP = np.zeros(1, np.int32)


class Context(Protocol):
    """What the rows of a table refer to, as far as the trace has been read.

    ``trace_place`` is the place of the trace's name in its dictionary.
    """

    trace_place: int

    def dictionary(self, field: Field) -> Texts:
        """Return the values of a dictionary."""

    def type_places(self) -> I4:
        """Return the place in the dictionary of each row of types."""

    def string_places(self, rows: I4) -> I4:
        """Return the places of rows of strings in the dictionary; -1 for row 0."""

    def wall(self, rows: Rows) -> npt.NDArray[np.datetime64]:
        """Return the wall-clock times of rows with the fields time and generation."""


Place = tuple[Block, int]
"""A block of memory, and a byte in it."""


class Values(NamedTuple):
    """One column of a batch.

    Attributes
    ----------
    field : Field
    n_nulls : int
    buffers : tuple of Place or None
        The buffers of Arrow: validity, None if no value is null; then values, or offsets and data of texts.
    dictionary : Stored or None
        Values of a dictionary.
    """

    field: Field
    n_nulls: int
    buffers: tuple[Place | None, ...]
    dictionary: Stored | None = None


class Batch:
    """Some rows of a table as columns. The memory is not changed while the batch, or anything made from it, exists.

    Attributes
    ----------
    n : int
        Number of rows.
    columns : dict of str to Values
    """

    def __init__(self, n: int, columns: dict[str, Values]) -> None:
        self.n = n
        self.columns = columns
        places = (place for of in columns.values() for place in of.buffers if place is not None)
        self._held = [memoryview(block) for block in {id(block): block for block, _ in places}.values()]

    def __len__(self) -> int:
        return self.n

    def values(self, name: str) -> npt.NDArray[Any]:
        """Return the values of a column as a view: numbers, places in a dictionary, or offsets of texts."""
        of = self.columns[name]
        assert of.buffers[1] is not None
        block, at = of.buffers[1]
        if of.field.text:
            return view(block, np.int32, self.n + 1, at)
        return view(block, of.field.type, self.n, at)

    def text_bytes(self, name: str) -> U1:
        """Return the bytes of a column of texts that is no dictionary, as a view."""
        place = self.columns[name].buffers[2]
        assert place is not None
        return view(place[0], np.uint8)

    def texts(self, name: str) -> list[str | None]:
        """Return the values of a column of texts that is no dictionary; None for a null."""
        offsets = self.values(name).tolist()
        data = self.text_bytes(name)[: offsets[-1]].tobytes()
        texts: list[str | None] = [data[i:j].decode() for i, j in pairwise(offsets)]
        for row in np.flatnonzero(self.is_null(name)).tolist():
            texts[row] = None
        return texts

    def is_null(self, name: str) -> npt.NDArray[np.bool_]:
        """Return True for each null of a column."""
        validity = self.columns[name].buffers[0]
        if validity is None:
            return np.zeros(self.n, bool)
        bits: U1 = view(validity[0], np.uint8, (self.n + 7) // 8, validity[1])
        valid = np.unpackbits(bits, count=self.n, bitorder="little").view(bool)
        return ~valid

    def objects(self, name: str) -> list[Any]:
        """Return the values of a column as objects: names and texts as str, wall times as datetime64, nulls as None."""
        of = self.columns[name]
        if of.field.text:
            return self.texts(name)
        values = self.values(name)
        found: list[Any] = list(values) if values.dtype.kind == "M" else values.tolist()
        nulls = self.is_null(name)
        if of.dictionary is not None:
            found = [None if null else of.dictionary.values[i] for i, null in zip(found, nulls, strict=True)]
        return [None if null else value for value, null in zip(found, nulls, strict=True)]

    def head(self, n: int) -> Batch:
        """Return a batch of the first ``n`` rows, which shares the memory."""
        if n >= self.n:
            return self
        n_nulls = {name: int(self.is_null(name)[:n].sum()) for name in self.columns}
        values = self.columns.values()
        return Batch(n, {of.field.name: Values(of.field, n_nulls[of.field.name], *of[2:]) for of in values})

    def column(self) -> Column:
        """Return the Arrow array of the batch."""
        batch = Column(self.n, 0)
        batch.skip_buffer()
        for of in self.columns.values():
            column = Column(self.n, of.n_nulls)
            for place in of.buffers:
                if place is None:
                    column.skip_buffer()
                else:
                    column.add_buffer(*place)
            if of.dictionary is not None:
                column.set_values(of.dictionary.column())
            batch.add(column)
        return batch

    def __arrow_c_schema__(self) -> object:
        """Return the schema as a capsule of Arrow."""
        return arrow_type([of.field for of in self.columns.values()]).capsule()

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Return schema and rows as capsules of Arrow; the requested schema is not applied."""
        return self.__arrow_c_schema__(), self.column().capsule()


def empty(fields: list[Field]) -> Batch:
    """Return a batch without rows."""
    return nulls(fields, 0)


def nulls(fields: list[Field], n: int) -> Batch:
    """Return a batch of ``n`` rows without values; its columns share their memory."""
    block = Block(_LINE + 8 * n)
    view(block, np.uint8)[:] = 0
    return Batch(n, {field.name: _nulls(field, n, (block, 0)) for field in fields})


def _nulls(field: Field, n: int, zeros: Place) -> Values:
    validity = zeros if n else None
    if field.text:
        return Values(field, n, (validity, zeros, zeros))
    return Values(field, n, (validity, zeros), Texts(field.names).stored() if field.dictionary else None)


def arrow_type(fields: list[Field]) -> Type:
    """Return the Arrow type of a table."""
    table = Type(b"+s", b"", b"", False)
    for field in fields:
        column = Type(field.format.encode(), field.name.encode(), _metadata(field), field.null is not None)
        if field.dictionary and not field.text:
            column.set_values(Type(TEXT.encode(), b"", b"", False))
        table.add(column)
    return table


def _metadata(field: Field) -> bytes:
    """Return a field's metadata in Arrow's encoding: a count, then keys and values with their lengths."""
    if not field.unit:
        return b""
    number = np.int32(1).tobytes()
    return number + b"".join(np.int32(len(text)).tobytes() + text for text in (b"unit", field.unit.encode()))


class Packer:
    """Turns the rows of one table into batches of ``length`` rows, the last one shorter."""

    _recycled: ClassVar[list[Block]] = []  # of the last pass

    def __init__(self, dtype: np.dtype[np.void], fields: list[Field], length: int, context: Context) -> None:
        self._fields = fields
        self._length = max(length, 1)
        self._context = context
        self._plain = _plain(dtype)
        self._places = _Layout(fields, self._length)
        self._objects: dict[str, list[str]] = {field.name: [] for field in fields if field.type == "O"}
        self._copied = [field for field in fields if not _is_computed(field) and field.type != "O"]
        self._computed = [field for field in fields if _is_computed(field)]
        self._extra = np.dtype([(field.name, field.type) for field in self._computed])
        self._copies = self._places.copies(self._copied, self._plain)
        self._extra_copies = self._places.copies(self._computed, self._extra)
        self._maps = any(field.dictionary == Dictionary.TYPES for field in fields)
        self._n = 0
        self._n_before = 0  # rows of completed batches
        self._block: Block | None = None
        self._blocks: list[Block] = []

    def take(self, rows: Rows) -> Iterator[Batch]:
        """Add rows and yield the batches that they complete."""
        while len(rows):
            part = rows[: self._length - self._n]
            rows = rows[len(part) :]
            self._add(part)
            if self._n == self._length:
                yield self._batch()

    def flush(self) -> Iterator[Batch]:
        """Yield the rest."""
        if self._n:
            yield self._batch()
        self._recycled[:] = [block for block in self._blocks if memoryview(block).nbytes in _KEPT]
        self._blocks = []

    def _add(self, rows: Rows) -> None:
        if self._block is None:
            self._block = self._unused_block()
        places = self._context.type_places() if self._maps else _NO_MAP
        memory = view(self._block, np.uint8)
        if self._copied:
            _columns.pack(_bytes(select(rows, self._plain)), self._copies, places, memory, self._n)
        if self._computed:
            _columns.pack(_bytes(self._compute(rows)), self._extra_copies, places, memory, self._n)
        for name, texts in self._objects.items():
            texts += rows[name].tolist()
        self._n += len(rows)

    def _compute(self, rows: Rows) -> Rows:
        """Return the columns that rows do not hold."""
        extra = np.empty(len(rows), self._extra)
        for field in self._computed:
            if field.dictionary == Dictionary.STRINGS:
                extra[field.name] = self._context.string_places(rows[field.source])
            elif field.dictionary == Dictionary.STATES:
                states = rows[field.source].copy()
                of_procs = rows["resource"] == Resource.PROC
                states[of_procs] = PROC_STATES[states[of_procs]]
                extra[field.name] = states
            elif field.dictionary == Dictionary.TRACE:
                extra[field.name] = self._context.trace_place
            elif field.name == "wall":
                extra[field.name] = self._context.wall(rows)
            else:
                extra[field.name] = np.arange(len(rows)) + (self._n_before + self._n)
        return extra

    def _batch(self) -> Batch:
        """Return the rows so far as a batch and start the next one."""
        assert self._block is not None
        n, block, places = self._n, self._block, self._places
        self._n, self._block = 0, None
        self._n_before += n
        if 2 * n < self._length:
            smaller = _Layout(self._fields, n)
            block = places.moved(block, smaller, n)
            places = smaller
        n_nulls = self._take_nulls()
        return Batch(n, {field.name: self._values(field, n, block, places, n_nulls) for field in self._fields})

    def _take_nulls(self) -> dict[str, int]:
        """Return the number of nulls of each column, and reset the counts."""
        found: dict[str, int] = {}
        for fields, copies in ((self._copied, self._copies), (self._computed, self._extra_copies)):
            found |= zip((field.name for field in fields), copies["n_nulls"].tolist(), strict=True)
            copies["n_nulls"] = 0
        return found

    def _values(self, field: Field, n: int, block: Block, places: _Layout, n_nulls: dict[str, int]) -> Values:
        """Return the first ``n`` values of a column."""
        if field.type == "O":
            offsets, data = stored(self._objects[field.name])
            self._objects[field.name].clear()
            return Values(field, 0, (None, (offsets, 0), (data, 0)))
        nulls, at = n_nulls[field.name], places.at[field.name]
        validity = (block, places.nulls[field.name]) if nulls else None
        if not field.dictionary:
            return Values(field, nulls, (validity, (block, at)))
        texts = self._context.dictionary(field)
        if field.text:
            offsets, data = texts.gather(view(block, np.int32, n, at))
            return Values(field, nulls, (validity, (offsets, 0), (data, 0)))
        return Values(field, nulls, (validity, (block, at)), texts.stored())

    def _unused_block(self) -> Block:
        """Return memory without users; two blocks alternate while the consumer uses one batch at a time."""
        for block in self._blocks:
            if block.unused():
                return block
        block = self._of_last_pass() or Block(self._places.nbytes)
        self._blocks = [*self._blocks[-1:], block]
        return block

    def _of_last_pass(self) -> Block | None:
        """Return kept memory of the right size, if any; release other kept memory."""
        while self._places.nbytes in _KEPT:
            try:
                block = self._recycled.pop()  # another thread may empty the list first
            except IndexError:
                break
            if block.unused() and memoryview(block).nbytes == self._places.nbytes:
                return block
        return None


class _Layout:
    """Places of columns in a block.

    Attributes
    ----------
    nbytes : int
        Size of the block.
    at, nulls : dict of str to int
        Byte of the values and of the validity bitmap of each column; -1 without a bitmap.
    """

    def __init__(self, fields: list[Field], length: int) -> None:
        self.nbytes = _LINE  # a block is never empty
        self.at: dict[str, int] = {}
        self.nulls: dict[str, int] = {}
        self._areas: list[tuple[int, int]] = []  # start and size of each
        for field in fields:
            if field.type != "O":
                self.at[field.name] = self._reserve(length * np.dtype(field.type).itemsize)
                self.nulls[field.name] = -1 if field.null is None else self._reserve(-(-length // 8))

    def _reserve(self, nbytes: int) -> int:
        at = self.nbytes
        size = -(-nbytes // _LINE) * _LINE
        self._areas.append((at, size))
        self.nbytes += size
        return at

    def copies(self, fields: list[Field], dtype: np.dtype[np.void]) -> Rows:
        """Return a row of COPY for each column, whose values are in rows of ``dtype``."""
        copies = np.zeros(len(fields), COPY)
        assert dtype.fields is not None
        for copy, field in zip(copies, fields, strict=True):
            computed = _is_computed(field)
            width = np.dtype(field.type).itemsize
            copy["target"], copy["nulls"] = self.at[field.name], self.nulls[field.name]
            copy["source"] = dtype.fields[field.name if computed else field.source][1] + field.part * width
            copy["width"] = width
            copy["mapped"] = field.dictionary == Dictionary.TYPES
            if field.null is not None:
                copy["null"] = _NO_TEXT if computed and field.dictionary else field.null
        return copies

    def moved(self, block: Block, to: _Layout, n: int) -> Block:
        """Return a block of another layout with the first ``n`` values of each column."""
        moved = Block(to.nbytes)
        old, new = view(block, np.uint8), view(moved, np.uint8)
        for (source, _), (target, nbytes) in zip(self._areas, to._areas, strict=True):
            new[target : target + nbytes] = old[source : source + nbytes]
        return moved


def _is_computed(field: Field) -> bool:
    """True if rows do not hold the values of a column as they are."""
    return not field.source or field.dictionary in (Dictionary.STRINGS, Dictionary.STATES)


def _plain(dtype: np.dtype[np.void]) -> np.dtype[np.void]:
    """Return a row type without its fields that are objects."""
    return narrow(dtype, [name for name in dtype.names or () if not dtype[name].hasobject])


def _bytes(rows: Rows) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
