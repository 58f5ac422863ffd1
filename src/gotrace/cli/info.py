"""The command ``gotrace info``: prints what traces contain, what they lack, and what to run next.

Never here: analysis.
"""

from __future__ import annotations

import argparse

from gotrace.analysis.info import Info
from gotrace.cli import common, many
from gotrace.cli.output import add_formats, report_output
from gotrace.errors import TraceError
from gotrace.report.common import say
from gotrace.report.info import info_document, print_info
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "info",
        help="show what a trace contains, what it lacks, and what to run next",
        description="Show what a trace contains, what it lacks, and what to run next.",
    )
    many.add_traces(parser)
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the summary of each trace."""
    many.find_traces(args)
    codes: list[int] = []
    first = True
    with common.exit_code(codes), report_output(args) as report:

        def show(name: str, trace: Trace, info: Info) -> TraceError | None:
            nonlocal first
            if report.text is None:
                report.add(info_document(trace.path, info, trace.warnings, trace.losses))
            else:
                if not first:
                    say(report.text)
                print_info(report.text, name, info)
            first = False
            return info.error

        codes += many.run_each(
            *(args, lambda name, trace, progress: trace.info(progress), show),
            lambda name, error: report.add_failure(args, name, error),
        )
    return common.worst(codes)
