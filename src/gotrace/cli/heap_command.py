"""The steps that heap commands share: open a trace, run a query, print the result, report losses and errors.

Never here: a query, or the layout of a result.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Protocol, TextIO, TypeVar

import gotrace
from gotrace.cli import common
from gotrace.errors import TraceError
from gotrace.tables.instants import QueryError


class HeapResult(Protocol):
    """What :func:`run_query` requires of a result."""

    @property
    def seen(self) -> bool:
        """True if the trace has alloc/free events."""


R = TypeVar("R", bound=HeapResult)


def add_flags(parser: argparse.ArgumentParser, *, top: int = 20) -> None:
    """Add the flags that all heap commands accept, after those of the command."""
    common.add_traces(parser, many=False)
    common.add_top(parser, top)
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(usage=parser.error, jobs=1)


def run_query(
    args: argparse.Namespace,
    kind: type[R],
    query: Callable[[gotrace.Trace, Callable[[int], None] | None], R],
    print_text: Callable[[TextIO, R], None],
    print_json: Callable[[TextIO, str, R, list[str], list[str], TraceError | None], None],
    sort: Callable[[R], None] = lambda result: None,
) -> int:
    """Run ``query`` on the trace, print the result, and report warnings, losses and errors.

    Parameters
    ----------
    args : argparse.Namespace
        With the flags of :func:`add_flags`.
    kind : type
        Type of the result. If the trace is damaged, a partial result of this type is printed before the error.
    query : callable
        Takes the trace and a progress callback, returns the result.
    print_text, print_json : callable
        Write the result to a stream.
    sort : callable, optional
        Sorts the rows of the result in place.

    Returns
    -------
    int
        Exit code.
    """
    codes: list[int] = []
    with (
        common.exit_code(codes),
        common.open_trace(args, args.trace, errors=args.errors, jobs=args.jobs) as trace,
        common.progress(args.trace, quiet=args.quiet) as progress,
    ):
        error: TraceError | None = None
        try:
            result = query(trace, progress)
        except QueryError as wrong:
            args.usage(str(wrong))
        except TraceError as fault:
            error = fault
            if not isinstance(fault.partial, kind):
                common.print_without_result(args, trace.path, fault)
                raise
            result = fault.partial
        sort(result)
        if args.json:
            print_json(sys.stdout, trace.path, result, trace.warnings, trace.losses, error)
        else:
            if result.seen or error is None:
                print_text(sys.stdout, result)
            if not args.quiet:
                for warning in trace.warnings:
                    common.log(warning)
        sys.stdout.flush()
        common.report_losses(trace, codes)
        if error is not None:
            raise error
    return common.worst(codes)
