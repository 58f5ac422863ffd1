"""The command ``gotrace block``: prints how long goroutines wait, and for what. Never here: analysis."""

from __future__ import annotations

import argparse

from gotrace.analysis.waits import Waits, block
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import print_waits, waits_document
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "block",
        help="show how long goroutines wait, and for what",
        description="Show how long goroutines wait for channels, locks, timers, the network and others, with "
        "percentiles by group.",
    )
    parser.add_argument(
        "--by",
        choices=("stack", "function", "reason", "waker"),
        default="stack",
        help="what a row is: a call stack, the function that a goroutine starts with, a reason, or which "
        "function ends the wait of which (default: stack)",
    )
    add_sched_flags(parser, ("count", "total", "p50", "p90", "p99", "p999", "max"), part="only waits that start")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print how long goroutines of the trace wait, and for what."""

    def query(trace: Trace, progress: Progress | None) -> Waits:
        return block(trace, by=args.by, time=time_of(args, trace), progress=progress)

    return run_sched(args, Waits, query, print_waits, waits_document)
