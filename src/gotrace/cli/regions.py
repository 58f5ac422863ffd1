"""The command ``gotrace regions``: prints the latency of regions. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.annotations import Latencies, regions
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import after_latencies, latencies_document, print_latencies
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "regions",
        help="show the latency of regions (runtime/trace)",
        description="Show the latency of regions of package runtime/trace by name, and how goroutines spend "
        "their time in them.",
    )
    parser.add_argument("--name", metavar="NAME", help="only regions of this name")
    columns = ("count", "incomplete", "total", "p50", "p90", "p99", "max", "exec", "sched", "block")
    add_sched_flags(parser, columns, part="only regions that start")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the latency of regions of the trace."""

    def query(trace: Trace, progress: Progress | None) -> Latencies:
        return regions(trace, name=args.name, time=time_of(args, trace), progress=progress)

    show = partial(print_latencies, name=args.name)
    return run_sched(args, Latencies, query, show, latencies_document, after_latencies)
