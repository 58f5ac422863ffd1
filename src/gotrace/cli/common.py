"""What commands share: flags, exit codes, messages on stderr, progress. Never here: analysis."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from gotrace.errors import MissingDataError, OrderingError, TraceError
from gotrace.order.selection import Bounds
from gotrace.trace import Trace
from gotrace.units import human_bytes, nanoseconds, printable
from gotrace.wire.compression import is_compressed
from gotrace.wire.discovery import find
from gotrace.wire.remote import public_name

OK, NO, USAGE, UNREADABLE, BUG, INTERRUPTED = 0, 1, 2, 3, 70, 130
"""Exit codes."""

PROGRESS_FROM = 1 << 25
"""Bytes read before progress is shown."""

_MAX_NAMES = 5  # files listed in a message
_MAX_THREADS = 8  # waiting threads listed for an OrderingError


def log(text: str) -> None:
    """Write a message to stderr, prefixed with the name of the program."""
    _write(f"gotrace: {printable(public_name(text))}")


def _write(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:  # a lost message must not change the exit code
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Redirect a stream without a reader to the null device, so that closing it raises no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def worst(codes: list[int]) -> int:
    """Return the exit code for several traces: an unreadable trace outweighs a failed check."""
    return max(codes, default=OK)


def number_range(text: str) -> Bounds:
    """Parse ``A:B``, A inclusive and B exclusive; one of them may be omitted.

    Raises
    ------
    argparse.ArgumentTypeError
        The text is not a range, or both ends are missing.
    """
    return _bounds(text, int)


def time_range(text: str) -> Bounds:
    """Parse a range of times such as ``1.5s:2s`` into ns; units are required."""
    return _bounds(text, nanoseconds)


def _bounds(text: str, number: Callable[[str], int]) -> Bounds:
    first, colon, end = text.partition(":")
    try:
        if not colon or not (first or end):
            raise ValueError
        bounds = (number(first) if first else None), (number(end) if end else None)
    except ValueError:
        example = "3:, :10 or 3:10" if number is int else "1.5s:2s, 100ms: or :1m"
        raise argparse.ArgumentTypeError(f"{text!r} is not a range: write {example}") from None
    if None not in bounds and bounds[0] > bounds[1]:  # type: ignore[operator]
        raise argparse.ArgumentTypeError(f"{text!r}: the range ends before it starts")
    return bounds


def add_trace(parser: argparse.ArgumentParser, *, streams: bool = True) -> None:
    """Add the trace to read as a positional argument; ``streams``: standard input is possible."""
    text = "trace to read: a path, a URL, or - for standard input" if streams else "trace to read: a path or a URL"
    parser.add_argument("trace", type=one_trace, metavar="TRACE", help=text)


def listed(names: Sequence[str]) -> str:
    """Return the first names of a list for a message."""
    return ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")


def one_trace(text: str) -> str:
    """Replace a folder or a glob of one trace by its name, for commands that take one trace.

    Raises
    ------
    argparse.ArgumentTypeError
        It has several traces.
    """
    try:
        found = find(text).traces
    except (OSError, ImportError):  # is reported when it is opened
        return text
    if len(found) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} has {len(found):,} traces, but one is needed: {listed(found)}")
    return found[0] if found else text


def count(text: str) -> int:
    """Parse a number that is at least 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 0")
    return number


def add_top(parser: argparse.ArgumentParser, default: int = 20) -> None:
    """Add ``--top``."""
    parser.add_argument(
        "-n", "--top", type=count, default=default, metavar="N", help=f"rows to show, 0 for all (default: {default})"
    )


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add ``--quiet``."""
    parser.add_argument("-q", "--quiet", action="store_true", help="suppress progress and warnings")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs``."""
    parser.add_argument(
        "-j",
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="total number of threads (default: 1); with two free cores, 2 is up to 1.5x faster",
    )


def positive(text: str) -> int:
    """Parse a number that is at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return number


def add_salvage(parser: argparse.ArgumentParser) -> None:
    """Add ``--salvage``."""
    parser.add_argument(
        "--salvage",
        dest="errors",
        action="store_const",
        const="salvage",
        default="raise",
        help="read what can be read of a damaged trace and report what was lost; the exit code is still 3",
    )


def size_of(path: str) -> int | None:
    """Return the number of bytes that will be read of a file; None if it is not known."""
    return os.path.getsize(path) if os.path.isfile(path) and not is_compressed(path) else None  # noqa: PTH113, PTH202


@contextmanager
def progress(path: str, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """Show the progress of a long read if stderr is a terminal and rich is installed.

    The value is a callback that takes the number of bytes read, or None. The display is cleared at the end of the
    block; print nothing before.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
    except ImportError:
        yield None
        return
    size = size_of(path)
    bar = Progress(
        *(TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[done]}")),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(printable(os.path.basename(public_name(path))), total=size, done="")  # noqa: PTH119
    whole = f" of {human_bytes(size)}" if size else ""
    began = time.monotonic()

    def update(nbytes: int) -> None:
        if nbytes >= PROGRESS_FROM:
            bar.start()
        rate = nbytes / max(time.monotonic() - began, 1e-3)
        bar.update(task, completed=nbytes, done=f"{human_bytes(nbytes)}{whole}, {human_bytes(rate)}/s")

    try:
        yield update
    finally:
        bar.stop()


def explain(error: TraceError) -> None:
    """Write an error to stderr, with the bytes around it and the state of the order."""
    log(str(error))
    if error.excerpt():
        _write(error.excerpt())
    if isinstance(error, OrderingError):
        _write("\n  ".join(["", "Next event of each thread:", *map(printable, error.frontier[:_MAX_THREADS])]))
        _write("\n  ".join(["", "Known state:", *map(printable, error.state[: 3 * _MAX_THREADS])]))


@contextmanager
def exit_code(codes: list[int], args: argparse.Namespace | None = None, *, brief: bool = False) -> Iterator[None]:
    """Run the block for one trace and append its exit code to ``codes``; print an error of its input.

    With the arguments of a command that has ``--salvage``, an error of a damaged trace points to it. With ``brief``,
    for one of several traces, an error is one line.
    """
    try:
        yield
        codes.append(OK)
    except TraceError as error:
        if brief:
            log(str(error))
        else:
            explain(error)
            if getattr(args, "errors", "") == "raise" and error.salvageable:
                log("to read what can be read after the damage, add --salvage")
        codes.append(UNREADABLE)
    except MissingDataError as error:
        log(str(error))
        codes.append(UNREADABLE)
    except (BrokenPipeError, io.UnsupportedOperation):
        raise
    except OSError as error:
        _log_os_error(error)
        codes.append(UNREADABLE)
    except ImportError as error:
        log(str(error))
        codes.append(UNREADABLE)


def _log_os_error(error: OSError) -> None:
    name = "" if error.filename is None else f"{error.filename or repr('')}: "
    log(f"{name}{error.strerror or error}")


def log_warnings(warnings: list[str]) -> None:
    """Print warnings."""
    for warning in warnings:
        log(warning)


def report_losses(trace: Trace, codes: list[int], before: str = "") -> None:
    """Print what was lost of a trace opened with ``--salvage``, and append UNREADABLE to ``codes`` for each loss."""
    for loss in trace.losses:
        log(f"{before}lost: {loss}")
        codes.append(UNREADABLE)
    if trace.losses:
        log(f"{before}totals are not reliable: parts of the trace are lost")


class _Stopped(BaseException):
    """A signal ends the program."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, frame: object) -> None:
    raise _Stopped(number)


def _replace_closed_streams() -> None:
    """Give a standard stream that is closed a substitute: an empty input, an output that cannot be written."""
    for name, mode in (("stdin", "r"), ("stdout", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def run(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command and return its exit code; an unexpected exception is reported as a bug."""
    _replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may have characters that the terminal lacks
    code = OK
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)  # so that temporary files are removed
    try:
        code = command(args)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
    except io.UnsupportedOperation:
        log("standard output is closed")
        return UNREADABLE
    except OSError as error:  # standard output cannot be written
        _log_os_error(error)
        return UNREADABLE
    except _Stopped as stopped:
        return 128 + stopped.number
    except Exception as error:
        import traceback

        traceback.print_exc()
        log(f"internal error, please report this bug: {error}")
        return BUG
    return code


def binary_stdout() -> BinaryIO:
    """Return standard output as a binary stream."""
    sys.stdout.flush()
    return sys.stdout.buffer
