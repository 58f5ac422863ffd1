"""The command ``gotrace procs``: prints how procs and threads are used. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.usage import Usage, procs
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.dtypes import PROC
from gotrace.report.sched import print_procs, procs_document
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "procs",
        help="show how procs (Ps) and threads (Ms) are used",
        description="Show how long each proc (P) and each thread (M) runs goroutines, is idle, is in system "
        "calls, and works for the garbage collector.",
    )
    columns = tuple(name for name in PROC.names or () if name != "id")
    add_sched_flags(parser, columns, part="only the time")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print how procs and threads of the trace are used."""

    def query(trace: Trace, progress: Progress | None) -> Usage:
        return procs(trace, time=time_of(args, trace), progress=progress)

    show = partial(print_procs, by=args.sort or "running")
    return run_sched(args, Usage, query, show, procs_document, sort=Usage.sort)
