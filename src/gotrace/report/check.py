"""The limits of a check as lines of text and as JSON. Never here: the limits."""

from __future__ import annotations

from typing import Any, TextIO

from gotrace.analysis.check import Check
from gotrace.report.common import document, error_json, say
from gotrace.units import printable


def print_check(out: TextIO, name: str, check: Check, *, complete: bool) -> None:
    """Write a line for each limit that is exceeded, or that all are kept, if the trace was read to its end."""
    for failure in check.failures:
        say(out, f"{name}: {printable(failure)}")
    if check.ok and complete:
        say(out, f"{name}: ok")


def check_document(
    name: str, check: Check, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return the limits of a check as a JSON object."""
    return document(
        "check/1",
        name,
        rows=[vars(limit) for limit in check.limits],
        ok=check.ok and error is None,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )
