"""The rows of a query as a table of text: a CSV file comes in, which may be larger than memory. Never here: queries."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from gotrace.units import printable

_GAP = 2  # characters between columns
_LEAST = 6  # characters that a column keeps
_MORE = "…"
_NUMBER = re.compile(r"-?(\d+(\.\d+)?([eE][-+]?\d+)?|inf|nan)", re.ASCII)


def print_rows(out: TextIO, path: Path, null: str, width: int | None) -> int:
    """Write the rows of a CSV file that starts with a line of names, and return the number of columns left out.

    Columns of numbers align right. With a ``width``, cells are cut so that a line has no more characters, and columns
    for which there is no room are left out.
    """
    widths, numeric = _measure(path, null)
    if width is not None:
        widths = _fit(widths, width)
    with _cells(path) as rows:
        for number, row in enumerate(rows):
            cells = (
                _cut(printable(cell), size).rjust(size) if right else _cut(printable(cell), size).ljust(size)
                for cell, size, right in zip(row, widths, numeric, strict=False)
            )
            print((" " * _GAP).join(cells).rstrip(), file=out)
            if not number:
                print((" " * _GAP).join("-" * size for size in widths), file=out)
    return len(numeric) - len(widths)


@contextmanager
def _cells(path: Path) -> Iterator[Iterator[list[str]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(newline="", encoding="utf-8") as file:
        yield csv.reader(file)


def _measure(path: Path, null: str) -> tuple[list[int], list[bool]]:
    """Return the width of each column, and True for each that has numbers only."""
    with _cells(path) as rows:
        widths = [len(printable(name)) for name in next(rows)]
        numeric = [True] * len(widths)
        empty = [True] * len(widths)
        for row in rows:
            for i, cell in enumerate(row):
                widths[i] = max(widths[i], len(printable(cell)))
                if cell != null:
                    empty[i] = False
                    numeric[i] = numeric[i] and _NUMBER.fullmatch(cell) is not None
    return widths, [n and not e for n, e in zip(numeric, empty, strict=True)]


def _fit(widths: list[int], width: int) -> list[int]:
    """Return smaller widths that fit into a line, fewer if there is no room for all columns."""
    least = [min(size, _LEAST) for size in widths]
    while len(least) > 1 and sum(least) + _GAP * (len(least) - 1) > width:
        least.pop()
    spare = width - sum(least) - _GAP * (len(least) - 1)
    fitted = list(least)
    for i in sorted(range(len(least)), key=lambda i: widths[i]):  # narrow columns first: more of them are whole
        more = min(widths[i] - least[i], spare)
        fitted[i] += max(more, 0)
        spare -= max(more, 0)
    return fitted


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - len(_MORE)] + _MORE
