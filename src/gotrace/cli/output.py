"""Where a command writes: an output file, or a report in one of its formats. Never here: what is written."""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import gotrace
from gotrace.cli import common
from gotrace.errors import TraceError
from gotrace.export import occupied, replacing
from gotrace.report.common import Markdown, document, error_json, json_line
from gotrace.tables.frames import library
from gotrace.units import human_bytes, human_count

FORMATS = ("json", "csv", "md", "parquet")
"""Formats of reports apart from text; each is also a suffix of files."""


def check_output(args: argparse.Namespace, *names: str) -> None:
    """Exit with a usage error if one of the files exists and ``--force`` was not given."""
    for name in names:
        if name != "-" and occupied(Path(name)) and not args.force:
            args.usage(f"{Path(name)} exists; use --force to overwrite it")


@contextmanager
def output(name: str, *, force: bool) -> Iterator[BinaryIO]:
    """Open a file that is put in place when the block succeeds, or standard output for ``-``."""
    with nullcontext(common.binary_stdout()) if name == "-" else replacing(Path(name), overwrite=force) as file:
        yield file
        file.flush()


def log_written(name: str, *contents: str) -> None:
    """Report on stderr what a command wrote to a file, and how large it is."""
    path = Path(name)
    if name != "-" and path.is_file():
        common.log(f"wrote {name} ({', '.join((*contents, human_bytes(path.stat().st_size)))})")


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add the flags that select where a report is written, and how."""
    formats = parser.add_mutually_exclusive_group()
    for name, what in (
        ("json", "one JSON object per trace, one per line"),
        ("csv", "the rows as comma-separated values, in base units"),
        ("markdown", "the report in Markdown"),
    ):
        formats.add_argument(f"--{name}", action="store_true", help=f"print {what}")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="file to write instead of standard output; its suffix selects the format: "
        ".csv and .parquet have all rows, .json all that --json prints, .md the report in Markdown",
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an existing file")
    parser.set_defaults(usage=parser.error)


def report_format(args: argparse.Namespace) -> str:
    """Return the format of a report: one of FORMATS, or empty for text."""
    flag = next((name for name in ("json", "csv", "markdown") if getattr(args, name)), "")
    suffix = Path(args.output).suffix[1:] if args.output not in (None, "-") else ""
    if args.output not in (None, "-") and not flag and suffix not in FORMATS:
        args.usage(f"-o {args.output}: unknown format; use a file name that ends with .{', .'.join(FORMATS)}")
    return "md" if flag == "markdown" else flag or suffix


class Report:
    """A report that is being written.

    Attributes
    ----------
    text : TextIO or None
        Where the text goes; None if the report consists of documents.
    """

    def __init__(self, format: str, *, file: bool) -> None:
        self.text: TextIO | None = None if format in ("json", "csv", "parquet") else sys.stdout
        if format == "md":
            self.text = Markdown()
        self._format = format
        self._file = file
        self._documents: list[dict[str, Any]] = []

    def open(self, args: argparse.Namespace, path: str, **options: Any) -> gotrace.Trace:
        """Open a trace; an input that cannot be opened has a document, too."""
        try:
            if path in getattr(args, "missing", ()):
                raise args.missing[path]
            return gotrace.open(path, **options)
        except (TraceError, OSError, ImportError) as error:
            self.add_failure(args, path, error)
            raise

    def add_failure(self, args: argparse.Namespace, path: str, error: Exception) -> None:
        """Add the document of an input that gives no result."""
        if self.text is None:
            self.add(document(f"{args.command}/1", path, error=error_json(error)))

    def add(self, document: dict[str, Any]) -> None:
        """Add the document of one trace."""
        if self._format == "json" and not self._file:
            print(json_line(document), flush=True)
        else:
            self._documents.append(document)

    def flush(self) -> None:
        """Write the text so far, so that messages come after it."""
        if self.text:
            self.text.flush()

    def content(self) -> bytes:
        """Return what is written at the end."""
        if isinstance(self.text, Markdown):
            return re.sub(r"\n{3,}", "\n\n", self.text.getvalue().strip("\n") + "\n").encode("utf-8", "replace")
        if self._format == "json":
            return "".join(json_line(document) + "\n" for document in self._documents).encode()
        return _parquet(self._rows()) if self._format == "parquet" else _csv(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        return [{"trace": document["trace"], **row} for document in self._documents for row in document["rows"]]

    @property
    def n_rows(self) -> int:
        """Number of rows in the documents so far."""
        return sum(len(document["rows"]) for document in self._documents)


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["trace"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: json.dumps(cell) if isinstance(cell, list) else cell for name, cell in row.items()})
    return text.getvalue().encode("utf-8", "replace")


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    valid = [json.loads(json_line(row)) for row in rows]  # of text, which pyarrow requires
    pq.write_table(pa.Table.from_pylist(valid), sink)
    return bytes(sink.getvalue())


@contextmanager
def report_output(args: argparse.Namespace) -> Iterator[Report]:
    """Give the report that the block writes; a file appears when the block ends without an exception."""
    format = report_format(args)
    name = args.output or "-"
    check_output(args, name)
    if format == "parquet":
        try:
            library("pyarrow", "-o FILE.parquet")
        except ImportError as error:
            args.usage(str(error))
    report = Report(format, file=name != "-")
    yield report
    if name == "-" and format in ("", "json"):
        return
    with output(name, force=args.force) as file:
        file.write(report.content())
    if not args.quiet:
        log_written(name, *([] if report.text else [human_count(report.n_rows, "row")]))
