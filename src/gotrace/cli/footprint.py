"""The command ``gotrace footprint``: prints the bytes of a trace by kind of event, thread or generation.

Never here: analysis.
"""

from __future__ import annotations

import argparse

from gotrace.analysis.footprint import footprint
from gotrace.cli import common
from gotrace.cli.output import add_formats, report_output
from gotrace.report.footprint import footprint_document, print_footprint


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
    common.add_trace(parser)
    common.add_top(parser)
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the footprint of the trace."""
    codes: list[int] = []
    with (
        common.exit_code(codes),
        report_output(args) as report,
        common.exit_code(codes, args),
        report.open(args, args.trace, errors=args.errors) as trace,
    ):
        with common.progress(args.trace, quiet=args.quiet) as progress:
            result = footprint(trace, by=args.by, progress=progress)
        if report.text is None:
            report.add(footprint_document(trace.path, result, trace.warnings, trace.losses))
        else:
            print_footprint(report.text, result, top=args.top)
        report.flush()
        common.report_losses(trace, codes)
        if result.error is not None:
            raise result.error
    return common.worst(codes)
