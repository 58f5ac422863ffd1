"""The contents of a trace, what it lacks and what to run next, as text and as JSON. Never here: counting."""

from __future__ import annotations

from typing import TextIO

import numpy as np

from gotrace.analysis.info import Info
from gotrace.report.common import error_json, json_rows, print_json, print_table
from gotrace.units import human_bytes, human_time

_SHOWN = 12  # generations and event kinds listed


def print_info(out: TextIO, path: str, info: Info) -> None:
    """Write what a trace contains, what it lacks, and what to run next."""
    rows = info.generations
    print(f"{path}: Go execution trace, header 1.{info.version[2:]} (written by {info.writers})", file=out)
    if len(rows):
        duration = int(rows["end"].max()) - int(rows["start"].min())
        wall = rows["wall"][0]
        started = "" if np.isnat(wall) else f", started {np.datetime_as_string(wall, 'ms')}Z"
        print(
            f"{human_bytes(info.nbytes)}, {int(rows['events'].sum()):,} events of {info.threads:,} threads "
            f"in {human_time(duration)}{started}",
            file=out,
        )
        print(file=out)
        columns = ("events", "time", "bytes", "batches", "strings", "stacks", "samples", "types", "generation")
        print_table(
            out,
            columns,
            [
                (
                    f"{row['events']:,}",
                    human_time(int(row["end"]) - int(row["start"])),
                    human_bytes(int(row["nbytes"])),
                    *(f"{row[name]:,}" for name in columns[3:-1]),
                    f"{row['number']}{('', ' (cut short)', ' (skipped)')[row['state']]}",
                )
                for row in rows[:_SHOWN]
            ],
        )
        if len(rows) > _SHOWN:
            print(f"... and {len(rows) - _SHOWN:,} more generations", file=out)
        print(file=out)
        events = sorted(info.events.items(), key=lambda item: -item[1])
        print_table(out, ("events", "kind"), [(f"{n:,}", name) for name, n in events[:_SHOWN]])
        if len(events) > _SHOWN:
            print(f"... and {len(events) - _SHOWN} more kinds", file=out)
    for name, (batches, nbytes) in info.experiments.items():
        print(f"\nexperiment {name}: {batches:,} batches, {human_bytes(nbytes)}", file=out)
    if info.error is None:
        print(file=out)
        for line in info.missing:
            print(f"missing  {line}", file=out)
        for command in info.next if path != "-" else []:
            print(f"next     gotrace {command.split()[0]} {path} {' '.join(command.split()[1:])}".rstrip(), file=out)


def print_info_json(out: TextIO, path: str, info: Info, warnings: list[str], losses: list[str]) -> None:
    """Write the contents of a trace as one JSON object, rows as in table GENERATION."""
    print_json(
        out,
        "info/1",
        path,
        version=info.version,
        writers=info.writers,
        nbytes=info.nbytes,
        rows=json_rows(info.generations),
        events=info.events,
        experiments={name: {"batches": n, "nbytes": size} for name, (n, size) in info.experiments.items()},
        missing=info.missing if info.error is None else [],
        warnings=warnings,
        losses=losses,
        error=error_json(info.error),
    )
