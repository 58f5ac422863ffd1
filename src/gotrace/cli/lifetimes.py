"""The command ``gotrace lifetimes``. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from gotrace.analysis.ages import AGES, Lifespans, lifespans
from gotrace.cli.answer import add_flags, answer
from gotrace.heap.table import KINDS
from gotrace.report.ages import print_lifespans, print_lifespans_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "lifetimes",
        help="who lives how long",
        description="Say how old objects were when they died, in GC cycles that began meanwhile and in time, of a "
        "trace taken with GODEBUG=traceallocfree=1. An object dies for the trace when the collector sweeps it, "
        "which is later than its last use.",
    )
    parser.add_argument("--by", choices=KINDS, default="type", help="what a line stands for (default: type)")
    parser.add_argument(
        "--sort",
        choices=AGES.names,
        default="died_bytes",
        metavar="COLUMN",
        help="largest first by this column of --json: died_objects, died_bytes, alive_objects, alive_bytes, "
        "unaged_objects, age_0 to age_32, median_cycles, median_time, or name (default: died_bytes)",
    )
    add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer for the trace."""

    def arrange(found: Lifespans) -> None:
        column = found.table[args.sort]
        key = column.astype(str) if args.sort == "name" else -column
        found.table = found.table[np.argsort(key, kind="stable")]

    return answer(
        *(args, Lifespans, lambda trace, progress: lifespans(trace, args.by, progress)),
        *(partial(print_lifespans, top=args.top), print_lifespans_json, arrange),
    )
