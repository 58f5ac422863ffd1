"""The command ``gotrace lifetimes``: prints how long objects live, by group. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from gotrace.analysis.ages import AGES, Lifespans
from gotrace.cli.heap_command import add_flags, run_query
from gotrace.report.ages import lifespans_document, print_lifespans
from gotrace.tables.instants import EXACT_GROUPS


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "lifetimes",
        help="show how long objects live",
        description="Show how old objects were when they died, in GC cycles and in time, in a trace taken with "
        "GODEBUG=traceallocfree=1. In a trace, an object dies when the collector sweeps it, which is later than its "
        "last use.",
    )
    parser.add_argument("--by", choices=EXACT_GROUPS, default="type", help="what to group by (default: type)")
    parser.add_argument(
        "--sort",
        choices=AGES.names,
        default="died_bytes",
        metavar="COLUMN",
        help="column of --json to sort by, largest first: died_objects, died_bytes, alive_objects, alive_bytes, "
        "unaged_objects, age_0 to age_32, median_cycles, median_time, or name (default: died_bytes)",
    )
    add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the lifetimes of the trace."""

    def sort(result: Lifespans) -> None:
        column = result.table[args.sort]
        key = column.astype(str) if args.sort == "name" else -column
        result.table = result.table[np.argsort(key, kind="stable")]

    return run_query(
        *(args, Lifespans, lambda trace, progress: trace.lifespans(args.by, progress)),
        *(partial(print_lifespans, top=args.top), lifespans_document, sort),
    )
