"""The verdict on a trace as a line of text and as JSON. Never here: the checks."""

from __future__ import annotations

from typing import TextIO

from gotrace.analysis.validate import Verdict
from gotrace.report.common import error_json, print_json


def print_verdict(out: TextIO, path: str, verdict: Verdict, warnings: list[str], *, valid: bool) -> None:
    """Write a verdict as one line."""
    n = verdict.generations
    events = f"{verdict.events:,} events in {n:,} generation{'s' * (n != 1)}"
    if verdict.error is not None:
        verdict.error.path = ""
        print(f"{path}: broken: {verdict.error}; {verdict.events:,} events before that", file=out)
    elif not valid:
        print(f"{path}: warning: {warnings[0]}; {events}", file=out)
    else:
        print(f"{path}: valid: {events}", file=out)


def print_verdict_json(out: TextIO, path: str, verdict: Verdict, warnings: list[str], *, valid: bool) -> None:
    """Write a verdict as one JSON object."""
    print_json(
        out,
        "validate/1",
        path,
        valid=valid,
        events=verdict.events,
        generations=verdict.generations,
        warnings=warnings,
        error=error_json(verdict.error),
    )
