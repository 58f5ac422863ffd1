"""The command ``gotrace goroutines``: prints how goroutines spend their time. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.goroutines import Goroutines, goroutines
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import goroutines_document, print_goroutines
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "goroutines",
        help="show how goroutines spend their time",
        description="Show how many goroutines there are, and how long they run, wait for a P, wait for each "
        "other, are in system calls, and help the garbage collector. In the table, exec is the time running, sched the "
        "time runnable, waiting for a P, block any other wait; assist and sweep overlap them.",
    )
    parser.add_argument(
        "--by",
        choices=("function", "goroutine", "creator"),
        default="function",
        help="what a row is: the function that goroutines start with, a goroutine, or where goroutines are "
        "created (default: function)",
    )
    parser.add_argument("--function", metavar="NAME", help="only goroutines that start with this function")
    parser.add_argument("--goroutine", type=int, metavar="ID", help="only this goroutine, with its intervals")
    add_sched_flags(
        parser,
        ("count", "exec", "sched", "block", "syscall", "assist", "sweep", "total", "sched_max"),
        part="only the time",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print how goroutines of the trace spend their time."""

    def query(trace: Trace, progress: Progress | None) -> Goroutines:
        return goroutines(
            trace,
            by=args.by,
            function=args.function,
            goroutine=args.goroutine,
            time=time_of(args, trace),
            progress=progress,
        )

    show = partial(print_goroutines, function=args.function)
    return run_sched(args, Goroutines, query, show, goroutines_document)
