"""The formats ``.csv`` and ``.jsonl``: batches come in, a line per row goes out. Never here: other formats."""

from __future__ import annotations

import json
from typing import BinaryIO

import numpy as np

from gotrace.columns.batch import Batch, Values
from gotrace.columns.fields import Field
from gotrace.columns.memory import view
from gotrace.dtypes import I4, U1
from gotrace.export import _lines

_ROOM = 1 << 20  # bytes written at a time
_UNSIGNED, _SIGNED, _TIME, _PLACE = range(4)  # kinds of columns of the kernel
_ESCAPED = {False: 2, True: 6}  # bytes that a byte of text needs at most: in CSV, in JSON


class _LinesWriter:
    """Writes a line per row: names of enums, types and strings as text."""

    rows = 1 << 16
    needs = ""
    json: bool

    def __init__(self, out: BinaryIO, fields: list[Field]) -> None:
        self._out = out
        self._room: U1 = np.empty(_ROOM, np.uint8)
        self.n = 0

    def before(self, field: Field, *, first: bool) -> bytes:
        """Return what precedes the value of a column in each line."""
        raise NotImplementedError

    def write(self, batch: Batch) -> None:
        """Append a line per row."""
        lines = _lines.Lines(self.json)
        for i, (name, values) in enumerate(batch.columns.items()):
            self._add(lines, batch, name, values, self.before(values.field, first=i == 0))
        row = 0
        while row < batch.n:
            before = row
            row, size = lines.write(row, batch.n, self._room)
            self._out.write(self._room[:size].data)
            if row == before:
                self._room = np.empty(2 * len(self._room), np.uint8)
        self.n += batch.n

    def _add(self, lines: _lines.Lines, batch: Batch, name: str, values: Values, before: bytes) -> None:
        field, validity = values.field, values.buffers[0]
        bits = view(validity[0], np.uint8, -1, validity[1]) if validity is not None else None
        if field.text:
            lines.add_texts(before, *self._escaped(batch.values(name), batch.text_bytes(name)), bits)
            return
        column = batch.values(name)
        kind = {"u": _UNSIGNED, "i": _SIGNED, "M": _TIME}[column.dtype.kind]
        texts = values.dictionary
        if texts is not None:
            kind = _PLACE
        lines.add_numbers(before, column.view(np.uint8), column.itemsize, kind, bits)
        if texts is not None:
            offsets = view(texts.offsets, np.int32, texts.n + 1)
            lines.set_texts(*self._escaped(offsets, view(texts.data, np.uint8)))

    def _escaped(self, offsets: I4, data: U1) -> tuple[I4, U1]:
        """Return texts as they are to be written."""
        n = len(offsets) - 1
        ends = np.empty(n + 1, np.int32)
        out = np.empty(_ESCAPED[self.json] * int(offsets[-1]) + 2 * n + 1, np.uint8)
        _lines.escape(offsets, n, data, self.json, ends, out)
        return ends, out

    def finish(self) -> None:
        """Do nothing: no rows are buffered."""


class CsvWriter(_LinesWriter):
    """Writes a line of names first. Text is quoted as RFC 4180 requires; an empty cell is a null."""

    json = False

    def __init__(self, out: BinaryIO, fields: list[Field]) -> None:
        super().__init__(out, fields)
        out.write(b"%s\n" % ",".join(field.name for field in fields).encode())

    def before(self, field: Field, *, first: bool) -> bytes:
        """Return the comma between cells."""
        return b"" if first else b","


class JsonlWriter(_LinesWriter):
    """Writes a JSON object per line, in UTF-8."""

    json = True

    def before(self, field: Field, *, first: bool) -> bytes:
        """Return the key of a value."""
        return f"{'{' if first else ','}{json.dumps(field.name)}:".encode()
