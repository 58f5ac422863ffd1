"""The flags and steps that scheduling commands share. Never here: analysis, or the layout of a result."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TextIO, TypeVar

import numpy as np

from gotrace.analysis.gather import Range
from gotrace.cli import common
from gotrace.cli.heap_command import HeapResult, add_flags, run_query
from gotrace.errors import MissingDataError, suggestion
from gotrace.trace import Trace

R = TypeVar("R", bound=HeapResult)

_NOTHING = {
    "tasks": ("tasks", "a program records them with trace.NewTask of package runtime/trace"),
    "regions": ("regions", "a program records them with trace.WithRegion of package runtime/trace"),
    "mmu": ("procs", "a trace needs a whole generation"),
}
_CHOSEN = {
    ("tasks", "task"): ("such task", "gotrace export --table task_times lists all"),
    ("critical", "task"): ("such task", "gotrace export --table task_times lists all"),
    ("critical", "name"): ("tasks of this name", "gotrace tasks lists all names"),
    ("critical", "region"): ("regions of this name", "gotrace regions lists all names"),
    ("goroutines", "goroutine"): ("such goroutine", "gotrace goroutines --by goroutine --top 0 lists all"),
    ("critical", "goroutine"): ("such goroutine", "gotrace goroutines --by goroutine --top 0 lists all"),
}
_NO_GOROUTINES = ("goroutines", "take an execution trace with runtime/trace, /debug/pprof/trace or go test -trace")


def add_sched_flags(parser: argparse.ArgumentParser, columns: tuple[str, ...], *, part: str) -> None:
    """Add the flags that scheduling commands accept: columns of ``--sort``, and what ``--time`` selects."""
    add_time(parser, part)
    parser.add_argument(
        "--sort", choices=columns, metavar="COLUMN", help=f"sort by a column, largest first: {', '.join(columns)}"
    )
    add_flags(parser)
    common.add_jobs(parser)


def add_time(parser: argparse.ArgumentParser, part: str) -> None:
    """Add ``--time``, which selects a part."""
    help = f"{part} from A up to, not including, B since the start of the trace, such as 1.5s:2s"
    parser.add_argument("--time", type=common.time_range, metavar="A:B", help=help)


def time_of(args: argparse.Namespace, trace: Trace) -> Range:
    """Return the range of ``--time`` on the trace's clock."""
    if args.time is None:
        return None
    if trace.reader.source.once:
        args.usage("--time needs a trace that can be read twice: save standard input to a file")
    first, end = (None if time is None else time + trace.start for time in args.time)
    return first, end


def run_sched(
    args: argparse.Namespace,
    kind: type[R],
    query: Callable[[Trace, Callable[[int], None] | None], R],
    print_text: Callable[..., None],
    document: Callable[[str, R, list[str], list[str], Exception | None], dict[str, Any]],
    following: Callable[[R], list[tuple[str, str]]] = lambda result: [],
    sort: Callable[[R, str], None] | None = None,
) -> int:
    """Run a query on the trace and print its result, as :func:`run_query` does; ``sort`` applies ``--sort``."""

    def arrange(result: R) -> None:
        if args.sort:
            (sort or _sort)(result, args.sort)

    def missing(result: R, path: str, lost: bool) -> MissingDataError:
        chosen = ((of, flag) for of, flag in _CHOSEN if of == args.command and getattr(args, flag) is not None)
        what, advice = _CHOSEN.get(next(chosen, ("", "")), _NOTHING.get(args.command, _NO_GOROUTINES))
        if args.time is not None:
            what, advice = f"{what} in this range of time", "gotrace info shows how long the trace is"
        wanted = next((getattr(args, flag) for flag in ("name", "region") if getattr(args, flag, None)), None)
        return MissingDataError(path, f"{what}{suggestion(wanted, getattr(result, 'known', []))}", advice, lost=lost)

    def show(out: TextIO, result: R) -> None:
        print_text(out, result, top=args.top)

    return run_query(args, kind, query, show, document, arrange, missing=missing, following=following)


def _sort(result: Any, column: str) -> None:
    """Sort the rows of a result by a column, largest first, and the lists that have an item for each row."""
    order = np.argsort(-result.table[column], kind="stable")
    for name in ("stacks", "histograms"):
        items = getattr(result, name, None)
        if items:
            setattr(result, name, [items[i] for i in order.tolist()])
    result.table = result.table[order]
