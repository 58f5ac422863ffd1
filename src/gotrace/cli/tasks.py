"""The command ``gotrace tasks``: prints the latency of tasks. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.annotations import Latencies, tasks
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import after_latencies, latencies_document, print_latencies
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "tasks",
        help="show the latency of tasks (runtime/trace)",
        description="Show the latency of tasks of package runtime/trace by name; of one task, its regions, "
        "logs and goroutines.",
    )
    parser.add_argument("--name", metavar="NAME", help="only tasks of this name")
    parser.add_argument("--task", type=int, metavar="ID", help="only this task, with its regions and logs")
    add_sched_flags(parser, ("count", "incomplete", "total", "p50", "p90", "p99", "max"), part="only tasks that start")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the latency of tasks of the trace."""

    def query(trace: Trace, progress: Progress | None) -> Latencies:
        return tasks(trace, name=args.name, task=args.task, time=time_of(args, trace), progress=progress)

    show = partial(print_latencies, name=args.name)
    return run_sched(args, Latencies, query, show, latencies_document, after_latencies)
