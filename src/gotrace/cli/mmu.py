"""The command ``gotrace mmu``: prints how little of a window of time the collector leaves to the program.

Never here: analysis.
"""

from __future__ import annotations

import argparse

from gotrace.analysis.mmu import WINDOWS, Utilization, mmu
from gotrace.analysis.utilization import INCLUDE
from gotrace.cli import common
from gotrace.cli.parser import did_you_mean
from gotrace.cli.sched_command import add_sched_flags, run_sched, time_of
from gotrace.report.sched import mmu_document, print_mmu
from gotrace.units import nanoseconds


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "mmu",
        help="show the minimum mutator utilization",
        description="Show the minimum mutator utilization (MMU): the smallest share of the Ps that the garbage "
        "collector leaves to the program, in any window of a length; with quantiles over all windows, and the "
        "worst ones.",
    )
    parser.add_argument(
        "--include",
        type=_parts,
        default=INCLUDE,
        metavar="PART,...",
        help=f"what counts as collection (default: {','.join(INCLUDE)})",
    )
    parser.add_argument(
        "--per-goroutine", action="store_true", help="what one goroutine experiences, instead of all of them together"
    )
    parser.add_argument(
        "--window",
        type=_window,
        action="append",
        default=[],
        metavar="W",
        help="length of a window, such as 10ms; may be repeated (default: powers of ten)",
    )
    parser.add_argument("--worst", type=common.count, default=5, metavar="N", help="worst windows to show (default: 5)")
    columns = WINDOWS.names or ()
    add_sched_flags(parser, columns, part="only windows")
    parser.set_defaults(run=run)


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    for part in parts:
        if part not in INCLUDE:
            raise argparse.ArgumentTypeError(
                f"{part!r} is not one of {', '.join(INCLUDE)}{did_you_mean(part, INCLUDE)}"
            )
    return parts


def _window(text: str) -> int:
    try:
        length = nanoseconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not length:
        raise argparse.ArgumentTypeError(f"{text}: must be longer than 0")
    return length


def run(args: argparse.Namespace) -> int:
    """Print the utilization of the trace."""
    return run_sched(
        args,
        Utilization,
        lambda trace, progress: mmu(
            trace,
            include=args.include,
            per_goroutine=args.per_goroutine,
            windows=args.window,
            worst=args.worst,
            time=time_of(args, trace),
            progress=progress,
        ),
        *(print_mmu, mmu_document),
    )
