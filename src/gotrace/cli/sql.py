"""The command ``gotrace sql``: runs one query over the tables of several traces. Never here: analysis, or formats."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from gotrace.analysis.sql import NULL, OPTIONS, Query, QueryError
from gotrace.cli import common
from gotrace.cli.output import check_output, output
from gotrace.report.rows import print_rows
from gotrace.tables.catalog import TABLES


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
    common.add_traces(parser, many=True)
    parser.add_argument("-o", "--output", default="-", metavar="OUT", help="file to write (default: standard output)")
    parser.add_argument(
        "--format", choices=("table", *OPTIONS), help="format (default: by the suffix of OUT, else table)"
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an existing file")
    common.add_quiet(parser)
    common.add_salvage(parser)
    common.add_jobs(parser)
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
    codes: list[int] = []
    with common.exit_code(codes):
        try:
            with (
                Query(args.query, args.traces, errors=args.errors, jobs=args.jobs) as query,
                TemporaryDirectory(prefix=".gotrace-", dir=None if args.output == "-" else folder) as temporary,
            ):
                _write(args, query, format, Path(temporary) / "result")
                if query.losses:
                    codes.append(common.UNREADABLE)
        except QueryError as error:
            for line in filter(None, str(error).splitlines()):
                common.log(line)
            return common.USAGE
        except ImportError as error:
            common.log(str(error))
            return common.USAGE
    return common.worst(codes)


def _write(args: argparse.Namespace, query: Query, format: str, result: Path) -> None:
    """Run the query into a temporary file, and write the output from it."""
    if format == "table":
        query.write_text(result)
    else:
        query.write(result, format)
    with output(args.output, force=args.force) as out:
        if format == "table":
            _print_table(args, result, io.TextIOWrapper(out, sys.stdout.encoding, errors="backslashreplace"))
        else:
            with result.open("rb") as file:
                shutil.copyfileobj(file, out)
    if not args.quiet:
        _log(query.warnings, "")
    _log(query.losses, "lost: ")


def _print_table(args: argparse.Namespace, result: Path, out: io.TextIOWrapper) -> None:
    """Write the table, as wide as the terminal if it goes there."""
    wide = shutil.get_terminal_size().columns if args.output == "-" and sys.stdout.isatty() else None
    left_out = print_rows(out, result, NULL, wide)
    out.detach()
    if left_out:
        common.log(f"{left_out} more columns do not fit: name columns in the query, or use --format csv")


def _log(notes: dict[str, list[str]], prefix: str) -> None:
    for trace, lines in notes.items():
        for line in lines:
            common.log(f"{trace}: {prefix}{line}")
