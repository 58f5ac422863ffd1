"""What reports share: tables, JSON objects and plain cells. Never here: the contents of a report."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from gotrace.dtypes import Rows
from gotrace.errors import TraceError
from gotrace.experiments.allocfree import ANOMALIES
from gotrace.experiments.rows import Anomaly
from gotrace.report.layout import GAP, GOOD_NAME, LONG_NAME, cell_width, fit, is_styled, shorten, width_of, wrap
from gotrace.units import human_count, printable, shell_path
from gotrace.wire.remote import public_name

_ADDRESSES = ("address", "pc")
_NAMES = 8  # traces named in a command to run next
_LEAST_BAR = 6  # characters of the longest bar at least, else there are none


class Markdown(io.StringIO):
    """A text that is written in Markdown."""


def say(out: TextIO, text: str = "") -> None:
    """Write a line of text, wrapped where a terminal ends; in Markdown, a paragraph."""
    print(wrap(text, width_of(out)), file=out)
    if text and isinstance(out, Markdown):
        print(file=out)


def print_table(
    out: TextIO,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    total: int = 0,
    drop: Sequence[int] = (),
    long: bool = False,
) -> None:
    """Write a table of numbers and, in the last column, names.

    A terminal gets the columns that fit. Numbers are never cropped: columns are dropped from the right, then names are
    shortened in the middle, and at last dropped; a line says which columns are missing. Elsewhere all is written.

    Parameters
    ----------
    out : TextIO
    columns : sequence of str
        Titles, each once, in order of their value.
    rows : sequence of sequences of str
    total : int, optional
        Number of rows that there are, if it is more than is shown.
    drop : sequence of int, optional
        Columns to drop first, in this order.
    long : bool, optional
        Drop columns rather than shorten names below ``LONG_NAME``, since they consist of several.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    if not cells:
        say(out, "no rows")
    elif isinstance(out, Markdown):
        _print_markdown(out, columns, cells)
    else:
        _print_plain(out, columns, cells, drop, LONG_NAME if long else GOOD_NAME)
    if total > len(rows):
        say(out, f"... and {human_count(total - len(rows), 'more row')} (--top 0 shows all)")


def print_bars(
    out: TextIO, columns: Sequence[str], rows: Sequence[Sequence[str]], values: Sequence[int], longest: int = 30
) -> None:
    """Write a table with a bar for each row: of ``longest`` characters at most, or of the room that a terminal has."""
    width, room = width_of(out), longest
    if width is not None:
        used = sum(max(cell_width(row[i]) for row in (columns, *rows)) + GAP for i in range(len(columns)))
        room = min(longest, width - used)
    if room < _LEAST_BAR:
        room = 0
    most = max(values, default=0) or 1
    bars = ["#" * -(-room * value // most) for value in values]
    print_table(out, (*columns, ""), [(*row, bar) for row, bar in zip(rows, bars, strict=True)])


def _print_plain(out: TextIO, columns: Sequence[str], rows: list[list[str]], drop: Sequence[int], good: int) -> None:
    *widths, names = [max(cell_width(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    order = [*drop, *(i for i in reversed(range(len(widths))) if i not in drop)]
    shown, width = fit(widths, names, width_of(out), order, good)
    dots = "…" if can_encode(out, "…") else "..."
    for i, row in enumerate((columns, *rows)):
        cells = [" " * (widths[j] - cell_width(row[j])) + row[j] for j in shown]
        line = (" " * GAP).join([*cells, *([shorten(row[-1], width, dots)] if width else [])]).rstrip()
        print(f"\x1b[1m{line}\x1b[0m" if i == 0 and is_styled(out) else line, file=out)
    missing = [title for i, title in enumerate(columns[:-1]) if i not in shown] + ([] if width else [columns[-1]])
    if any(missing):
        say(out, f"too narrow for: {', '.join(filter(None, missing))}")


def _print_markdown(out: TextIO, columns: Sequence[str], rows: list[list[str]]) -> None:
    lines = [columns, ["---:"] * (len(columns) - 1) + [":---"], *rows]
    for line in lines:
        print(f"| {' | '.join(cell.replace('|', '&#124;').replace('*', '&#42;') for cell in line)} |", file=out)
    print(file=out)


def print_next(out: TextIO, names: Sequence[str], steps: Sequence[tuple[str, str]], *, salvage: bool = False) -> None:
    """Write commands to run next, after an empty line; nothing in Markdown, or if standard input was read.

    Parameters
    ----------
    out : TextIO
    names : sequence of str
        The traces, folders and globs of the commands.
    steps : sequence of tuple of str
        Arguments of each command, with ``FILE`` in place of the names, and what it shows.
    salvage : bool, optional
        The commands read damaged traces.
    """
    if "-" in names or not steps or isinstance(out, Markdown):
        return
    traces = " ".join(shell_path(public_name(name)) for name in names) if len(names) <= _NAMES else "TRACE..."
    say(out)
    for arguments, shows in steps:
        command = arguments.replace("FILE", traces + " --salvage" * salvage, 1)
        print(printable(f"next     gotrace {command}"), file=out)  # not wrapped, so that it can be copied
        say(out, f"         {shows}")


def can_encode(out: TextIO, text: str) -> bool:
    """Return True if a stream can write the characters of a text."""
    try:
        text.encode(out.encoding or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def plain(value: Any, name: str = "") -> Any:
    """Convert a cell for JSON: addresses become hex strings, NaT and NaN become null."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if name in _ADDRESSES and isinstance(value, int):
        return f"{value:#x}"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def json_rows(rows: Rows) -> list[dict[str, Any]]:
    """Convert a structured array to JSON objects, one for each row."""
    names = rows.dtype.names or ()
    return [{name: plain(row[name], name) for name in names} for row in rows]


def error_json(error: Exception | None) -> dict[str, Any] | None:
    """Convert an error to a JSON object, None to null."""
    if error is None:
        return None
    if not isinstance(error, TraceError):
        return {"class": type(error).__name__, "detail": getattr(error, "strerror", None) or str(error)}
    return {
        "class": type(error).__name__,
        "detail": error.detail,
        "offset": error.offset if error.offset >= 0 else None,
        "generation": error.generation,
        "m": error.m,
        "event": error.event,
    }


def outside_spans(anomalies: Mapping[str, int]) -> int:
    """Return the number of objects in spans that the trace does not contain: their bytes are a lower bound."""
    return anomalies.get(ANOMALIES[Anomaly.OBJECT_OUTSIDE], 0)


def caveats(anomalies: Mapping[str, int], losses: Sequence[str] = ()) -> list[str]:
    """Say which totals are not exact, and why."""
    found = []
    if n := outside_spans(anomalies):
        found.append(
            f"bytes are lower bounds: {human_count(n, 'object')} in spans that the trace does not contain; "
            "each counts as one object of its type, or as 0 bytes without a type"
        )
    if losses:
        found.append("parts of the trace are lost: totals are not reliable")
    return found


def print_anomalies(out: TextIO, anomalies: Mapping[str, int], width: int = 8) -> None:
    """Write counts of anomalies, and which totals they make inexact; the first column has this width."""
    for name, n in anomalies.items():
        say(out, f"{'anomaly':{width}}{name}: {n:,}")
    for caveat in caveats(anomalies):
        say(out, f"{'note':{width}}{caveat}")


def document(schema: str, trace: str, **members: Any) -> dict[str, Any]:
    """Return the JSON object of a report, with the members that all reports share."""
    found: dict[str, Any] = {
        "schema": schema,
        "trace": public_name(trace),
        "rows": [],
        "anomalies": {},
        "warnings": [],
        "losses": [],
        "error": None,
        **members,
    }
    return {**found, "caveats": caveats(found["anomalies"], found["losses"])}


def json_line(document: Mapping[str, Any]) -> str:
    """Return a JSON object as one line of valid UTF-8."""
    import json  # slow to import

    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace").decode()
