"""The command ``gotrace footprint``: prints the bytes of a trace by kind of event, thread or generation.

Never here: analysis.
"""

from __future__ import annotations

import argparse
import sys

from gotrace.analysis.footprint import footprint
from gotrace.cli import common
from gotrace.report.footprint import print_footprint, print_footprint_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "footprint",
        help="show which events take how many bytes of a trace",
        description="Show the bytes of a trace by type of event, by thread or by generation. Names in parentheses are "
        "not events. Bytes are counted as they are in the file.",
    )
    parser.add_argument(
        "--by", choices=("type", "thread", "generation"), default="type", help="what a row is (default: type)"
    )
    common.add_traces(parser, many=False)
    common.add_top(parser)
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the footprint of the trace."""
    codes: list[int] = []
    with (
        common.exit_code(codes),
        common.open_trace(args, args.trace, errors=args.errors) as trace,
        common.progress(args.trace, quiet=args.quiet) as progress,
    ):
        result = footprint(trace, by=args.by, progress=progress)
        if args.json:
            print_footprint_json(sys.stdout, trace.path, result, trace.warnings, trace.losses)
        else:
            print_footprint(sys.stdout, result, top=args.top)
        sys.stdout.flush()
        common.report_losses(trace, codes)
        if result.error is not None:
            raise result.error
    return common.worst(codes)
