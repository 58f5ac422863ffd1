"""What all commands share: flags, exit codes, words to stderr, progress. Never here: analysis."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from gotrace.errors import OrderingError, TraceError
from gotrace.order.selection import Bounds
from gotrace.trace import Trace
from gotrace.units import nanoseconds

OK, NO, USAGE, UNREADABLE, BUG, INTERRUPTED = 0, 1, 2, 3, 70, 130
"""Exit codes."""

_PATIENCE = 1 << 25  # bytes read before progress is shown
_WAITING = 8  # threads told of when the order broke


def say(text: str) -> None:
    """Write words to stderr."""
    _tell(f"gotrace: {text}")


def _tell(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:  # what was to be said still counts for the exit code
        _give_up(sys.stderr)


def _give_up(stream: TextIO) -> None:
    """Let go of a stream that nobody reads any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def worst(codes: list[int]) -> int:
    """Exit code of several answers: a trace that could not be read outweighs a no."""
    return max(codes, default=OK)


def number_range(text: str) -> Bounds:
    """Read ``A:B``, A included and B not; either may be missing.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none, or says nothing.
    """
    return _bounds(text, int)


def time_range(text: str) -> Bounds:
    """Read a range of times such as ``1.5s:2s`` in ns; a unit must be said."""
    return _bounds(text, nanoseconds)


def _bounds(text: str, number: Callable[[str], int]) -> Bounds:
    first, colon, end = text.partition(":")
    try:
        if not colon or not (first or end):
            raise ValueError
        return (number(first) if first else None), (number(end) if end else None)
    except ValueError:
        example = "3:, :10 or 3:10" if number is int else "1.5s:2s, 100ms: or :1m"
        raise argparse.ArgumentTypeError(f"{text!r} is no range, write {example}") from None


def add_traces(parser: argparse.ArgumentParser, *, many: bool) -> None:
    """Add the traces to read."""
    what = "trace to read, - for standard input"
    if many:
        parser.add_argument("traces", nargs="+", metavar="TRACE", help=what)
    else:
        parser.add_argument("trace", metavar="TRACE", help=what)


def count(text: str) -> int:
    """Read a number that is not below 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be below 0")
    return number


def add_top(parser: argparse.ArgumentParser, default: int = 20) -> None:
    """Add ``--top``."""
    parser.add_argument(
        "-n", "--top", type=count, default=default, metavar="N", help=f"lines to show, 0 for all (default: {default})"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="one JSON object per trace, one per line")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add ``--quiet``."""
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs``."""
    parser.add_argument(
        "-j",
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="threads in all (default: 1); on two free cores, rows, replay and order come up to 1.5 times faster",
    )


def positive(text: str) -> int:
    """Read a number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number


def add_salvage(parser: argparse.ArgumentParser) -> None:
    """Add ``--salvage``."""
    parser.add_argument(
        "--salvage",
        dest="errors",
        action="store_const",
        const="salvage",
        default="raise",
        help="of a damaged trace, read what can be read and say what was lost; the exit code is still 3",
    )


@contextmanager
def progress(path: str, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """Show how far a long read is, on a terminal's stderr and with rich; the value takes the bytes read."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    except ImportError:
        yield None
        return
    size = os.path.getsize(path) if os.path.isfile(path) else None  # noqa: PTH113, PTH202
    bar = Progress(
        *(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(os.path.basename(path), total=size)  # noqa: PTH119

    def note(nbytes: int) -> None:
        if nbytes >= _PATIENCE:
            bar.start()
        bar.update(task, completed=nbytes)

    try:
        yield note
    finally:
        bar.stop()


def explain(error: TraceError) -> None:
    """Write an error, and the bytes around it, to stderr."""
    say(str(error))
    if error.excerpt():
        _tell(error.excerpt())
    if isinstance(error, OrderingError):
        _tell("\n  ".join(["", "What each thread waits to do:", *error.frontier[:_WAITING]]))
        _tell("\n  ".join(["", "What is known:", *error.state[: 3 * _WAITING]]))


@contextmanager
def exit_code(codes: list[int]) -> Iterator[None]:
    """Run one trace's part of a command; what goes wrong becomes words and a code at the end of ``codes``."""
    try:
        yield
        codes.append(OK)
    except TraceError as error:
        explain(error)
        codes.append(UNREADABLE)
    except BrokenPipeError:
        raise
    except OSError as error:
        say(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
        codes.append(UNREADABLE)


def tell_losses(trace: Trace, codes: list[int]) -> None:
    """Say what was lost of a trace that was opened to salvage; the code is that of an unreadable one."""
    for loss in trace.losses:
        say(f"lost: {loss}")
        codes.append(UNREADABLE)


def run(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command and answer for everything that it did not foresee."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may hold what the terminal cannot show
    code = OK
    try:
        code = command(args)
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up(sys.stdout)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        import traceback

        traceback.print_exc()
        say(f"this is a bug, please report it: {error}")
        return BUG
    return code


def binary_stdout() -> BinaryIO:
    """Return standard output for bytes."""
    sys.stdout.flush()
    return sys.stdout.buffer
