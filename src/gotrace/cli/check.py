"""The command ``gotrace check``: compares heaps with limits, for CI. Never here: the limits."""

from __future__ import annotations

import argparse

from gotrace.analysis.check import Check, Limits, check_trace
from gotrace.cli import common, many
from gotrace.cli.output import add_formats, report_output
from gotrace.errors import NoHeapDataError, TraceError
from gotrace.report.check import check_document, print_check
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "check",
        help="compare heaps with limits, for CI",
        description="Compare the heap of each trace with limits and print a line for each that is exceeded. The exit "
        "code is then 1. A limit that cannot be judged, because the trace has too few GC cycles, counts as exceeded.",
    )
    many.add_traces(parser)
    parser.add_argument("--max-heap", metavar="SIZE", help="most bytes in use at any time, for example 64MiB")
    parser.add_argument(
        "--max-growth",
        metavar="LIMIT",
        help="most growth of the objects that survive a GC cycle, from the first cycle to the last: 5%% or 512KiB",
    )
    parser.add_argument("--max-alloc", metavar="RATE", help="most bytes allocated per second, for example 10MB/s")
    parser.add_argument(
        "--forbid-leak",
        metavar="TYPE",
        action="append",
        default=[],
        help="type that must not grow steadily over the GC cycles; * and ? match any characters; may be repeated",
    )
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the limits that each trace exceeds."""
    try:
        limits = Limits(args.max_heap, args.max_growth, args.max_alloc, args.forbid_leak)
    except ValueError as wrong:
        args.usage(str(wrong).replace("max_", "--max-").replace("forbid_", "--forbid-"))
    many.find_traces(args)
    codes: list[int] = []
    with common.exit_code(codes), report_output(args) as report:

        def show(name: str, trace: Trace, answer: tuple[Check, Exception | None]) -> Exception | None:
            result, error = answer
            if report.text is None:
                report.add(check_document(name, result, trace.warnings, trace.losses, error))
            else:
                print_check(report.text, name, result, complete=error is None)
            for limit in result.limits if error is None and not args.quiet else ():
                if limit.ok and limit.value is None:
                    common.log(f"{name}: {limit.detail}")
            if not result.ok:
                codes.append(common.NO)
            return error

        codes += many.run_each(
            *(args, lambda name, trace, progress: _check(trace, limits, progress), show),
            lambda name, error: report.add_failure(args, name, error),
        )
    return common.worst(codes)


def _check(trace: Trace, limits: Limits, progress: Progress | None) -> tuple[Check, Exception | None]:
    """Return the limits up to the end or the fault of a trace, and the error."""
    try:
        return check_trace(trace, limits, progress), None
    except (TraceError, NoHeapDataError) as error:
        return getattr(error, "partial", None) or Check(trace.path), error
