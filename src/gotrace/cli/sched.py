"""The command ``gotrace sched``: prints how long runnable goroutines wait for a P. Never here: analysis."""

from __future__ import annotations

import argparse

from gotrace.analysis.waits import Waits, sched
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import print_waits, waits_document
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "sched",
        help="show how long runnable goroutines wait for a P",
        description="Show the latency of the scheduler: how long goroutines wait from runnable to running, "
        "with percentiles by group and a histogram of all waits.",
    )
    parser.add_argument(
        "--by",
        choices=("function", "proc", "reason"),
        default="function",
        help="what a row is: the function that a goroutine starts with, the proc that it gets, or why it was "
        "stopped (default: function)",
    )
    add_sched_flags(parser, ("count", "total", "p50", "p90", "p99", "p999", "max"), part="only waits that start")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print how long runnable goroutines of the trace wait for a P."""

    def query(trace: Trace, progress: Progress | None) -> Waits:
        return sched(trace, by=args.by, time=time_of(args, trace), progress=progress)

    return run_sched(args, Waits, query, print_waits, waits_document)
