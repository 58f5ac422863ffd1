"""The command ``gotrace stats``: prints totals, peak, sizes, rate and GC cycles of a heap. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.stats import Stats, stats
from gotrace.cli.heap_command import add_flags, run_query
from gotrace.report.stats import print_stats, stats_document


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "stats",
        help="show statistics of the heap",
        description="Show statistics of the heap of a trace taken with GODEBUG=traceallocfree=1: totals, peak, sizes, "
        "rate, GC cycles, and the types that were allocated most.",
    )
    add_flags(parser, top=5)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the statistics of the trace."""
    return run_query(args, Stats, stats, partial(print_stats, top=args.top), stats_document)
