"""The contents of a trace, what it lacks and what to run next, as text and as JSON. Never here: counting."""

from __future__ import annotations

from typing import Any, TextIO

import numpy as np

from gotrace.analysis.info import Info
from gotrace.report.common import document, error_json, json_rows, print_next, print_table, say
from gotrace.units import human_bytes, human_count, human_share, human_time
from gotrace.wire.remote import public_name

_SHOWN = 10  # generations and kinds of events listed


def print_info(out: TextIO, path: str, info: Info, *, following: bool = True) -> None:
    """Write what a trace contains, whether it is whole, what it lacks, and with ``following`` what to run next."""
    say(out, f"{public_name(path)}: Go execution trace, header 1.{info.version[2:]} (written by {info.writers})")
    if len(info.generations):
        _print_generations(out, info)
        say(out)
        _print_events(out, info)
    elif info.error is not None:
        say(out, "not whole: damaged or cut short; no generation could be read")
    missing = info.missing if info.error is None and not info.lost else []
    if missing:
        say(out)
    for line in missing:
        say(out, f"missing  {line}")
    if following:
        print_next(out, [path], info.next)


def _print_generations(out: TextIO, info: Info) -> None:
    rows = info.generations
    duration = int(rows["end"].max()) - int(rows["start"].min())
    wall = rows["wall"][0]
    started = "" if np.isnat(wall) else f", started {np.datetime_as_string(wall, 'ms')}Z"
    say(
        out,
        f"{human_bytes(info.nbytes)}, {human_count(int(rows['events'].sum()), 'event')} of "
        f"{human_count(info.threads, 'thread')} in {human_time(duration)}{started}",
    )
    n = human_count(len(rows), "generation")
    say(out, f"whole: {n}" if info.whole else f"not whole: damaged or cut short; {n} could be read")
    say(out)
    columns = ("events", "time", "bytes", "batches", "strings", "stacks", "samples", "types", "generation")
    cells = [
        (
            f"{row['events']:,}",
            human_time(int(row["end"]) - int(row["start"])),
            human_bytes(int(row["nbytes"])),
            *(f"{row[name]:,}" for name in columns[3:-1]),
            f"{row['number']}{('', ' (cut short)', ' (skipped)')[row['state']]}",
        )
        for row in rows[:_SHOWN]
    ]
    print_table(out, columns, cells)
    if len(rows) > _SHOWN:
        say(out, f"... and {human_count(len(rows) - _SHOWN, 'more generation')} (--json has all)")


def _print_events(out: TextIO, info: Info) -> None:
    """Write how many bytes each kind of event, and of other records, takes."""
    rows = info.footprint
    cells = [
        (human_bytes(nbytes), human_share(nbytes, info.nbytes), f"{count:,}", name)
        for name, count, nbytes in rows[:_SHOWN].tolist()
    ]
    print_table(out, ("bytes", "of file", "count", "kind"), cells)
    if len(rows) > _SHOWN:
        say(out, f"... and {human_count(len(rows) - _SHOWN, 'more kind')} (gotrace footprint has all)")


def info_document(path: str, info: Info, warnings: list[str], losses: list[str]) -> dict[str, Any]:
    """Return the contents of a trace as a JSON object, rows as in table GENERATION."""
    return document(
        "info/1",
        path,
        version=info.version,
        writers=info.writers,
        nbytes=info.nbytes,
        rows=json_rows(info.generations),
        whole=info.whole,
        events=info.events,
        footprint=json_rows(info.footprint),
        experiments={name: {"batches": n, "nbytes": size} for name, (n, size) in info.experiments.items()},
        missing=info.missing if info.error is None and not info.lost else [],
        next=[arguments for arguments, _ in info.next],
        warnings=warnings,
        losses=losses,
        error=error_json(info.error),
    )
