"""The command ``gotrace info``: prints what traces contain, what they lack, and what to run next.

Never here: analysis.
"""

from __future__ import annotations

import argparse

from gotrace.analysis.info import inspect
from gotrace.cli import common
from gotrace.cli.output import add_formats, report_output
from gotrace.report.common import say
from gotrace.report.info import info_document, print_info


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "info",
        help="show what a trace contains, what it lacks, and what to run next",
        description="Show what a trace contains, what it lacks, and what to run next.",
    )
    common.add_traces(parser, many=True)
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the summary of each trace."""
    codes: list[int] = []
    with common.exit_code(codes), report_output(args) as report:
        for number, path in enumerate(args.traces):
            with common.exit_code(codes, args), report.open(args, path, errors=args.errors) as trace:
                with common.progress(path, quiet=args.quiet) as progress:
                    info = inspect(trace, progress)
                if report.text is None:
                    report.add(info_document(trace.path, info, trace.warnings, trace.losses))
                else:
                    if number:
                        say(report.text)
                    print_info(report.text, path, info)
                report.flush()
                if not (args.quiet or args.json):
                    common.log_warnings(trace.warnings)
                common.report_losses(trace, codes)
                if info.error is not None:
                    raise info.error
    return common.worst(codes)
