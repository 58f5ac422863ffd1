"""The command ``gotrace dump``: prints a trace as Go's text, every event or every record. Never here: analysis."""

from __future__ import annotations

import argparse

import gotrace
from gotrace.analysis.gather import on_clock
from gotrace.cli import common
from gotrace.cli.sched_command import time_of
from gotrace.order.selection import Selection
from gotrace.spec.enums import EventKind
from gotrace.tables.instants import QueryError
from gotrace.units import printable

KINDS = {kind.name.title().replace("_", ""): kind for kind in EventKind if kind}
"""Event kinds by their names in Go."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "dump",
        help="print a trace as Go's text",
        description="Print the text of go tool trace -d=parsed or -d=wire: every event in the order in which it "
        "happened, or every record of the file.",
    )
    common.add_trace(parser)
    parser.add_argument(
        "--mode", choices=("parsed", "wire"), default="parsed", help="events or records (default: parsed)"
    )
    common.add_salvage(parser)
    common.add_jobs(parser)
    filters = parser.add_argument_group(
        "filters", "For --mode parsed only. An event is printed if it passes every filter."
    )
    filters.add_argument(
        "--time",
        type=common.time_range,
        metavar="A:B",
        help="from A up to, not including, B since the start of the trace, for example 1.5s:2s",
    )
    filters.add_argument(
        "--generations",
        type=common.number_range,
        metavar="A:B",
        help="generations from A up to, not including, B, for example 3:",
    )
    filters.add_argument(
        "--kind",
        action="append",
        choices=list(KINDS),
        metavar="KIND",
        help=f"kind of event, may be repeated: {', '.join(KINDS)}",
    )
    filters.add_argument(
        "--goroutine",
        action="append",
        type=int,
        metavar="ID",
        help="events of this goroutine and its state transitions, may be repeated",
    )
    parser.set_defaults(run=run, fail=parser.error)


def run(args: argparse.Namespace) -> int:
    """Print the text of the trace."""
    selection: Selection | None = None
    if args.mode == "wire" and args.errors != "raise":
        args.fail("--salvage requires --mode parsed")
    if any(value is not None for value in (args.time, args.generations, args.kind, args.goroutine)):
        if args.mode == "wire":
            args.fail("filters require --mode parsed")
        selection = Selection(
            args.time or (None, None),
            args.generations or (None, None),
            frozenset(KINDS[kind] for kind in args.kind or ()),
            frozenset(args.goroutine or ()),
        )
    codes: list[int] = []
    out = common.binary_stdout()
    shown = _printable if out.isatty() else bytes
    with (
        common.exit_code(codes, args if args.mode == "parsed" else None),
        gotrace.open(args.trace, errors=args.errors, jobs=args.jobs) as trace,
    ):
        if args.time is not None and not trace.reader.source.once:
            try:
                on_clock(trace, time_of(args, trace))
            except QueryError as wrong:
                args.fail(str(wrong))
        try:
            for text in trace.text(args.mode, selection):
                out.write(shown(text))
        finally:
            out.flush()
        common.log_warnings(trace.warnings)
        common.report_losses(trace, codes)
    return common.worst(codes)


def _printable(text: bytes) -> bytes:
    """Escape what would change the state of a terminal: names in a trace may have any character."""
    lines = text.decode("utf-8", "surrogateescape").split("\n")
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in lines).encode()
