"""The command ``gotrace critical``: prints what a task, a region or a goroutine waited for. Never here: analysis."""

from __future__ import annotations

import argparse

import numpy as np

from gotrace.analysis.critical import Critical, critical
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import after_critical, critical_document, print_critical
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "critical",
        help="show what a task, a region or a goroutine waited for",
        description="Show the critical path of a task, or of a goroutine in a range of time: from its end back to its "
        "start, what ran, or what was waited for. Where another goroutine ended a wait, the path goes on with that "
        "one. Of all tasks or regions of a name, show the sums.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--task", type=int, metavar="ID", help="the task of this id")
    which.add_argument("--name", metavar="NAME", help="all tasks of this name")
    which.add_argument("--region", metavar="NAME", help="all regions of this name")
    which.add_argument("--goroutine", type=int, metavar="ID", help="the goroutine of this id")
    add_sched_flags(parser, ("time",), part="with --goroutine, instead of its life: the time")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the path."""
    if args.time is not None and (args.goroutine is None or None in args.time):
        args.usage("--time A:B needs --goroutine, and both ends")

    def query(trace: Trace, progress: Progress | None) -> Critical:
        first, end = time_of(args, trace) or (None, None)
        return critical(
            trace,
            task=args.task,
            name=args.name,
            region=args.region,
            goroutine=args.goroutine,
            time=None if first is None or end is None else (first, end),
            progress=progress,
        )

    following = after_critical if args.name is not None else lambda result: []
    return run_sched(args, Critical, query, print_critical, critical_document, following, _sort)


def _sort(result: Critical, column: str) -> None:
    """Sort the segments, longest first."""
    table = result.table
    result.table = table[np.argsort(table["start"] - table["end"], kind="stable")]
