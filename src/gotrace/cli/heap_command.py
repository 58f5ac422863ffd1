"""The steps that heap commands share: open a trace, run a query, print the result, report losses and errors.

Never here: a query, or the layout of a result.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Protocol, TextIO, TypeVar

import gotrace
from gotrace.cli import common, many
from gotrace.cli.output import add_formats, report_output
from gotrace.errors import MissingDataError, NoHeapDataError, TraceError
from gotrace.report.common import print_next, say
from gotrace.tables.instants import QueryError
from gotrace.tables.passes import Progress
from gotrace.wire.remote import public_name


class HeapResult(Protocol):
    """What :func:`run_query` requires of a result."""

    @property
    def seen(self) -> bool:
        """True if the trace has alloc/free events."""


R = TypeVar("R", bound=HeapResult)


def add_flags(parser: argparse.ArgumentParser, *, top: int = 20, several: bool = False) -> None:
    """Add the flags that all heap commands accept, after those of the command."""
    if several:
        many.add_traces(parser)
    else:
        common.add_trace(parser)
    common.add_top(parser, top)
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(jobs=1)


def run_query(
    args: argparse.Namespace,
    kind: type[R],
    query: Callable[[gotrace.Trace, Callable[[int], None] | None], R],
    print_text: Callable[[TextIO, R], None],
    document: Callable[[str, R, list[str], list[str], Exception | None], dict[str, Any]],
    sort: Callable[[R], None] = lambda result: None,
    *,
    headings: bool = True,
    missing: Callable[[R, str, bool], MissingDataError] = lambda result, path, lost: NoHeapDataError(path, lost=lost),
    following: Callable[[R], list[tuple[str, str]]] = lambda result: [],
) -> int:
    """Run ``query`` on each trace, print the results, and report warnings, losses and errors.

    Parameters
    ----------
    args : argparse.Namespace
        With the flags of :func:`add_flags`.
    kind : type
        Type of the result. If a trace is damaged, a partial result of this type is printed before the error.
    query : callable
        Takes the trace and a progress callback, returns the result.
    print_text : callable
        Writes the result to a stream.
    document : callable
        Returns the JSON object of a path, a result, warnings, losses and an error.
    sort : callable, optional
        Sorts the rows of the result in place.
    headings : bool, optional
        Write the name of each trace before its result, if there are several.
    missing : callable, optional
        Makes the exception of a trace of which nothing is seen, from the result, the path, and whether parts of the
        trace are lost.
    following : callable, optional
        Returns the commands to run after a result, for :func:`print_next`.

    Returns
    -------
    int
        Exit code.
    """
    if "traces" in args:
        many.find_traces(args)
    else:
        args.traces, args.missing = [args.trace], {}
    codes: list[int] = []
    shown = 0

    def answer(name: str, trace: gotrace.Trace, progress: Progress | None) -> tuple[R, TraceError | None]:
        try:
            return query(trace, progress), None
        except TraceError as fault:
            if not isinstance(fault.partial, kind):
                raise
            return fault.partial, fault

    with common.exit_code(codes), report_output(args) as report:

        def show(name: str, trace: gotrace.Trace, answered: tuple[R, TraceError | None]) -> Exception | None:
            nonlocal shown
            result, error = answered
            sort(result)
            nothing = None if result.seen else missing(result, trace.path, bool(trace.losses))
            failure = nothing if error is None else error
            if report.text is None:
                report.add(document(trace.path, result, trace.warnings, trace.losses, failure))
            elif result.seen:
                if headings and len(args.traces) > 1:
                    say(report.text, "\n" * (shown > 0) + f"{public_name(name)}:")
                print_text(report.text, result)
                print_next(report.text, [name], following(result), salvage=args.errors == "salvage")
                shown += 1
            return failure

        def fail(name: str, error: Exception) -> None:
            if isinstance(error, QueryError):
                args.usage(str(error))
            report.add_failure(args, name, error)

        codes += many.run_each(args, answer, show, fail)
    return common.worst(codes)
