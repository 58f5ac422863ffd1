"""The command ``gotrace stats``: prints totals, peak, sizes, rate and GC cycles of a heap. Never here: analysis."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TextIO

import gotrace
from gotrace.analysis.iterations import recorded_operations
from gotrace.analysis.stats import Stats, stats
from gotrace.cli.heap_command import add_flags, run_query
from gotrace.report.stats import print_benchmark, print_stats, stats_document


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "stats",
        help="show statistics of the heap",
        description="Show statistics of the heap of a trace taken with GODEBUG=traceallocfree=1: totals, peak, sizes, "
        "rate, GC cycles, and the types that were allocated most.",
    )
    parser.add_argument(
        "--benchfmt",
        action="store_true",
        help="print a line of Go's benchmark format for each trace, for benchstat; with amounts per operation if the "
        "trace records operations in logs of category b.N, or in types of tasks such as b.N=1000",
    )
    add_flags(parser, top=5, several=True)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the statistics of each trace."""
    if not args.benchfmt:
        return run_query(args, Stats, stats, partial(print_stats, top=args.top), stats_document)
    if "-" in args.traces:
        args.usage("--benchfmt reads a trace twice, but standard input can be read only once: save it to a file first")
    operations = 0

    def query(trace: gotrace.Trace, progress: Callable[[int], None] | None) -> Stats:
        nonlocal operations
        result = stats(trace, progress)
        operations = recorded_operations(trace)
        return result

    def print_line(out: TextIO, result: Stats) -> None:
        print_benchmark(out, result, operations)

    return run_query(args, Stats, query, print_line, stats_document, headings=False)
