"""The command ``gotrace diff``. Never here: analysis."""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial

from gotrace.analysis.diff import METRICS, Diff, diff, traces_of
from gotrace.cli import common
from gotrace.errors import TraceError
from gotrace.heap.table import KINDS
from gotrace.report.diff import print_diff, print_diff_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "diff",
        help="what another build allocates",
        description="Compare what two builds allocated, and what they hold at the end. Each side is a trace, a folder "
        "of traces, or several with commas between; a file whose name has a comma is that file.",
    )
    parser.add_argument("old", metavar="OLD", help="trace or traces of the old build")
    parser.add_argument("new", metavar="NEW", help="trace or traces of the new build")
    parser.add_argument("--by", choices=KINDS, default="type", help="what a line stands for (default: type)")
    parser.add_argument("--sort", choices=METRICS, default=METRICS[0], help=f"what to compare (default: {METRICS[0]})")
    parser.add_argument(
        "--fail-over",
        type=_percent,
        metavar="PERCENT",
        help="exit with 1 if the total grew by more than this beyond noise, such as 5%%",
    )
    common.add_top(parser)
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run, usage=parser.error)


def _percent(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage, write 5%")
    return float(match[1]) / 100


def run(args: argparse.Namespace) -> int:
    """Answer for the two sides."""
    codes: list[int] = []
    with common.exit_code(codes):
        try:
            old, new = traces_of(args.old), traces_of(args.new)
        except ValueError as error:
            args.usage(str(error))
        try:
            found = diff(
                *(old, new),
                by=args.by,
                sort=args.sort,
                errors=args.errors,
                progress=partial(common.progress, quiet=args.quiet),
            )
        except TraceError as error:
            if not isinstance(error.partial, Diff):
                raise
            found = error.partial
        except ValueError as error:
            args.usage(str(error))
        if args.json:
            print_diff_json(sys.stdout, found)
        else:
            print_diff(sys.stdout, found, top=args.top)
            if not args.quiet:
                for warning in found.warnings:
                    common.say(warning)
        sys.stdout.flush()
        for loss in found.losses:
            common.say(f"lost: {loss}")
            codes.append(common.UNREADABLE)
        if args.fail_over is not None and found.exceeds(args.fail_over):
            common.say(f"{found.sort} grew by more than {100 * args.fail_over:g} %")
            codes.append(common.NO)
        for fault in found.faults:
            with common.exit_code(codes):
                raise fault
    return common.worst(codes)
