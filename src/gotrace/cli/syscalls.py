"""The command ``gotrace syscalls``: prints how long system calls take. Never here: analysis."""

from __future__ import annotations

import argparse

from gotrace.analysis.waits import Waits, syscalls
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import print_waits, waits_document
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "syscalls",
        help="show how long system calls take",
        description="Show how long system calls take, and in how many the goroutine lost its P, with "
        "percentiles by group.",
    )
    parser.add_argument(
        "--by",
        choices=("call", "stack", "function"),
        default="call",
        help="what a row is: the Go function that makes the call, a call stack, or the function that a "
        "goroutine starts with (default: call)",
    )
    add_sched_flags(
        parser, ("count", "total", "p50", "p90", "p99", "p999", "max", "lost"), part="only system calls that start"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print how long system calls of the trace take."""

    def query(trace: Trace, progress: Progress | None) -> Waits:
        return syscalls(trace, by=args.by, time=time_of(args, trace), progress=progress)

    return run_sched(args, Waits, query, print_waits, waits_document)
