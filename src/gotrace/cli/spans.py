"""The command ``gotrace spans``. Never here: analysis."""

from __future__ import annotations

import argparse
import sys

import gotrace
from gotrace.analysis.spans import Spans, spans
from gotrace.cli import common
from gotrace.errors import TraceError
from gotrace.instants import QuestionError
from gotrace.report.spans import print_spans, print_spans_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "spans",
        help="how full spans are: true fragmentation",
        description="Say how many slots of its spans are live, what is held but free, and which types keep a whole "
        "span with a single object, of a trace taken with GODEBUG=traceallocfree=1.",
    )
    common.add_traces(parser, many=False)
    parser.add_argument(
        "--at", default="end", metavar="INSTANT", help="start, peak, end, 12.5s, or gc:17 (default: end)"
    )
    common.add_top(parser)
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run, usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Answer for the trace."""
    codes: list[int] = []
    with (
        common.exit_code(codes),
        gotrace.open(args.trace, errors=args.errors) as trace,
        common.progress(args.trace, quiet=args.quiet) as progress,
    ):
        error: TraceError | None = None
        try:
            found = spans(trace, args.at, progress)
        except QuestionError as wrong:
            args.usage(str(wrong))
        except TraceError as fault:
            error = fault
            if not isinstance(fault.partial, Spans):
                raise
            found = fault.partial
        if args.json:
            print_spans_json(sys.stdout, trace.path, found, trace.warnings, trace.losses, error)
        else:
            if found.seen or error is None:
                print_spans(sys.stdout, found, top=args.top)
            if not args.quiet:
                for warning in trace.warnings:
                    common.say(warning)
        sys.stdout.flush()
        common.tell_losses(trace, codes)
        if error is not None:
            raise error
    return common.worst(codes)
