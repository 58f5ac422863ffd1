"""The command ``gotrace stats``. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.stats import Stats, stats
from gotrace.cli.answer import add_flags, answer
from gotrace.report.stats import print_stats, print_stats_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "stats",
        help="the heap in numbers",
        description="Say what the heap of a trace taken with GODEBUG=traceallocfree=1 comes to: totals, peak, sizes, "
        "rate, GC cycles, and the types that were allocated most.",
    )
    add_flags(parser, top=5)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer for the trace."""
    return answer(args, Stats, stats, partial(print_stats, top=args.top), print_stats_json)
