"""The command ``gotrace stats``. Never here: analysis."""

from __future__ import annotations

import argparse
import sys

import gotrace
from gotrace.analysis.stats import Stats, stats
from gotrace.cli import common
from gotrace.errors import TraceError
from gotrace.report.stats import print_stats, print_stats_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "stats",
        help="the heap in numbers",
        description="Say what the heap of a trace taken with GODEBUG=traceallocfree=1 comes to: totals, peak, sizes, "
        "rate, GC cycles, and the types that were allocated most.",
    )
    common.add_traces(parser, many=False)
    common.add_top(parser, default=5)
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer for the trace."""
    codes: list[int] = []
    with (
        common.exit_code(codes),
        gotrace.open(args.trace, errors=args.errors) as trace,
        common.progress(args.trace, quiet=args.quiet) as progress,
    ):
        error: TraceError | None = None
        try:
            found = stats(trace, progress)
        except TraceError as fault:
            error = fault
            if not isinstance(fault.partial, Stats):
                raise
            found = fault.partial
        if args.json:
            print_stats_json(sys.stdout, trace.path, found, trace.warnings, trace.losses, error)
        else:
            if found.seen or error is None:
                print_stats(sys.stdout, found, top=args.top)
            if not args.quiet:
                for warning in trace.warnings:
                    common.say(warning)
        sys.stdout.flush()
        common.tell_losses(trace, codes)
        if error is not None:
            raise error
    return common.worst(codes)
