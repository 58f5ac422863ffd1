"""The command ``gotrace net``: prints how long goroutines wait for the network. Never here: analysis."""

from __future__ import annotations

import argparse

from gotrace.analysis.waits import Waits, net
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import print_waits, waits_document
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "net",
        help="show how long goroutines wait for the network",
        description="Show how long goroutines wait for the network, with percentiles by call stack.",
    )
    add_sched_flags(parser, ("count", "total", "p50", "p90", "p99", "p999", "max"), part="only waits that start")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print how long goroutines of the trace wait for the network."""

    def query(trace: Trace, progress: Progress | None) -> Waits:
        return net(trace, time=time_of(args, trace), progress=progress)

    return run_sched(args, Waits, query, print_waits, waits_document)
