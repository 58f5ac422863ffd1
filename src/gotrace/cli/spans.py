"""The command ``gotrace spans``. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.spans import Spans, spans
from gotrace.cli.answer import add_flags, answer
from gotrace.report.spans import print_spans, print_spans_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "spans",
        help="how full spans are: true fragmentation",
        description="Say how many slots of its spans are live, what is held but free, and which types keep a whole "
        "span with a single object, of a trace taken with GODEBUG=traceallocfree=1.",
    )
    parser.add_argument(
        "--at", default="end", metavar="INSTANT", help="start, peak, end, 12.5s, or gc:17 (default: end)"
    )
    add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer for the trace."""
    return answer(
        *(args, Spans, lambda trace, progress: spans(trace, args.at, progress)),
        *(partial(print_spans, top=args.top), print_spans_json),
    )
