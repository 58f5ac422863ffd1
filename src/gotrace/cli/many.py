"""Commands over several traces: names come in, the result for each trace is shown in their order; progress of all.

Never here: what a command asks or prints.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from gotrace import fleet
from gotrace.cli import common
from gotrace.tables.passes import Progress
from gotrace.trace import Trace
from gotrace.units import human_bytes, printable
from gotrace.wire.discovery import Found
from gotrace.wire.remote import public_name

R = TypeVar("R")


def add_traces(parser: argparse.ArgumentParser) -> None:
    """Add the traces to read, and the number of threads."""
    parser.add_argument(
        "traces",
        nargs="+",
        metavar="TRACE",
        help="trace to read, a folder or a glob of them, a URL, or - for standard input",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=common.positive,
        default=1,
        metavar="N",
        help="total number of threads, divided over traces first (default: 1)",
    )


def find_traces(args: argparse.Namespace) -> None:
    """Replace folders and globs in ``args.traces`` by their traces, and print how many other files they have.

    ``args.missing`` has the error of each one without traces, which stays in the list.
    """
    args.missing = {}

    def report(found: Found) -> None:
        n = len(found.others)
        listed = common.listed([public_name(name) for name in found.others])
        others = f"{n:,} file{'s are not traces' if n != 1 else ' is not a trace'}: {listed}"
        if not found.traces:
            reason = f"no traces here; {others}" if n else "no traces here"
            args.missing[found.source] = FileNotFoundError(errno.ENOENT, reason, public_name(found.source))
        elif n and not args.quiet:
            common.log(f"{public_name(found.source)}: {others}")

    args.traces = fleet.in_order(args.traces, report=report)


def run_each(
    args: argparse.Namespace,
    function: Callable[[str, Trace, Progress | None], R],
    show: Callable[[str, Trace, R], Exception | None],
    fail: Callable[[str, Exception], object] = lambda name, error: None,
    *,
    in_turn: bool = False,
    enough: Callable[[], bool] = lambda: False,
) -> list[int]:
    """Call ``function`` for each of ``args.traces``, and show the results in their order, with warnings and errors.

    Parameters
    ----------
    args : argparse.Namespace
        With the flags of :func:`add_traces` and ``--quiet``, after :func:`find_traces`.
    function : callable
        Takes the name of a trace, the open trace and a progress callback; runs in any of ``args.jobs`` threads.
    show : callable
        Takes the name, the trace, which is closed, and the result; prints it and returns the error that follows it.
    fail : callable, optional
        Takes the name of a trace without a result, and the error, which is printed afterwards.
    in_turn : bool
        Read one trace after the other, with all threads.
    enough : callable, optional
        True after a result if no more are needed.

    Returns
    -------
    list of int
        Exit codes.
    """
    codes: list[int] = []
    names, several = args.traces, len(args.traces) > 1
    with progress(names, quiet=args.quiet) as bar:
        results = fleet.answers(
            lambda name, trace: (trace, function(name, trace, bar.of_trace())),
            names,
            1 if in_turn else args.jobs,
            jobs=args.jobs,
            errors=getattr(args, "errors", "raise"),
        )
        with closing(results):
            for name, answer, error in results:
                error = args.missing.get(name, error)
                with bar.counted(), common.exit_code(codes, args, brief=several):
                    if error is not None:
                        fail(public_name(name), error)
                    else:
                        assert answer is not None
                        trace, result = answer
                        error = show(name, trace, result)
                        sys.stdout.flush()
                        of_trace = f"{trace.path}: " if several else ""
                        if not (args.quiet or getattr(args, "json", False)):
                            common.log_warnings([f"{of_trace}{warning}" for warning in trace.warnings])
                        common.report_losses(trace, codes, of_trace)
                    if error is not None:
                        raise error
                if enough():
                    break
    return codes


class Bar:
    """The progress of all traces, in files and bytes; nothing is shown without ``display``, a Progress of rich."""

    def __init__(self, names: list[str], display: Any = None) -> None:
        self._names = names
        self._display = display
        self._done = self._nbytes = 0
        if display is not None:
            sizes = [common.size_of(name) for name in names]
            self._size = None if None in sizes else sum(filter(None, sizes))
            self._task = display.add_task("", total=self._size or (len(names) if len(names) > 1 else None), done="")
            self._describe()

    def _describe(self) -> None:
        if self._display is None:
            return
        n = len(self._names)
        what = f"{self._done:,} of {n:,} traces" if n > 1 else printable(os.path.basename(self._names[0]))  # noqa: PTH119
        whole = f" of {human_bytes(self._size)}" if self._size else ""
        completed = self._nbytes if self._size or n == 1 else self._done
        done = f"{human_bytes(self._nbytes)}{whole}"
        self._display.update(self._task, description=what, completed=completed, done=done)

    def of_trace(self) -> Progress | None:
        """Return a callback that takes the number of bytes of a trace read so far."""
        if self._display is None:
            return None
        before = 0

        def update(nbytes: int) -> None:
            nonlocal before
            self._nbytes += max(nbytes - before, 0)
            before = nbytes
            if self._nbytes >= common.PROGRESS_FROM:
                self._display.start()
            self._describe()

        return update

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a trace, and clear the display while the block prints."""
        self._done += 1
        if self._display is not None:
            self._display.stop()
        yield
        self._describe()


@contextmanager
def progress(names: list[str], *, quiet: bool) -> Iterator[Bar]:
    """Show the progress of all traces if stderr is a terminal and rich is installed."""
    display = None
    if not quiet and sys.stderr.isatty():
        try:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn
        except ImportError:
            pass
        else:
            texts = [TextColumn("{task." + field + "}", markup=False) for field in ("description", "fields[done]")]
            display = Progress(texts[0], BarColumn(), texts[1], console=Console(stderr=True), transient=True)
    try:
        yield Bar(names, display)
    finally:
        if display is not None:
            display.stop()
