"""The verdict on a trace as a line of text and as JSON. Never here: the checks."""

from __future__ import annotations

from typing import Any, TextIO

from gotrace.analysis.validate import Verdict
from gotrace.report.common import document, error_json, say
from gotrace.units import human_count
from gotrace.wire.remote import public_name


def print_verdict(out: TextIO, path: str, verdict: Verdict, warnings: list[str], *, valid: bool) -> None:
    """Write a verdict as one line."""
    n_events = human_count(verdict.events, "event")
    path = public_name(path)
    events = f"{n_events} in {human_count(verdict.generations, 'generation')}"
    if verdict.error is not None:
        verdict.error.path = ""
        say(out, f"{path}: broken: {verdict.error}; {n_events} before that")
    elif not valid:
        say(out, f"{path}: warning: {warnings[0]}; {events}")
    else:
        say(out, f"{path}: valid: {events}")


def verdict_document(path: str, verdict: Verdict, warnings: list[str], *, valid: bool) -> dict[str, Any]:
    """Return a verdict as a JSON object."""
    return document(
        "validate/1",
        path,
        valid=valid,
        events=verdict.events,
        generations=verdict.generations,
        warnings=warnings,
        error=error_json(verdict.error),
    )
