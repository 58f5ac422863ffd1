"""The command ``gotrace heap``: prints what is on the heap at an instant, or what grew. Never here: analysis."""

from __future__ import annotations

import argparse
from functools import partial

from gotrace.analysis.leaks import OUTLIVED, OldObjects, old_objects
from gotrace.cli import common
from gotrace.cli.heap_command import add_flags, run_query
from gotrace.dtypes import HEAP
from gotrace.heap.table import Heap
from gotrace.report.growth import growth_document, print_growth
from gotrace.report.heap import filter_heap, heap_document, print_heap, sort_heap
from gotrace.report.leaks import after_old, old_document, print_old
from gotrace.tables.growth import HeapPair, heaps_at
from gotrace.tables.instants import GROUPS, HeapQuery, QueryError, heap_at
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "heap",
        help="show what is on the heap",
        description="Show what is on the heap at an instant of a trace taken with GODEBUG=traceallocfree=1. "
        "Objects are slots: sizes are slot sizes, and tiny objects that share a slot count as one. An object's age is "
        "the number of GC cycles that began while it lived; it is unknown for objects that existed at the start. "
        "In the table, live, allocs and frees are numbers of objects; objects without a type are listed by size class, "
        "where noscan means without pointers.",
    )
    parser.add_argument(
        "--by",
        choices=GROUPS,
        default="type",
        help="what to group by (default: type); site is an estimate, which requires a CPU profile",
    )
    parser.add_argument(
        "--at",
        metavar="INSTANT",
        help="start, peak, end, a time such as 12.5s, or gc:17 for the start of the 17th mark phase (default: end)",
    )
    parser.add_argument(
        "--min-age", type=common.count, metavar="N", help="include only objects of age N or more, in GC cycles"
    )
    parser.add_argument(
        "--max-age", type=common.count, metavar="N", help="include only objects of age N or less, in GC cycles"
    )
    for flag, dest, text in (("--from", "first", "start"), ("--to", "last", "end")):
        parser.add_argument(
            flag,
            dest=dest,
            metavar="INSTANT",
            help=f"what grew between two instants, as those of --at (default of {flag}: {text})",
        )
    short = parser.add_mutually_exclusive_group()
    short.add_argument("--leaks", action="store_true", help="possible leaks: same as --min-age 2 at the end")
    short.add_argument(
        "--temporary", action="store_true", help="short-lived objects: those freed at --max-age 1, most bytes first"
    )
    columns = [name for name in HEAP.names or () if name != "name"]
    parser.add_argument(
        "--sort",
        choices=(*columns, "name"),
        metavar="COLUMN",
        help=f"column to sort by, largest first: {', '.join(columns)}, or name "
        "(default: inuse_bytes; with --temporary, free_bytes)",
    )
    parser.add_argument(
        "--filter", metavar="PATTERN", help="show only rows whose name contains PATTERN; * and ? match any characters"
    )
    add_flags(parser, several=True)
    parser.set_defaults(run=run)


def _query(args: argparse.Namespace) -> HeapQuery:
    youngest, oldest, at = args.min_age, args.max_age, args.at
    if args.leaks:
        if at is not None or youngest is not None:
            args.usage("--leaks is --min-age 2 at the end: do not combine it with --at or --min-age")
        youngest = OUTLIVED
    if args.temporary:
        if oldest is not None:
            args.usage("--temporary is what was freed at --max-age 1: do not combine it with --max-age")
        oldest = 1
    try:
        return HeapQuery(args.by, at or "end", youngest, oldest)
    except QueryError as wrong:
        args.usage(str(wrong))
        raise


def run(args: argparse.Namespace) -> int:
    """Print the heap of each trace, or what grew."""
    query = _query(args)
    column = args.sort or ("free_bytes" if args.temporary else "")
    note = "" if args.filter is None else f", in rows that match {args.filter!r}"

    def arrange(*heaps: Heap) -> None:
        for heap in heaps:
            if column:
                sort_heap(heap, column)
            if args.filter is not None:
                filter_heap(heap, args.filter)

    if args.first or args.last:
        if args.at or args.sort or query.aged:
            args.usage(
                "--from and --to show growth: do not combine them with --at, --sort, ages, --leaks or --temporary"
            )
        return run_query(
            *(args, HeapPair, lambda trace, progress: _pair(trace, args, progress)),
            *(partial(print_growth, top=args.top, note=note), growth_document, lambda pair: arrange(*pair)),
        )
    first = column.split("_")[0] if column not in ("", "name") else "inuse"
    show = partial(print_heap, top=args.top, first=first, note=note)
    if args.leaks:
        return run_query(
            *(args, OldObjects, lambda trace, progress: old_objects(trace.reader, query, progress=progress)),
            *(partial(print_old, show=show), old_document, lambda found: arrange(*found.heaps)),
            following=after_old,
        )
    return run_query(
        *(args, Heap, lambda trace, progress: heap_at(trace.reader, query, progress)), *(show, heap_document, arrange)
    )


def _pair(trace: Trace, args: argparse.Namespace, progress: Progress | None) -> HeapPair:
    return heaps_at(trace.reader, args.by, args.first or "start", args.last or "end", progress)
