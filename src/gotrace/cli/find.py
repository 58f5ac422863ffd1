"""The command ``gotrace find``: prints events by kind and call stack. Never here: the search."""

from __future__ import annotations

import argparse

from gotrace.analysis.find import Found, find
from gotrace.cli import common, many
from gotrace.cli.dump import KINDS
from gotrace.cli.output import add_formats, report_output
from gotrace.errors import TraceError
from gotrace.report.find import found_document, print_found
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "find",
        help="search traces for events by kind and call stack",
        description="Print a line for each event of a kind, or with certain functions on its stack: the trace, the "
        "time since its start, the offset of the event, its goroutine, its type, and the function that matches. The "
        "exit code is 1 if there is none.",
    )
    many.add_traces(parser)
    parser.add_argument(
        "--kind",
        action="append",
        choices=list(KINDS),
        metavar="KIND",
        help=f"kind of event, may be repeated: {', '.join(KINDS)}",
    )
    parser.add_argument(
        "--stack",
        action="append",
        metavar="PATTERN",
        help="name of a function on the stack, with the wildcards *, ? and [...]; case matters. If repeated, the "
        "patterns must match frames in this order, leaf first; there may be other frames in between",
    )
    parser.add_argument(
        "-n", "--top", type=common.count, default=0, metavar="N", help="stop after N events, 0 for never (default: 0)"
    )
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the events that match."""
    if not (args.kind or args.stack):
        args.usage("name what to find: --kind, --stack, or both")
    many.find_traces(args)
    kinds = [KINDS[kind] for kind in args.kind or ()]
    codes: list[int] = []
    n = 0

    def search(name: str, trace: Trace, progress: Progress | None) -> Found:
        return find(trace, kinds, args.stack or (), args.top or None, progress)

    with common.exit_code(codes), report_output(args) as report:

        def show(name: str, trace: Trace, found: Found) -> TraceError | None:
            nonlocal n
            if args.top:
                found.events, found.functions = found.events[: args.top - n], found.functions[: args.top - n]
            n += len(found.events)
            if report.text is None:
                report.add(found_document(trace.path, found, trace.warnings, trace.losses))
            else:
                print_found(report.text, trace.path, found)
            return found.error

        codes += many.run_each(
            *(args, search, show, lambda name, error: report.add_failure(args, name, error)),
            enough=lambda: 0 < args.top == n,
        )
    return common.worst([*codes, common.OK if n else common.NO])
