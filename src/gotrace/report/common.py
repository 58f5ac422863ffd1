"""What reports share: tables, JSON objects and plain cells. Never here: the contents of a report."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from gotrace.dtypes import Rows
from gotrace.errors import TraceError
from gotrace.experiments.allocfree import ANOMALIES
from gotrace.experiments.rows import Anomaly
from gotrace.units import printable

_ADDRESSES = ("address", "pc")
_GAP = 2  # characters between columns
_LEAST_NAME = 8  # characters of a column that is folded


def print_table(out: TextIO, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Write a table; the last ``left`` columns align left.

    A terminal gets it from rich, which folds these columns. It is plain text otherwise, and where the numbers do not
    fit: rich would cut them.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    least = sum(widths[: len(widths) - left]) + _GAP * len(columns) + left * _LEAST_NAME
    if out.isatty() and shutil.get_terminal_size().columns >= least:
        try:
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text
        except ImportError:
            pass
        else:
            table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
            for i, name in enumerate(columns):
                names = i >= len(columns) - left
                table.add_column(name, justify="left" if names else "right", overflow="fold", no_wrap=not names)
            for row in rows:
                table.add_row(*map(Text, row))
            Console(file=out).print(table)
            return
    for row in (columns, *rows):
        cells = [
            cell if i >= len(columns) - left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print((" " * _GAP).join(cells).rstrip(), file=out)


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


def error_json(error: TraceError | OSError | ImportError | None) -> dict[str, Any] | None:
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
            f"bytes are lower bounds: {n:,} objects are in spans that the trace does not contain; "
            "each counts as one object of its type, or as 0 bytes without a type"
        )
    if losses:
        found.append("parts of the trace are lost: totals are not reliable")
    return found


def print_anomalies(out: TextIO, anomalies: Mapping[str, int], width: int = 8) -> None:
    """Write counts of anomalies, and which totals they make inexact; the first column has this width."""
    for name, n in anomalies.items():
        print(f"{'anomaly':{width}}{n:,} {name}", file=out)
    for caveat in caveats(anomalies):
        print(f"{'note':{width}}{caveat}", file=out)


def print_json(out: TextIO, schema: str, trace: str, **members: Any) -> None:
    """Write a JSON object on one line, with the members that all reports share."""
    import json  # slow to import

    document = {
        "schema": schema,
        "trace": trace,
        "rows": [],
        "anomalies": {},
        "warnings": [],
        "losses": [],
        "error": None,
        **members,
    }
    document["caveats"] = caveats(document["anomalies"], document["losses"])
    print(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace").decode(), file=out)
