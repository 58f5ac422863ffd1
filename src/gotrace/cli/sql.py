"""The command ``gotrace sql``: runs one query over the tables of several traces. Never here: analysis, or formats."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from gotrace.analysis.sql import NULL, OPTIONS, Query, QueryError
from gotrace.cli import common, many
from gotrace.cli.output import check_output, log_written, output
from gotrace.report.rows import print_rows
from gotrace.tables.catalog import TABLES
from gotrace.tables.frames import library
from gotrace.tables.passes import Progress


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "sql",
        help="query the tables of traces with SQL",
        description="Run one SQL query with DuckDB over the tables of traces. Each table holds the rows of all traces; "
        "its columns trace and wall are the trace and the wall-clock time of a row. Only what the query needs is "
        "decoded. The result appears when everything that the query needs has been read without a fault. Quote columns "
        'whose names are words of SQL: "offset", "end". Needs duckdb.',
        epilog=f"tables: {', '.join(TABLES)}. Columns: gotrace sql 'describe allocs' TRACE",
    )
    parser.add_argument("query", metavar="QUERY", help="a SELECT, or DESCRIBE, SUMMARIZE, PIVOT")
    many.add_traces(parser)
    parser.add_argument("-o", "--output", default="-", metavar="OUT", help="file to write (default: standard output)")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument(
        "--format", choices=("table", *OPTIONS), help="format (default: by the suffix of OUT, else table)"
    )
    formats.add_argument(
        "--json", dest="format", action="store_const", const="jsonl", help="a JSON object for each row: --format jsonl"
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an existing file")
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run, usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Run the query and write its result."""
    format = args.format or ("table" if args.output == "-" else Path(args.output).suffix.lstrip("."))
    if format not in ("table", *OPTIONS):
        args.usage(f"unknown format: use --format with one of table, {', '.join(OPTIONS)}")
    check_output(args, args.output)
    folder = Path(args.output).parent
    if not folder.is_dir():
        args.usage(f"folder {folder} does not exist")
    try:
        library("duckdb", "sql")
    except ImportError as missing:
        common.log(str(missing))
        return common.USAGE
    many.find_traces(args)
    codes: list[int] = []
    with common.exit_code(codes, args, brief=len(args.traces) > 1):
        for error in args.missing.values():
            raise error
        try:
            with (
                Query(args.query, args.traces, errors=args.errors, jobs=args.jobs) as query,
                TemporaryDirectory(prefix=".gotrace-", dir=None if args.output == "-" else folder) as temporary,
                many.progress(list(args.traces) * query.scans, quiet=args.quiet) as bar,
            ):
                query.reading = partial(_reading, bar)
                _write(args, query, format, Path(temporary) / "result")
        except QueryError as error:
            for line in filter(None, str(error).splitlines()):
                common.log(line)
            return common.USAGE
        if not args.quiet:
            log_written(args.output)
            common.log_warnings([f"{trace}: {line}" for trace, lines in query.warnings.items() for line in lines])
        for trace, losses in query.losses.items():
            for loss in losses:
                common.log(f"{trace}: lost: {loss}")
            codes.append(common.UNREADABLE)
    return common.worst(codes)


@contextmanager
def _reading(bar: many.Bar) -> Iterator[Progress | None]:
    """Show how much of a trace has been read in the block, and count it."""
    yield bar.of_trace()
    with bar.counted():
        pass


def _write(args: argparse.Namespace, query: Query, format: str, result: Path) -> None:
    """Run the query into a temporary file, and write the output from it."""
    try:
        if format == "table":
            query.write_text(result)
        else:
            query.write(result, format)
    except OSError as error:
        if error.filename == str(result):
            error.filename = gettempdir() if args.output == "-" else args.output
        raise
    with output(args.output, force=args.force) as out:
        if format == "table":
            text = sys.stdout
            if args.output != "-":
                text = io.TextIOWrapper(out, sys.stdout.encoding, errors="backslashreplace")
            print_rows(text, result, NULL)
            text.flush()
        else:
            with result.open("rb") as file:
                shutil.copyfileobj(file, out)
