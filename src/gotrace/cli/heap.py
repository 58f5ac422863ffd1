"""The command ``gotrace heap``. Never here: analysis."""

from __future__ import annotations

import argparse
import sys

import gotrace
from gotrace.cli import common
from gotrace.errors import TraceError
from gotrace.heap import Heap
from gotrace.report.heap import print_heap, print_heap_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "heap",
        help="what is on the heap",
        description="Say what is on the heap at the end of a trace taken with GODEBUG=traceallocfree=1. "
        "Objects are slots: tiny ones that share a slot count once, and sizes are those of slots.",
    )
    common.add_traces(parser, many=False)
    parser.add_argument(
        "--by", choices=("type", "class"), default="type", help="what a line stands for (default: type)"
    )
    parser.add_argument("--at", choices=("end",), default="end", help="the instant (default: end)")
    parser.add_argument(
        "-n", "--top", type=_count, default=20, metavar="N", help="lines to show, 0 for all (default: 20)"
    )
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be below 0")
    return number


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
            heap = trace._heap(args.by, progress)
        except TraceError as fault:
            error = fault
            if not isinstance(fault.partial, Heap):
                raise
            heap = fault.partial
        if args.json:
            print_heap_json(sys.stdout, trace.path, heap, trace.warnings, trace.losses, error)
        else:
            if heap.seen or error is None:
                print_heap(sys.stdout, heap, top=args.top)
            if not args.quiet:
                for warning in trace.warnings:
                    common.say(warning)
        sys.stdout.flush()
        common.tell_losses(trace, codes)
        if error is not None:
            raise error
    return common.worst(codes)
