"""The command ``gotrace gc``: prints cycles and pauses of the garbage collector. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.collector import PARTS, Collector, gc
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import gc_document, print_gc
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "gc",
        help="show cycles and pauses of the garbage collector",
        description="Show each stop-the-world pause with the goroutine that stopped last, the mark phases, and "
        "which goroutines assist them.",
    )
    add_sched_flags(parser, tuple(PARTS), part="only pauses, mark phases and assists")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print cycles and pauses of the garbage collector."""

    def query(trace: Trace, progress: Progress | None) -> Collector:
        return gc(trace, time=time_of(args, trace), progress=progress)

    show = partial(print_gc, in_order=args.sort is not None)
    return run_sched(args, Collector, query, show, gc_document, sort=Collector.sort)
