"""The command ``gotrace diff``: compares what two builds allocate, and fails over a limit. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.diff import METRICS, compare
from gotrace.analysis.iterations import UNITS
from gotrace.analysis.limits import Limit, judge
from gotrace.cli import common
from gotrace.cli.output import add_formats, report_output
from gotrace.errors import NoHeapDataError, TraceError
from gotrace.report.diff import diff_document, print_diff
from gotrace.tables.instants import GROUPS
from gotrace.units import human_count


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
    parser.add_argument("--by", choices=GROUPS, default="type", help="what to group by (default: type)")
    parser.add_argument(
        "--sort", choices=METRICS, default=METRICS[0], help=f"metric to compare and sort by (default: {METRICS[0]})"
    )
    parser.add_argument(
        "--per",
        choices=UNITS,
        help="divide the amounts of each trace by its operations, its seconds, or the tasks that it starts; operations "
        "are those of --ops, or those that the trace records in logs of category b.N, or in types of tasks such as "
        "b.N=1000",
    )
    parser.add_argument(
        "--ops", type=_ops, metavar="OLD,NEW", help="operations of each trace of either side; implies --per op"
    )
    parser.add_argument(
        "--fail-over",
        action="append",
        type=_limit,
        default=[],
        metavar="LIMIT",
        help="exit with 1 if the total grew by more than LIMIT beyond noise: 5%% or 512KiB; TYPE=5%% is a limit of the "
        "rows of that name; may be repeated",
    )
    parser.add_argument("-a", "--all", action="store_true", help="show rows without a significant change, too")
    common.add_top(parser)
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def _limit(text: str) -> Limit:
    try:
        return Limit.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _ops(text: str) -> tuple[float, float]:
    try:
        old, new = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write two numbers, for example 1000,2000") from None
    return old, new


def run(args: argparse.Namespace) -> int:
    """Print the comparison of the two sides."""
    codes: list[int] = []
    with common.exit_code(codes, args), report_output(args) as report:
        try:
            result = compare(
                *(args.old, args.new),
                by=args.by,
                sort=args.sort,
                per=args.per,
                ops=args.ops,
                errors=args.errors,
                progress=partial(common.progress, quiet=args.quiet),
            )
        except (TraceError, NoHeapDataError, OSError) as error:
            report.add_failure(args, args.new, error)
            raise
        except ValueError as error:
            args.usage(str(error))
        verdict = judge(result, args.fail_over)
        if report.text is None:
            report.add(diff_document(result, verdict))
        else:
            print_diff(report.text, result, verdict, top=args.top, every=args.all)
        report.flush()
        if not (args.quiet or args.json):
            common.log_warnings(result.warnings)
        for loss in result.losses:
            common.log(f"lost: {loss}")
            codes.append(common.UNREADABLE)
        for fault in result.faults:
            with common.exit_code(codes, args):
                raise fault
        if result.skipped:
            common.log(f"{human_count(len(result.skipped), 'trace is', 'traces are')} not compared")
        if verdict.exceeded:
            common.log(verdict.text)
            codes.append(common.NO)
    return common.worst(codes)
