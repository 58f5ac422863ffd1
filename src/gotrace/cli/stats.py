"""The command ``gotrace stats``: prints totals, peak, sizes, rate and GC cycles of a heap. Never here: analysis."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TextIO

import gotrace
from gotrace.analysis.iterations import recorded_operations
from gotrace.analysis.stats import Stats
from gotrace.cli.heap_command import add_flags, run_query
from gotrace.report.stats import print_benchmark, print_stats, stats_document
from gotrace.tables.instants import GROUPS


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "stats",
        help="show statistics of the heap",
        description="Show statistics of the heap of a trace taken with GODEBUG=traceallocfree=1: totals, peak, sizes, "
        "rate, GC cycles, and what was allocated most.",
    )
    parser.add_argument(
        "--by",
        choices=GROUPS,
        default="type",
        help="what to group by (default: type); site is an estimate, which requires a CPU profile",
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
        return run_query(
            *(args, Stats, lambda trace, progress: trace.stats(by=args.by, progress=progress)),
            *(partial(print_stats, top=args.top), stats_document),
        )
    if "-" in args.traces:
        args.usage("--benchfmt reads a trace twice, but standard input can be read only once: save it to a file first")

    def query(trace: gotrace.Trace, progress: Callable[[int], None] | None) -> _Benchmark:
        return _Benchmark(trace.stats(progress=progress), recorded_operations(trace))

    def show(out: TextIO, found: _Benchmark) -> None:
        print_benchmark(out, found.stats, found.operations)

    def document(path: str, found: _Benchmark, *rest: Any) -> dict[str, Any]:
        return stats_document(path, found.stats, *rest)

    return run_query(args, _Benchmark, query, show, document, headings=False)


class _Benchmark(NamedTuple):
    """The statistics of a trace, and the number of operations that it records."""

    stats: Stats
    operations: int

    @property
    def seen(self) -> bool:
        """True if the trace has alloc/free events."""
        return self.stats.seen
