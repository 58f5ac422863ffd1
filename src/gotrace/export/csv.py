"""The format ``.csv``: a line of column names, then one line per row. Never here: other formats."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from gotrace.dtypes import Rows

_CRLF = "\r\n"
_BLOCK = 1 << 14  # rows converted to Python objects at a time


class _Lines(io.StringIO):
    """Text whose lines, each written at once with CR LF, end with LF."""

    def write(self, line: str) -> int:
        return super().write(f"{line.removesuffix(_CRLF)}\n")


class CsvWriter:
    """Writes lines that end with a newline; text is quoted as RFC 4180 requires.

    A subarray field becomes several columns, ``args`` for example ``args0`` to ``args3``. Bytes that are not UTF-8 are
    written unchanged.
    """

    def __init__(self, out: BinaryIO, dtype: np.dtype[np.void]) -> None:
        self._out = out
        self.n = 0
        names: list[str] = []
        for name in dtype.names or ():
            lengths = dtype[name].shape
            names += [f"{name}{i}" for i in range(*lengths)] if lengths else [name]
        self._lines(iter([names]))

    def _lines(self, rows: Iterator[Any]) -> None:
        text = _Lines()
        csv.writer(text, lineterminator=_CRLF).writerows(rows)  # so that both characters are quoted
        self._out.write(text.getvalue().encode("utf-8", "surrogateescape"))

    def write(self, rows: Rows) -> None:
        """Append one line per row."""
        for at in range(0, len(rows), _BLOCK):
            block = rows[at : at + _BLOCK]
            self._lines(zip(*(cells for name in block.dtype.names or () for cells in _cells(block[name])), strict=True))
        self.n += len(rows)

    def finish(self) -> None:
        """Do nothing: no rows are buffered."""


def _cells(column: np.ndarray[Any, np.dtype[Any]]) -> Iterator[list[Any]]:
    if column.ndim > 1:
        yield from column.T.tolist()
    elif column.dtype.kind == "M":
        yield np.datetime_as_string(column).tolist()
    else:
        yield column.tolist()
