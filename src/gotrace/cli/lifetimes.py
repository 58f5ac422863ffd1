"""The command ``gotrace lifetimes``. Never here: analysis."""

from __future__ import annotations

import argparse
import sys

import numpy as np

import gotrace
from gotrace.analysis.ages import AGES, GROUPS, Lifespans, lifespans
from gotrace.cli import common
from gotrace.errors import TraceError
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
    common.add_traces(parser, many=False)
    parser.add_argument("--by", choices=GROUPS, default="type", help="what a line stands for (default: type)")
    parser.add_argument(
        "--sort",
        choices=AGES.names,
        default="died_bytes",
        metavar="COLUMN",
        help="largest first by this column of --json: died_objects, died_bytes, alive_objects, alive_bytes, "
        "unaged_objects, age_0 to age_32, median_cycles, median_time, or name (default: died_bytes)",
    )
    common.add_top(parser)
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer for the trace."""
    codes: list[int] = []
    with (
        common.exit_code(codes),
        gotrace.open(args.trace, errors=args.errors) as trace,
        common.progress(args.trace, quiet=args.quiet) as progress,
    ):
        error: TraceError | None = None
        try:
            found = lifespans(trace, args.by, progress)
        except TraceError as fault:
            error = fault
            if not isinstance(fault.partial, Lifespans):
                raise
            found = fault.partial
        column = found.table[args.sort]
        key = column.astype(str) if args.sort == "name" else -column
        found.table = found.table[np.argsort(key, kind="stable")]
        if args.json:
            print_lifespans_json(sys.stdout, trace.path, found, trace.warnings, trace.losses, error)
        else:
            if found.seen or error is None:
                print_lifespans(sys.stdout, found, top=args.top)
            if not args.quiet:
                for warning in trace.warnings:
                    common.say(warning)
        sys.stdout.flush()
        common.tell_losses(trace, codes)
        if error is not None:
            raise error
    return common.worst(codes)
