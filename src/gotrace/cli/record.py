"""The command ``gotrace record``: fetches a trace from a running Go server, and prints what it contains.

Never here: the request.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np

import gotrace
from gotrace.cli import common
from gotrace.cli.output import check_output, log_written, output
from gotrace.report.common import json_line
from gotrace.report.info import info_document, print_info
from gotrace.units import human_bytes
from gotrace.wire.header import read_header
from gotrace.wire.remote import public_name
from gotrace.wire.server import record, seconds_of, trace_url


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "record",
        help="record a trace of a running Go server, and show what it contains",
        description="Record a trace of a running Go program that serves net/http/pprof, and show what the trace "
        "contains. The file appears when it is complete.",
    )
    parser.add_argument(
        "server",
        metavar="URL|HOST:PORT",
        help="the server: HOST:PORT or :PORT for http, a URL, or the URL of its /debug/pprof/trace",
    )
    parser.add_argument("--seconds", type=_positive, metavar="S", help="length of the trace (default: 5)")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="file to write, - for standard output (default: HOST-PORT-TIME.trace)"
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--json", action="store_true", help="print what the trace contains as JSON, like info --json")
    common.add_quiet(parser)
    parser.set_defaults(run=run, usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Record the trace, then print its summary."""
    try:
        url = trace_url(args.server, args.seconds)
        seconds = seconds_of(url)
    except ValueError as error:
        args.usage(f"{public_name(args.server)}: {error}")
    if args.output == "-" and args.json:
        args.usage("standard output can hold the trace or JSON, not both: write the trace to a file")
    name = args.output or _file_name(url)
    check_output(args, name)
    codes: list[int] = []
    with common.exit_code(codes):
        with _progress(seconds, quiet=args.quiet) as progress, output(name, force=args.force) as file:
            n_bytes = 0
            for block in record(url):
                if not n_bytes:
                    read_header(np.frombuffer(block, np.uint8), public_name(url))
                file.write(block)
                n_bytes += len(block)
                progress(n_bytes)
        if not args.quiet:
            log_written(name)
        if name != "-":
            _show(name, args)
    return common.worst(codes)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be above 0")
    return number


def _file_name(url: str) -> str:
    server = re.sub(r"[^\w.]+", "-", urlsplit(public_name(url)).netloc).strip("-")
    return f"{server}-{time.strftime('%Y%m%d-%H%M%S')}.trace"


def _show(name: str, args: argparse.Namespace) -> None:
    with gotrace.open(name) as trace:
        info = trace.info()
        if args.json:
            print(json_line(info_document(trace.path, info, trace.warnings, trace.losses)))
        else:
            print_info(sys.stdout, name, info)
        sys.stdout.flush()
        if not args.quiet:
            common.log_warnings(trace.warnings)
        if info.error is not None:
            raise info.error


@contextmanager
def _progress(seconds: float, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show that a trace is recorded if stderr is a terminal; the value takes the number of bytes received."""
    if quiet or not sys.stderr.isatty():
        yield lambda n_bytes: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        common.log(f"recording for {seconds:g} s")
        yield lambda n_bytes: None
        return
    text, done = TextColumn(f"recording for {seconds:g} s"), TextColumn("{task.fields[done]}")
    with Progress(text, BarColumn(), TimeElapsedColumn(), done, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, done="")
        yield lambda n_bytes: bar.update(task, done=human_bytes(n_bytes))
