"""The command ``gotrace spans``: prints how full spans are, by size class and by holder. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.spans import Spans
from gotrace.cli.heap_command import add_flags, run_query
from gotrace.report.spans import print_spans, spans_document
from gotrace.tables.instants import EXACT_GROUPS


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "spans",
        help="show how full spans are: the fragmentation of the heap",
        description="Show how many slots of the spans are live, how many bytes are held but free, and which types hold "
        "a whole span with a single object, in a trace taken with GODEBUG=traceallocfree=1.",
    )
    parser.add_argument(
        "--at", default="end", metavar="INSTANT", help="start, peak, end, 12.5s, or gc:17 (default: end)"
    )
    parser.add_argument(
        "--by",
        choices=EXACT_GROUPS,
        default="type",
        help="what the objects that hold a span are grouped by, besides size class (default: type)",
    )
    add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the spans of the trace."""
    return run_query(
        *(args, Spans, lambda trace, progress: trace.spans(args.at, by=args.by, progress=progress)),
        *(partial(print_spans, top=args.top), spans_document),
    )
