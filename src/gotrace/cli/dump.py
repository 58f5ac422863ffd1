"""The command ``gotrace dump``. Never here: analysis."""

from __future__ import annotations

import argparse

import gotrace
from gotrace.cli import common
from gotrace.order.selection import Selection
from gotrace.spec.enums import EventKind

KINDS = {kind.name.title().replace("_", ""): kind for kind in EventKind if kind}
"""Kinds of events in Go's spelling."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "dump",
        help="Go's text of a trace",
        description="Write the text that go tool trace -d=parsed or -d=wire prints: every event in the order in which "
        "it happened, or every record of the file.",
    )
    common.add_traces(parser, many=False)
    parser.add_argument("--mode", choices=("parsed", "wire"), default="parsed", help="which text (default: parsed)")
    common.add_salvage(parser)
    common.add_jobs(parser)
    filters = parser.add_argument_group("filters", "Of events in order; they join with and.")
    filters.add_argument(
        "--time", type=common.time_range, metavar="A:B", help="from A to before B after the trace's start: 1.5s:2s"
    )
    filters.add_argument("--generations", type=common.number_range, metavar="A:B", help="generations A to before B: 3:")
    filters.add_argument(
        "--kind", action="append", choices=list(KINDS), metavar="KIND", help=f"may be repeated: {', '.join(KINDS)}"
    )
    filters.add_argument(
        "--goroutine",
        action="append",
        type=int,
        metavar="ID",
        help="what it did and what became of it; may be repeated",
    )
    parser.set_defaults(run=run, fail=parser.error)


def run(args: argparse.Namespace) -> int:
    """Write the text of the trace."""
    selection: Selection | None = None
    if args.mode == "wire" and args.errors != "raise":
        args.fail("--salvage is for --mode parsed")
    if any(value is not None for value in (args.time, args.generations, args.kind, args.goroutine)):
        if args.mode == "wire":
            args.fail("filters are for --mode parsed")
        selection = Selection(
            args.time or (None, None),
            args.generations or (None, None),
            frozenset(KINDS[kind] for kind in args.kind or ()),
            frozenset(args.goroutine or ()),
        )
    codes: list[int] = []
    out = common.binary_stdout()
    with common.exit_code(codes), gotrace.open(args.trace, errors=args.errors, jobs=args.jobs) as trace:
        try:
            for text in trace.text(args.mode, selection):
                out.write(text)
        finally:
            out.flush()
        for warning in trace.warnings:
            common.say(warning)
        common.tell_losses(trace, codes)
    return common.worst(codes)
