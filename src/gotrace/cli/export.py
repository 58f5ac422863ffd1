"""The command ``gotrace export``: writes tables and profiles of traces to files. Never here: decoding, or formats."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from gotrace.analysis.profiles import KINDS, profile
from gotrace.analysis.profiles import Profile as WaitProfile
from gotrace.analysis.stacks import HeapStacks, heap_stacks
from gotrace.cli import common, many
from gotrace.cli.output import log_written
from gotrace.cli.parser import did_you_mean
from gotrace.cli.sched_command import add_time, time_of
from gotrace.columns.fields import extras_of, fields_of
from gotrace.dtypes import narrow
from gotrace.errors import MissingDataError, NoHeapDataError, TraceError
from gotrace.export import COLUMNAR, FORMATS, PROFILES, Writer, format_of, occupied, replacing, suffix_of
from gotrace.export.npy import NpyWriter
from gotrace.export.profile import Profile, profile_of, profile_of_waits
from gotrace.tables.catalog import TABLES
from gotrace.tables.frames import library
from gotrace.tables.instants import QueryError
from gotrace.tables.passes import Progress
from gotrace.tables.stream import Dictionaries, batches, fields_to_read
from gotrace.tables.table import chunks as row_chunks
from gotrace.trace import Trace
from gotrace.units import human_count, parse_size
from gotrace.wire.helper import start_thread
from gotrace.wire.remote import is_url, public_name

if TYPE_CHECKING:
    from concurrent.futures import Future

_STEP = parse_size("32 MB")
_HEAP_TABLES = {"allocs", "objects", "spans", "goroutine_stacks", "lifetimes"}  # empty without alloc/free events


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "export",
        help="write tables and profiles to files",
        description="Write tables of traces to files, in one pass and with little memory. For one table, OUT is a file "
        "or a folder; for several, it is a folder. In a folder there is a file STEM.TABLE.FORMAT for each trace and "
        "table, where STEM is the name of the trace without its suffix; folders below the one that the traces have in "
        "common are kept. One file can hold one table of several traces, unless it is npy; column trace tells them "
        "apart. The formats csv, jsonl, arrow and parquet have names of enums, types and strings, and nulls where "
        "there is no value; npy has numbers. They also have the columns trace and wall, the wall-clock time, unless "
        "--columns is given. arrow and parquet need pyarrow. The formats pprof, collapsed and speedscope hold a "
        "profile instead of a table: what was allocated and what is in use at the end, by site as inferred from the "
        "CPU samples of the trace, or by package and type if there are none; or, with --profile, the time that "
        "goroutines wait. Their names are STEM and the suffix of "
        "the format. A file appears only when it is complete; for a damaged trace, it has all rows before the fault.",
        epilog=f"tables: {', '.join(TABLES)}",
    )
    many.add_traces(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="file or folder to write, - for standard output"
    )
    parser.add_argument(
        "--table",
        action="append",
        choices=TABLES,
        metavar="NAME",
        help="table to write, may be repeated (default: allocs)",
    )
    parser.add_argument(
        "--columns",
        type=lambda text: text.split(","),
        metavar="A,B,...",
        help="columns to write, in this order (default: all)",
    )
    parser.add_argument(
        "--format", choices=(*FORMATS, *PROFILES), help="format (default: by the suffix of OUT); required for a folder"
    )
    parser.add_argument(
        "--profile",
        choices=KINDS,
        metavar="KIND",
        help="write how long goroutines are in a state, by call stack, instead of the heap: "
        + "; ".join(f"{name}, {kind.doc}" for name, kind in KINDS.items()),
    )
    parser.add_argument("--function", metavar="NAME", help="with --profile: only goroutines that start with this")
    parser.add_argument("--region", metavar="NAME", help="with --profile: only the time in regions of this name")
    add_time(parser, "with --profile: only the time")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite existing files")
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run, usage=parser.error)


def _known_columns(table: str, format: str) -> tuple[list[str], list[str]]:
    """Return the columns that a file of a table has by default, and all that it can have."""
    dtype = TABLES[table].dtype
    if format == "npy":
        return list(dtype.names or ()), list(dtype.names or ())
    own, extra = list(fields_of(dtype)), list(extras_of(dtype))
    return [*own, *(name for name in extra if name in ("trace", "wall"))], [*own, *extra]


def _plan_columns(args: argparse.Namespace, tables: list[str], format: str) -> dict[str, list[str]]:
    """Return the columns to write of each table, in the order of --table and --columns."""
    if args.columns is None:
        return {table: _known_columns(table, format)[0] for table in tables}
    columns = {table: _known_columns(table, format)[1] for table in tables}
    for i, column in enumerate(args.columns):
        if not any(column in known for known in columns.values()):
            every = {name for names in columns.values() for name in names}
            known = "; ".join(f"{table} has {', '.join(names)}" for table, names in columns.items())
            args.usage(f"no column {column!r}{did_you_mean(column, every)} ({known})")
        if column in args.columns[:i]:
            args.usage(f"--columns names {column!r} twice")
    keep = {table: [column for column in args.columns if column in known] for table, known in columns.items()}
    for table in (table for table, names in keep.items() if not names):
        args.usage(f"--columns selects no column of table {table}, which has {', '.join(columns[table])}")
    return keep


def _plan_files(args: argparse.Namespace, tables: list[str]) -> tuple[str, list[dict[str, Path]]]:
    """Return the format, and by trace the file of each table; no files for standard output."""
    out = Path(args.output)
    if args.output == "-":
        if not len(args.traces) == len(tables) == 1 or args.format not in (None, "csv", "jsonl", *PROFILES):
            args.usage("-o - requires one table of one trace, as csv or jsonl, or one profile")
        return args.format or "csv", [{}]
    folder = out.is_dir() or args.output.endswith("/")
    format = args.format or ("" if folder else format_of(out.name))
    one = len(tables) == 1 and not folder and (len(args.traces) == 1 or format_of(out.name) in COLUMNAR)
    if not format or (not one and not args.format):
        known = ", ".join((*FORMATS, *PROFILES))
        suffix = " or an OUT with the suffix of a format" if one or len(args.traces) == len(tables) == 1 else ""
        args.usage(f"unknown format: use --format with one of {known}{suffix}")
    if one:
        files = [{tables[0]: out}] * len(args.traces)
        if not out.parent.is_dir():
            args.usage(f"folder {out.parent} does not exist")
    else:
        files = _in_folder(args, tables, suffix_of(format), "" if format in PROFILES else ".")
        if out.exists() and not out.is_dir():
            args.usage(f"{out} is a file, but several files are to be written: OUT must be a folder")
    for path in (path for of_trace in files for path in of_trace.values() if occupied(path)):
        if not path.is_file():
            args.usage(f"{path} is not a file")
        if not args.force:
            args.usage(f"{path} exists; use --force to overwrite it")
    return format, files


def _in_folder(args: argparse.Namespace, tables: list[str], suffix: str, dot: str) -> list[dict[str, Path]]:
    """Return the files of each trace in a folder; without a ``dot``, their names do not have the table."""
    paths = [Path("stdin") if trace == "-" else _uncompressed(_place(trace)) for trace in args.traces]
    folders = [path.parent for path, trace in zip(paths, args.traces, strict=True) if trace != "-"]
    common_folder = os.path.commonpath(folders) if folders else ""
    stems = [path.with_suffix("") if path.name == str(path) else path.relative_to(common_folder).with_suffix("")
             for path in paths]  # fmt: skip
    first: dict[Path, str] = {}
    for stem, trace in zip(stems, args.traces, strict=True):
        if stem in first:
            same = public_name(f"{first[stem]} and {trace}")
            args.usage(f"{same} would write the same file: export them to different folders")
        first[stem] = trace
    return [
        {table: Path(args.output) / stem.with_name(f"{stem.name}{dot and dot + table}{suffix}") for table in tables}
        for stem in stems
    ]


def _place(trace: str) -> Path:
    """Return the absolute path of a trace, for a URL that of host and path."""
    return Path("/", re.split(r"::|[?#]", trace)[0].partition("://")[2]) if is_url(trace) else Path(trace).absolute()


def _uncompressed(path: Path) -> Path:
    """Return a path without the suffix of a compressed format."""
    return path.with_suffix("") if path.suffix in (".gz", ".zst", ".xz") else path


def _open(target: Path | None, args: argparse.Namespace) -> AbstractContextManager[BinaryIO]:
    """Return the file to write, standard output if there is none."""
    return nullcontext(common.binary_stdout()) if target is None else replacing(target, overwrite=args.force)


def _check_text(args: argparse.Namespace, keep: dict[str, list[str]]) -> None:
    """Exit with a usage error if a table has text: npy would pickle it, and pickled rows cannot be mapped."""
    for table, names in keep.items():
        plain = [name for name in names if not TABLES[table].dtype[name].hasobject]
        if len(plain) < len(names):
            rest = f" or --columns {','.join(plain)}" if plain else ""
            args.usage(f"npy cannot hold text, which table {table} has: use --format csv{rest}")


def _run_profiles(args: argparse.Namespace, format: str, files: list[dict[str, Path]]) -> int:
    """Write the profile of each trace."""
    if not args.profile and (args.function or args.region or args.time):
        args.usage("--function, --region and --time select a part of a profile of waits: add --profile")
    if args.table or args.columns:
        args.usage(f"{format} holds a profile, not a table: --table and --columns do not apply")
    targets = dict(zip(args.traces, files, strict=True))

    def write(name: str, trace: Trace, progress: Progress | None) -> tuple[Profile, TraceError | None]:
        made, error = _waits(args, trace, progress) if args.profile else _heap(trace, progress)
        for target in targets[name].values():
            target.parent.mkdir(parents=True, exist_ok=True)
        with _open(next(iter(targets[name].values()), None), args) as out:
            PROFILES[format](made, out)
        return made, error

    def show(name: str, trace: Trace, written: tuple[Profile, TraceError | None]) -> TraceError | None:
        profile, error = written
        if not args.quiet:
            for target in targets[name].values():
                log_written(str(target))
            common.log_warnings([profile.title, *profile.comments])
        return error

    def fail(name: str, error: Exception) -> None:
        if isinstance(error, QueryError):
            args.usage(f"{public_name(name)}: {error}")

    return common.worst(many.run_each(args, write, show, fail))


def _heap(trace: Trace, progress: Progress | None) -> tuple[Profile, TraceError | None]:
    error: TraceError | None = None
    try:
        result = heap_stacks(trace, progress)
    except TraceError as fault:
        error, result = fault, cast(HeapStacks, fault.partial)
    if error is None and not result.seen:
        raise NoHeapDataError(trace.path, lost=bool(trace.losses))
    return profile_of(result), error


def _waits(args: argparse.Namespace, trace: Trace, progress: Progress | None) -> tuple[Profile, TraceError | None]:
    time = time_of(args, trace)
    error: TraceError | None = None
    try:
        result = profile(trace, args.profile, function=args.function, region=args.region, time=time, progress=progress)
    except TraceError as fault:
        error, result = fault, cast(WaitProfile, fault.partial)
    if error is None and not result.seen:
        what = f"goroutines that start with {args.function}" if args.function else ""
        what += f"{' in ' * bool(what)}regions of the name {args.region}" if args.region else ""
        what += " in this range of time" if args.time else ""
        advice = "gotrace goroutines and gotrace regions list all names"
        raise MissingDataError(trace.path, what, advice, lost=bool(trace.losses))
    return profile_of_waits(result), error


class _Files:
    """The files that are being written; they appear when ``close`` is called, unless a part could not be written."""

    def __init__(self, args: argparse.Namespace, format: str, keep: dict[str, list[str]]) -> None:
        self._args = args
        self._format = format
        self._keep = keep
        self._opened = ExitStack()
        self._broken: OSError | None = None
        self.writers: dict[str, Writer[Any]] = {}

    def open(self, targets: dict[str, Path]) -> None:
        """Open the file of each table, unless it is open."""
        for table, columns in self._keep.items():
            if table in self.writers:
                continue
            if targets:
                targets[table].parent.mkdir(parents=True, exist_ok=True)
            out = self._opened.enter_context(_open(targets.get(table), self._args))
            if self._format == "npy":
                self.writers[table] = NpyWriter(out, narrow(TABLES[table].dtype, columns))
            else:
                self.writers[table] = COLUMNAR[self._format](out, fields_to_read(table, columns))

    @contextmanager
    def part(self) -> Iterator[_Files]:
        """Write the rows of one of several traces in the block."""
        if self._broken is not None:
            raise self._broken
        try:
            yield self
        except OSError as error:
            self._broken = error
            raise

    def close(self) -> None:
        """Complete all files."""
        if self._broken is not None:
            return
        for writer in self.writers.values():
            writer.finish()
        self._opened.close()

    def __enter__(self) -> _Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        error = error or self._broken
        self._opened.__exit__(type(error) if error else None, error, where)  # with an error, files are removed


def _write(trace: Trace, files: _Files, chunks: Iterator[tuple[str, Any]]) -> TraceError | None:
    """Write chunks as they come, in a second thread while the next one is decoded. Return the fault, if any."""
    with start_thread(trace.reader.jobs) as thread:
        writing: Future[None] | None = None
        try:
            for table, chunk in chunks:
                if writing is not None:
                    writing.result()
                if thread is None:
                    files.writers[table].write(chunk)
                else:
                    writing = thread.submit(files.writers[table].write, chunk)
            error = None
        except TraceError as fault:
            error = fault
        if writing is not None:
            writing.result()
    return error


def _log_files(args: argparse.Namespace, targets: dict[str, Path], n_rows: dict[str, int]) -> None:
    """Report the files that were written."""
    for table, target in targets.items() if not args.quiet else ():
        log_written(str(target), human_count(n_rows[table], "row"))


def run(args: argparse.Namespace) -> int:
    """Write the tables of each trace."""
    many.find_traces(args)
    tables = list(dict.fromkeys(args.table or ["allocs"]))
    format, files = _plan_files(args, tables)
    if args.profile and format not in PROFILES:
        args.usage(f"--profile needs one of the formats {', '.join(PROFILES)}")
    if format in PROFILES:
        return _run_profiles(args, format, files)
    keep = _plan_columns(args, tables, format)
    if format == "npy":
        _check_text(args, keep)
    elif COLUMNAR[format].needs:
        try:
            library(COLUMNAR[format].needs, "export")
        except ImportError as error:
            args.usage(str(error))
    together = len(files) > 1 and files[0] == files[1]
    targets = dict(zip(args.traces, files, strict=True))
    dictionaries = Dictionaries()
    shared = _Files(args, format, keep)

    def write(name: str, trace: Trace, progress: Progress | None) -> tuple[dict[str, int], TraceError | None]:
        with shared.part() if together else _Files(args, format, keep) as written:
            written.open(targets[name])
            before = {table: writer.n for table, writer in written.writers.items()}
            chunks: Iterator[tuple[str, Any]]
            if format == "npy":
                chunks = row_chunks(trace.reader, keep, max(_STEP // len(keep), 1), progress)
            else:
                fields = {table: fields_to_read(table, columns) for table, columns in keep.items()}
                lengths = dict.fromkeys(keep, COLUMNAR[format].rows)
                values = dictionaries if together else Dictionaries()
                chunks = batches(trace.reader, fields, lengths, values, progress)
            fault = _write(trace, written, chunks)
            n_rows = {table: writer.n - before[table] for table, writer in written.writers.items()}
            if not together:
                written.close()
        return n_rows, fault

    def show(name: str, trace: Trace, written: tuple[dict[str, int], TraceError | None]) -> Exception | None:
        n_rows, fault = written
        if not together:
            _log_files(args, targets[name], n_rows)
        if fault is not None:
            for table, target in targets[name].items():
                common.log(f"{target}: {human_count(n_rows[table], 'row')} before the fault")
        elif n_rows.get("allocs") == 0 and set(n_rows) <= _HEAP_TABLES:
            return NoHeapDataError(trace.path, lost=bool(trace.losses))
        return fault

    with shared:
        codes = many.run_each(args, write, show, in_turn=together)
        n_rows = {table: writer.n for table, writer in shared.writers.items()}
        shared.close()
    _log_files(args, files[0] if together and n_rows else {}, n_rows)
    return common.worst(codes)
