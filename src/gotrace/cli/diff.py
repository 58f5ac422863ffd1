"""The command ``gotrace diff``: compares what two builds allocate, and fails over a limit. Never here: analysis."""

from __future__ import annotations

import argparse
import re
from functools import partial

from gotrace.analysis.diff import METRICS, Diff, diff, traces_of
from gotrace.cli import common
from gotrace.cli.output import add_formats, report_output
from gotrace.errors import NoHeapDataError, TraceError
from gotrace.heap.table import KINDS
from gotrace.report.diff import diff_document, print_diff


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "diff",
        help="compare what two builds allocate",
        description="Compare what two builds allocated, and what they have in use at the end. Each side is a trace, a "
        "folder of traces, or several of them separated by commas. An existing file whose name contains a comma is "
        "read as that file.",
    )
    parser.add_argument("old", metavar="OLD", help="trace or traces of the old build")
    parser.add_argument("new", metavar="NEW", help="trace or traces of the new build")
    parser.add_argument("--by", choices=KINDS, default="type", help="what to group by (default: type)")
    parser.add_argument(
        "--sort", choices=METRICS, default=METRICS[0], help=f"metric to compare and sort by (default: {METRICS[0]})"
    )
    parser.add_argument(
        "--fail-over",
        type=_percent,
        metavar="PERCENT",
        help="exit with 1 if the total grew by more than this beyond noise, for example 5%%",
    )
    common.add_top(parser)
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def _percent(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage: write, for example, 5%")
    return float(match[1]) / 100


def run(args: argparse.Namespace) -> int:
    """Print the comparison of the two sides."""
    codes: list[int] = []
    with common.exit_code(codes), report_output(args) as report:
        try:
            old, new = traces_of(args.old), traces_of(args.new)
        except ValueError as error:
            args.usage(str(error))
        try:
            result = diff(
                *(old, new),
                by=args.by,
                sort=args.sort,
                errors=args.errors,
                progress=partial(common.progress, quiet=args.quiet),
            )
        except (TraceError, NoHeapDataError, OSError) as error:
            found = getattr(error, "partial", None)
            if not isinstance(found, Diff):
                report.add_failure(args, args.new, error)
                raise
            result = found
        except ValueError as error:
            args.usage(str(error))
        if report.text is None:
            report.add(diff_document(result))
        else:
            print_diff(report.text, result, top=args.top)
        report.flush()
        if not (args.quiet or args.json):
            common.log_warnings(result.warnings)
        for loss in result.losses:
            common.log(f"lost: {loss}")
            codes.append(common.UNREADABLE)
        if args.fail_over is not None and result.exceeds(args.fail_over):
            common.log(f"{result.sort} grew by more than {100 * args.fail_over:g} %")
            codes.append(common.NO)
        for fault in result.faults:
            with common.exit_code(codes):
                raise fault
    return common.worst(codes)
