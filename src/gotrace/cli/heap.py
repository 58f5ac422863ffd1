"""The command ``gotrace heap``. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from gotrace.cli import common
from gotrace.cli.answer import add_flags, answer
from gotrace.heap.table import Heap
from gotrace.report.heap import print_heap, print_heap_json
from gotrace.tables.instants import GROUPS, HeapQuery, QueryError, heap_at


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "heap",
        help="what is on the heap",
        description="Say what is on the heap at an instant of a trace taken with GODEBUG=traceallocfree=1. "
        "Objects are slots: tiny ones that share a slot count once, and sizes are those of slots. An object's age are "
        "the GC cycles that began while it lived; of those that were there at the start it is not known.",
    )
    parser.add_argument(
        "--by",
        choices=GROUPS,
        default="type",
        help="what a line stands for (default: type); site, if a CPU profile ran, is an estimate",
    )
    parser.add_argument(
        "--at",
        default="end",
        metavar="INSTANT",
        help="start, peak, end, a time such as 12.5s, or gc:17, as the trace's 17th mark phase begins (default: end)",
    )
    parser.add_argument("--min-age", type=common.count, metavar="N", help="only objects of N GC cycles or more")
    parser.add_argument("--max-age", type=common.count, metavar="N", help="only objects of N GC cycles or less")
    short = parser.add_mutually_exclusive_group()
    short.add_argument("--leaks", action="store_true", help="what may leak: --min-age 2 at the end")
    short.add_argument("--temporary", action="store_true", help="what died with --max-age 1, most bytes first")
    add_flags(parser)
    common.add_jobs(parser)
    parser.set_defaults(run=run)


def _query(args: argparse.Namespace) -> HeapQuery:
    youngest, oldest, at = args.min_age, args.max_age, args.at
    if args.leaks:
        if at != "end" or youngest is not None:
            args.usage("--leaks is --min-age 2 at the end: give neither --at nor --min-age with it")
        youngest = 2
    if args.temporary:
        if oldest is not None:
            args.usage("--temporary is what died with --max-age 1: give no --max-age with it")
        oldest = 1
    try:
        return HeapQuery(args.by, at, youngest, oldest)
    except QueryError as wrong:
        args.usage(str(wrong))
        raise


def run(args: argparse.Namespace) -> int:
    """Answer for the trace."""
    query = _query(args)

    def arrange(heap: Heap) -> None:
        if args.temporary:
            order = np.argsort(-heap.table["free_bytes"], kind="stable")
            heap.table = heap.table[order]
            if heap.errors is not None:
                heap.errors = heap.errors[order]

    return answer(
        *(args, Heap, lambda trace, progress: heap_at(trace.reader, query, progress)),
        *(partial(print_heap, top=args.top, died=args.temporary), print_heap_json, arrange),
    )
