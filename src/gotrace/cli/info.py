"""The command ``gotrace info``: prints what traces contain, what they lack, and what to run next.

Never here: analysis.
"""

from __future__ import annotations

import argparse
import sys

from gotrace.analysis.info import inspect
from gotrace.cli import common
from gotrace.report.info import print_info, print_info_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "info",
        help="show what a trace contains, what it lacks, and what to run next",
        description="Show what a trace contains, what it lacks, and what to run next.",
    )
    common.add_traces(parser, many=True)
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the summary of each trace."""
    codes: list[int] = []
    for number, path in enumerate(args.traces):
        with (
            common.exit_code(codes),
            common.open_trace(args, path, errors=args.errors) as trace,
            common.progress(path, quiet=args.quiet) as progress,
        ):
            info = inspect(trace, progress)
            if args.json:
                print_info_json(sys.stdout, trace.path, info, trace.warnings, trace.losses)
            else:
                if number:
                    print()
                print_info(sys.stdout, path, info)
                if not args.quiet:
                    for warning in trace.warnings:
                        common.log(warning)
            sys.stdout.flush()
            common.report_losses(trace, codes)
            if info.error is not None:
                raise info.error
    return common.worst(codes)
