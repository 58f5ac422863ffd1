"""What Python and notebooks show of an object: its facts and first rows come in, one line and HTML go out.

Never here: the choice of facts and rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any, NamedTuple

from gotrace.units import printable

ROWS = 20
"""Rows of a table on one screen."""


class View(NamedTuple):
    """An object on one screen.

    Attributes
    ----------
    facts : str
        What it is, in one line.
    columns : sequence of str
    rows : iterable of sequence
        Cells of the rows; the first ``most`` are shown.
    n : int or None
        Number of all rows, if it is known.
    note : str
        Text below the rows.
    most : int
    """

    facts: str
    columns: Sequence[str] = ()
    rows: Iterable[Sequence[Any]] = ()
    n: int | None = None
    note: str = ""
    most: int = ROWS


class Viewed:
    """Base of objects that show a line in Python and a table in notebooks."""

    def view(self) -> View:
        """Return what is shown."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<gotrace.{type(self).__name__}: {self.view().facts}>"

    def _repr_html_(self) -> str:
        return html(self.view())


def html(view: View) -> str:
    """Return a view as HTML."""
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in view.columns)
    rows = [f"<tr>{''.join(map(_cell, row))}</tr>" for row in islice(view.rows, view.most)]
    notes = [view.note] if view.note else []
    if view.n is not None and view.n > len(rows):
        notes.insert(0, f"{view.n - len(rows):,} more rows")
    caption = f"<caption>{escape(printable(view.facts))}</caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return table + "".join(f"<p>{escape(printable(note))}</p>" for note in notes)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f'<td style="text-align:left">{escape(printable(value))}</td>'
    return f"<td>{escape(number(value))}</td>"


def number(value: Any) -> str:
    """Return a number as text: integers with separators, others with four digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def cells(rows: Any, columns: Sequence[str]) -> Iterable[Sequence[Any]]:
    """Return the first cells of some columns of a structured array, by row."""
    return zip(*(rows[name][:ROWS].tolist() for name in columns), strict=True)
