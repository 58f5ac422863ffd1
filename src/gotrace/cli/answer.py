"""The course of a command that asks something about the heap of one trace. Never here: a question, or its answer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Protocol, TextIO, TypeVar

import gotrace
from gotrace.cli import common
from gotrace.errors import TraceError
from gotrace.tables.instants import QueryError


class Answer(Protocol):
    """What the course needs to know of an answer."""

    @property
    def seen(self) -> bool:
        """Whether there was any alloc/free event."""


A = TypeVar("A", bound=Answer)


def add_flags(parser: argparse.ArgumentParser, *, top: int = 20) -> None:
    """Add what all these commands take behind their own flags."""
    common.add_traces(parser, many=False)
    common.add_top(parser, top)
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(usage=parser.error, jobs=1)


def answer(
    args: argparse.Namespace,
    kind: type[A],
    ask: Callable[[gotrace.Trace, Callable[[int], None] | None], A],
    show: Callable[[TextIO, A], None],
    show_json: Callable[[TextIO, str, A, list[str], list[str], TraceError | None], None],
    arrange: Callable[[A], None] = lambda found: None,
) -> int:
    """Ask about the trace, show what is known of a damaged one too, and tell what was odd, lost or wrong.

    ``arrange`` puts the answer into the order that was asked for.
    """
    codes: list[int] = []
    with (
        common.exit_code(codes),
        gotrace.open(args.trace, errors=args.errors, jobs=args.jobs) as trace,
        common.progress(args.trace, quiet=args.quiet) as progress,
    ):
        error: TraceError | None = None
        try:
            found = ask(trace, progress)
        except QueryError as wrong:
            args.usage(str(wrong))
        except TraceError as fault:
            error = fault
            if not isinstance(fault.partial, kind):
                raise
            found = fault.partial
        arrange(found)
        if args.json:
            show_json(sys.stdout, trace.path, found, trace.warnings, trace.losses, error)
        else:
            if found.seen or error is None:
                show(sys.stdout, found)
            if not args.quiet:
                for warning in trace.warnings:
                    common.say(warning)
        sys.stdout.flush()
        common.tell_losses(trace, codes)
        if error is not None:
            raise error
    return common.worst(codes)
