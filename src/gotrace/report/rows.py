"""The rows of a query as a table of text: a CSV file comes in, which may be larger than memory. Never here: queries."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from gotrace.report.common import can_encode, say
from gotrace.report.layout import GAP, cell_width, is_styled, shorten, width_of
from gotrace.units import printable

_LEAST_TEXT = 8  # characters that a column of text keeps
_LARGEST = 2**31 - 1  # characters of a cell
_NUMBER = re.compile(r"-?(\d+(\.\d+)?(e[-+]?\d+)?|inf|nan)", re.ASCII)


class _Column(NamedTuple):
    title: str
    width: int
    numeric: bool


def print_rows(out: TextIO, path: Path, null: str) -> None:
    """Write the rows of a CSV file that starts with a line of titles; columns of numbers align right.

    A terminal gets the columns that fit: texts are shortened in the middle, numbers never. The columns for which there
    is no room are named below the table.
    """
    columns = _columns(path, null)
    widths = _fit(columns, width_of(out))
    dots = "…" if can_encode(out, "…") else "..."
    with _cells(path) as rows:
        for number, row in enumerate(rows):
            cells = []
            for cell, column, width in zip(row, columns, widths, strict=False):
                text = shorten(printable(cell), width, dots)
                blank = " " * (width - cell_width(text))
                cells.append(blank + text if column.numeric else text + blank)
            line = (" " * GAP).join(cells).rstrip()
            print(f"\x1b[1m{line}\x1b[0m" if not number and is_styled(out) else line, file=out)
    if missing := [column.title for column in columns[len(widths) :]]:
        say(out, f"too narrow for: {', '.join(missing)}")


@contextmanager
def _cells(path: Path) -> Iterator[Iterator[list[str]]]:
    csv.field_size_limit(min(sys.maxsize, _LARGEST))
    with path.open(newline="", encoding="utf-8") as file:
        yield csv.reader(file)


def _columns(path: Path, null: str) -> list[_Column]:
    """Read the file for the columns: a column is numeric if all its cells are numbers or nulls, but not only nulls."""
    with _cells(path) as rows:
        titles = [printable(title) for title in next(rows)]
        widths = list(map(cell_width, titles))
        texts, numbers = set[int](), set[int]()
        for row in rows:
            for i, cell in enumerate(row):
                widths[i] = max(widths[i], cell_width(printable(cell)))
                if cell != null:
                    (numbers if _NUMBER.fullmatch(cell) else texts).add(i)
    return [_Column(title, widths[i], i in numbers - texts) for i, title in enumerate(titles)]


def _fit(columns: list[_Column], width: int | None) -> list[int]:
    """Return the widths of the columns that fit, the first ones. Narrow columns of text are shortened last."""
    if width is None:
        return [column.width for column in columns]
    fitted: list[int] = []
    for column in columns:
        least = column.width if column.numeric else min(column.width, _LEAST_TEXT)
        if fitted and sum(fitted) + least + GAP * len(fitted) > width:
            break
        fitted.append(min(least, width))
    spare = width - sum(fitted) - GAP * (len(fitted) - 1)
    for i in sorted(range(len(fitted)), key=lambda i: columns[i].width):
        more = min(columns[i].width - fitted[i], spare)
        fitted[i] += more
        spare -= more
    return fitted
