"""The command ``gotrace info``: prints what traces contain, what they lack, and what to run next.

Never here: analysis.
"""

from __future__ import annotations

import argparse

from gotrace.analysis.info import Info
from gotrace.cli import common, many
from gotrace.cli.output import add_formats, report_output
from gotrace.errors import TraceError
from gotrace.report.common import print_next, say
from gotrace.report.info import info_document, print_info
from gotrace.trace import Trace

_RANK = {
    True: [("rank --metric inuse_bytes FILE", "which traces have the largest heaps at the end")],
    False: [("rank --metric sched_p99 FILE", "in which traces goroutines wait longest for a P")],
}  # what to run on several traces, if any has alloc/free events, or none


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
    """Print the summary of each trace, and which commands to run next on it, or of several traces on all."""
    sources = args.traces
    many.find_traces(args)
    several = len(args.traces) > 1
    codes: list[int] = []
    heaps = shown = 0
    with common.exit_code(codes), report_output(args) as report:

        def show(name: str, trace: Trace, info: Info) -> TraceError | None:
            nonlocal heaps, shown
            if report.text is None:
                report.add(info_document(trace.path, info, trace.warnings, trace.losses))
            else:
                if shown:
                    say(report.text)
                print_info(report.text, name, info, following=not several)
            shown += 1
            heaps += bool(info.alloc_events)
            return info.error

        codes += many.run_each(
            *(args, lambda name, trace, progress: trace.info(progress), show),
            lambda name, error: report.add_failure(args, name, error),
        )
        if report.text is not None and shown and several:
            print_next(report.text, sources, _RANK[heaps > 0], salvage=args.errors == "salvage")
    return common.worst(codes)
