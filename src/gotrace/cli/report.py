"""The command ``gotrace report``: writes the heap and scheduling as one HTML page.

Never here: analysis, or HTML.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from contextlib import contextmanager

import gotrace
from gotrace.analysis.history import History
from gotrace.analysis.leaks import OUTLIVED, Leaks, OldObjects
from gotrace.analysis.scheduling import Scheduling, scheduling
from gotrace.analysis.stacks import HeapStacks, heap_stacks
from gotrace.cli import common
from gotrace.cli.output import check_output, log_written, output
from gotrace.errors import TraceError
from gotrace.heap.table import Heap
from gotrace.report.page import write_page
from gotrace.tables.instants import Group
from gotrace.tables.passes import Progress
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "report",
        help="write the heap over time, and scheduling, as one HTML page",
        description="Write a page about a trace. Of one taken with GODEBUG=traceallocfree=1, it shows the heap: live "
        "bytes by type over time, rates, GC cycles, ages, size classes and spans. Of any, it shows scheduling: how "
        "goroutines spend their time, waits for a P, pauses and what delays them, mutator utilization, and tasks. The "
        "page is a single file of bounded size that loads nothing from elsewhere. The trace is read several times.",
    )
    common.add_trace(parser, streams=False)
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.html", help="file to write, - for standard output"
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an existing file")
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run, usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Write the page; for a damaged trace, it shows what came before the fault."""
    if args.trace == "-":
        args.usage("the trace is read several times, but standard input can be read only once: save it to a file first")
    check_output(args, args.output)
    codes: list[int] = []
    with common.exit_code(codes, args):
        history = _history(args)
        old = _old(history, args)
        page = io.StringIO()
        stacks, sched = _stacks(history, args), _scheduling(history, args)
        write_page(page, history, stacks, old, sched, gotrace=gotrace.__version__)
        with output(args.output, force=args.force) as file:
            file.write(page.getvalue().encode())
        if not args.quiet:
            log_written(args.output)
            common.log_warnings(history.warnings)
        for loss in history.losses:
            common.log(f"lost: {loss}")
            codes.append(common.UNREADABLE)
        if history.error is not None:
            raise history.error
        if sched.error is not None:
            raise sched.error
    return common.worst(codes)


def _stacks(history: History, args: argparse.Namespace) -> HeapStacks | None:
    """Return the heap by call stack, or None if the trace is damaged or has no CPU samples."""
    if not history.samples or history.error is not None:
        return None
    with _opened(args) as (trace, progress):
        return heap_stacks(trace, progress)


def _history(args: argparse.Namespace) -> History:
    """Return the heap over time. Here and below, the trace and its pages in memory go with the function."""
    with _opened(args) as (trace, progress):
        return trace.history(progress)


def _old(history: History, args: argparse.Namespace) -> OldObjects | None:
    """Return what grows and who holds old bytes, up to the fault of a damaged trace; None without alloc/free events."""
    if not history.seen:
        return None
    groups: list[Group] = ["package", "goroutine"]
    if history.samples:
        groups.append("site")
    heaps: list[Heap] = []
    for by in groups:  # a pass for each, since all of them at once take much memory
        with _opened(args) as (trace, progress):
            try:
                heaps.append(trace.heap(by=by, min_age=OUTLIVED, progress=progress))
            except TraceError as fault:
                if not isinstance(fault.partial, Heap):
                    return None
                heaps.append(fault.partial)
    with _opened(args) as (trace, progress):
        try:
            found = trace.leaks(progress)
        except TraceError as fault:
            if not isinstance(fault.partial, Leaks):
                return None
            found = fault.partial
        history.warnings += [warning for warning in trace.warnings if warning not in history.warnings]
    return OldObjects(heaps, found)


def _scheduling(history: History, args: argparse.Namespace) -> Scheduling:
    """Return what the trace shows about scheduling, up to the fault of a damaged trace."""
    with _opened(args) as (trace, progress):
        result = scheduling(trace, progress)
        history.warnings += [warning for warning in trace.warnings if warning not in history.warnings]
        history.losses += [loss for loss in trace.losses if loss not in history.losses]
    return result


@contextmanager
def _opened(args: argparse.Namespace) -> Iterator[tuple[Trace, Progress | None]]:
    with (
        gotrace.open(args.trace, errors=args.errors) as trace,
        common.progress(args.trace, quiet=args.quiet) as progress,
    ):
        yield trace, progress
