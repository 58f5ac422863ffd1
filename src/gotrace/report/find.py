"""Events that match, as text and as JSON. Never here: the search."""

from __future__ import annotations

from typing import Any, TextIO

from gotrace.analysis.find import Found
from gotrace.columns.fields import fields_of
from gotrace.dtypes import EVENT
from gotrace.report.common import document, error_json
from gotrace.units import printable

_KINDS = fields_of(EVENT)["kind"].names


def print_found(out: TextIO, path: str, found: Found) -> None:
    """Write a line for each event: trace, time since its start, offset, goroutine, type and function."""
    name, functions = printable(path), [printable(function) for function in found.names]
    times = (found.events["time"] - found.start).tolist()
    columns = (found.events[column].tolist() for column in ("offset", "g", "type"))
    for time, offset, g, type, function in zip(times, *columns, found.functions.tolist(), strict=True):
        place = f"{name}  {time / 1e9:.9f} s  offset {offset}  g {g}  {found.types[type]}"
        print(f"{place}  {functions[function]}".rstrip(), file=out)


def found_document(path: str, found: Found, warnings: list[str], losses: list[str]) -> dict[str, Any]:
    """Return the events of a trace as a JSON object."""
    names = ("time", "offset", "g", "m", "kind", "type")
    columns = [found.events[name].tolist() for name in names]
    columns[4] = [_KINDS[kind] for kind in columns[4]]
    columns[5] = [found.types[type] for type in columns[5]]
    columns.append([found.names[function] for function in found.functions.tolist()])
    rows = [dict(zip((*names, "function"), row, strict=True)) for row in zip(*columns, strict=True)]
    return document("find/1", path, rows=rows, warnings=warnings, losses=losses, error=error_json(found.error))
