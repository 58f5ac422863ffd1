"""Parts of HTML pages: tables, lists, and bars. All text is escaped here. Never here: what the text says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import zip_longest
from typing import TypeAlias

ROWS = 500
"""Rows per table."""

NAME = 300
"""Characters per name."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Cell: TypeAlias = tuple[float | None, str]
"""The number that a column is sorted by, None for text; and what the cell shows."""

Row: TypeAlias = tuple[str, Sequence[Cell]]
"""Name, and the other cells."""


def short(name: str) -> str:
    """Return a name of at most :data:`NAME` characters."""
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def listed(lines: Sequence[str], kind: str = "") -> str:
    """Return a list, empty text without lines."""
    if not lines:
        return ""
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">\n{items}\n</ul>' if kind else f"<ul>\n{items}\n</ul>"


def table(
    name: str,
    title: str,
    heads: Sequence[str],
    rows: Sequence[Row],
    note: str,
    types: Sequence[str] = (),
    above: str = "",
) -> str:
    """Return a section with a table.

    Parameters
    ----------
    name : str
        Identifier of the table; that of the section ends in ``-table``.
    title : str
    heads : sequence of str
    rows : sequence of Row
    note : str
        Below the table.
    types : sequence of str, optional
        Types that the first rows are about, which a click selects.
    above : str, optional
        HTML between the title and the table.
    """
    tags = [f' data-type="{escape(short(of))}"' for of in types] + [""] * (len(rows) - len(types))
    texts = [value is None for value, _ in rows[0][1]] if rows else []
    kinds = [' class="text"' if text else "" for text in (False, *texts)]
    head = "".join(
        f'<th scope="col"{kind}>{escape(text)}</th>' for text, kind in zip_longest(heads, kinds, fillvalue="")
    )
    body = "\n".join(
        f"<tr{tag}><td>{escape(short(first))}</td>{''.join(map(_cell, cells))}</tr>"
        for (first, cells), tag in zip(rows, tags, strict=True)
    )
    search = (
        f'<input type="search" id="filter-{name}" placeholder="Filter by name" '
        f'aria-label="Filter {escape(title.lower())}">'
    )
    return (
        f'<section class="card" id="{name}-table"><div class="bar"><h2>{escape(title)}</h2>'
        f'<div class="tools scripted"><span id="count-{name}"></span>{search}</div></div>\n{above}'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}"><table class="rows" id="{name}">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>\n"
        f'<p class="hint">{escape(note)}</p></section>'
    )


def _cell(cell: Cell) -> str:
    value, text = cell
    inner = text if isinstance(text, Markup) else escape(short(text))
    return f'<td class="text">{inner}</td>' if value is None else f'<td data-v="{value}">{inner}</td>'


def keys(names: dict[str, str]) -> str:
    """Return the key of a chart: what each class of its parts means."""
    items = "".join(f'<span><i class="part {kind}"></i>{escape(text)}</span> ' for kind, text in names.items())
    return f'<p class="keys">{items}</p>\n'


def stacked(parts: Mapping[str, float], whole: float) -> Markup:
    """Return a bar of parts, each of its class; ``whole`` has the full length."""
    left, boxes = 0, []
    total = 0.0
    for kind, value in parts.items():
        total += value
        right = round(1000 * min(total / whole, 1)) if whole > 0 else 0
        if right > left:
            boxes.append(f'<rect class="{kind}" x="{left}" width="{right - left}" height="1"/>')
        left = right
    return _bar(1000, "".join(boxes))


def histogram(counts: Sequence[int]) -> Markup:
    """Return a small chart of a bar for each count."""
    most = max(counts, default=0) or 1
    boxes = [
        f'<rect class="exec" x="{i}" y="{1 - n / most:.3g}" width=".9" height="{n / most:.3g}"/>'
        for i, n in enumerate(counts)
        if n
    ]
    return _bar(max(len(counts), 1), "".join(boxes))


def _bar(width: int, boxes: str) -> Markup:
    return Markup(
        f'<svg class="part" viewBox="0 0 {width} 1" preserveAspectRatio="none" aria-hidden="true">{boxes}</svg>'
    )
