"""How text fits a terminal: columns of a table that are shown, shortened names, wrapped lines. Never here: contents."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import TextIO

GAP = 2  # characters between columns
_LEAST_NAME, GOOD_NAME = 8, 24  # characters of the names at least; of the names before another column is shown
LONG_NAME = 50  # the same, of names that consist of several
WIDEST_TEXT = 120  # characters of a wrapped line at most


def width_of(out: TextIO) -> int | None:
    """Return the columns of a terminal, None if the stream is not one: text there has any width."""
    return shutil.get_terminal_size().columns if out.isatty() else None


def is_styled(out: TextIO) -> bool:
    """Return True if the stream is a terminal that shows bold text."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def cell_width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_char_width, text))


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def shorten(text: str, width: int, dots: str = "…") -> str:
    """Shorten a text in the middle; its end, such as the name of a type after its package, gets the larger part."""
    if cell_width(text) <= width:
        return text
    room = max(width - len(dots), 0)
    head = _fitting(text, room * 2 // 5)
    tail = _fitting(text[::-1], room - cell_width(head))[::-1]
    return (head + dots + tail)[: max(width, 0)]


def _fitting(text: str, width: int) -> str:
    """Return the longest start of a text that fits."""
    used = 0
    for i, char in enumerate(text):
        used += _char_width(char)
        if used > width:
            return text[:i]
    return text


def wrap(text: str, width: int | None) -> str:
    """Break a line between words where a terminal ends; continued lines keep the indent of a line's second part."""
    if width is None or cell_width(text) <= width:
        return text
    label, gap, rest = text.partition("  ")
    indent = len(label) + len(gap) + len(rest) - len(rest.lstrip()) if gap and len(label) < _LEAST_NAME * 2 else 0
    limit = min(max(width, 1), WIDEST_TEXT)
    whole = re.sub(r"(?<=\d) (?=[KMGTP]?i?B\b|[nµm]?s\b|min\b|[hd]\b)", "\xa0", text)  # number and unit stay together
    lines = textwrap.fill(
        *(whole, limit),
        subsequent_indent=" " * min(indent, limit // 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace("\xa0", " ")


def fit(
    widths: Sequence[int], name: int, width: int | None, drop: Sequence[int], good: int = GOOD_NAME
) -> tuple[list[int], int]:
    """Choose the columns of a table that fit.

    Parameters
    ----------
    widths : sequence of int
        Width of each column apart from the names. They are never cropped.
    name : int
        Width of the longest name; 0 if there are no names.
    width : int or None
        Width of the terminal; None: everything fits.
    drop : sequence of int
        Columns in the order in which they are dropped. One column stays in any case.
    good : int, optional
        Width of the names before another column is shown.

    Returns
    -------
    columns : list of int
        Columns that are shown.
    name : int
        Width of the names, 0 if they do not fit, either.
    """
    shown = list(range(len(widths)))
    if width is None:
        return shown, name

    def left() -> int:
        """Return the room for the names."""
        assert width is not None
        return width - sum(widths[i] + GAP for i in shown)

    good = min(name, max(good, width // 3))
    for column in drop:
        if len(shown) <= 1 or left() >= good:
            break
        shown.remove(column)
    room = left()
    return shown, 0 if room < min(name, _LEAST_NAME) else min(name, room)
