"""The steps that heap commands share: open a trace, run a query, print the result, report losses and errors.

Never here: a query, or the layout of a result.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Protocol, TextIO, TypeVar

import gotrace
from gotrace.cli import common
from gotrace.cli.output import add_formats, report_output
from gotrace.errors import NoHeapDataError, TraceError
from gotrace.report.common import say
from gotrace.tables.instants import QueryError
from gotrace.wire.remote import public_name


class HeapResult(Protocol):
    """What :func:`run_query` requires of a result."""

    @property
    def seen(self) -> bool:
        """True if the trace has alloc/free events."""


R = TypeVar("R", bound=HeapResult)


def add_flags(parser: argparse.ArgumentParser, *, top: int = 20, many: bool = False) -> None:
    """Add the flags that all heap commands accept, after those of the command."""
    common.add_traces(parser, many=many)
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

    Returns
    -------
    int
        Exit code.
    """
    codes: list[int] = []
    paths = getattr(args, "traces", None) or [args.trace]
    with common.exit_code(codes), report_output(args) as report:
        for number, path in enumerate(paths):
            if report.text and len(paths) > 1:
                say(report.text, "\n" * (number > 0) + f"{public_name(path)}:")
            with (
                common.exit_code(codes, args),
                report.open(args, path, errors=args.errors, jobs=args.jobs) as trace,
            ):
                error: Exception | None = None
                try:
                    with common.progress(path, quiet=args.quiet) as progress:
                        result = query(trace, progress)
                except QueryError as wrong:
                    args.usage(str(wrong))
                except TraceError as fault:
                    error = fault
                    if not isinstance(fault.partial, kind):
                        report.add_failure(args, trace.path, fault)
                        raise
                    result = fault.partial
                if not result.seen and error is None:
                    error = NoHeapDataError(trace.path, lost=bool(trace.losses))
                sort(result)
                if report.text is None:
                    report.add(document(trace.path, result, trace.warnings, trace.losses, error))
                elif result.seen:
                    print_text(report.text, result)
                report.flush()
                if not (args.quiet or args.json):
                    common.log_warnings(trace.warnings)
                common.report_losses(trace, codes)
                if error is not None:
                    raise error
    return common.worst(codes)
