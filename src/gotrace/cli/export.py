"""The command ``gotrace export``: writes tables and profiles of traces to files. Never here: decoding, or formats."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import gotrace
from gotrace.analysis.sites import Sites, sites
from gotrace.cli import common
from gotrace.errors import TraceError
from gotrace.export import FORMATS, PROFILES, format_of, occupied, replacing, suffix_of
from gotrace.export.profile import profile_of
from gotrace.tables.catalog import TABLES
from gotrace.tables.table import chunks, narrow
from gotrace.units import parse_size

_STEP = parse_size("32 MB")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "export",
        help="write tables and profiles to files",
        description="Write tables of traces to files, in one pass and with little memory. For one table of one trace, "
        "OUT is a file; otherwise it is a folder, and the files are named STEM.TABLE.FORMAT, where STEM is the name of "
        "the trace without its suffix. The formats pprof, collapsed and speedscope hold a profile instead of a table: "
        "allocations by site, inferred from the CPU samples of the trace, or the heap by type if there are none. Their "
        "names are STEM and the suffix of the format. A file appears only when it is complete; for a damaged trace, it "
        "has all rows before the fault.",
        epilog=f"tables: {', '.join(TABLES)}",
    )
    common.add_traces(parser, many=True)
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
    parser.add_argument("-f", "--force", action="store_true", help="overwrite existing files")
    common.add_quiet(parser)
    common.add_salvage(parser)
    common.add_jobs(parser)
    parser.set_defaults(run=run, usage=parser.error)


def _plan_columns(args: argparse.Namespace) -> dict[str, list[str]]:
    """Return the columns to write of each table, in the order of --table and --columns."""
    tables = list(dict.fromkeys(args.table or ["allocs"]))
    columns = {table: list(TABLES[table].dtype.names or ()) for table in tables}
    if args.columns is None:
        return columns
    for i, column in enumerate(args.columns):
        if not any(column in known for known in columns.values()):
            known = "; ".join(f"{table} has {', '.join(names)}" for table, names in columns.items())
            args.usage(f"no column {column!r}: {known}")
        if column in args.columns[:i]:
            args.usage(f"--columns names {column!r} twice")
    keep = {table: [column for column in args.columns if column in known] for table, known in columns.items()}
    for table in (table for table, names in keep.items() if not names):
        args.usage(f"--columns selects no column of table {table}, which has {', '.join(columns[table])}")
    return keep


def _plan_files(args: argparse.Namespace, tables: list[str]) -> tuple[str, list[dict[str, Path]]]:
    """Return the format, and by trace the file of each table; no files for standard output."""
    out = Path(args.output)
    one = len(args.traces) == len(tables) == 1
    if args.output == "-":
        if not one or args.format not in (None, "csv", *PROFILES):
            args.usage("-o - requires one table of one trace, as csv, or one profile")
        return args.format or "csv", [{}]
    one = one and not out.is_dir() and not args.output.endswith("/")
    format = args.format or (format_of(out.name) if one else "")
    if not format:
        known = ", ".join((*FORMATS, *PROFILES))
        suffix = " or an OUT with the suffix of a format" if one else ""
        args.usage(f"unknown format: use --format with one of {known}{suffix}")
    if one:
        files = [{tables[0]: out}]
        if not out.parent.is_dir():
            args.usage(f"folder {out.parent} does not exist")
    else:
        stems = ["stdin" if trace == "-" else Path(trace).stem for trace in args.traces]
        suffix = suffix_of(format)
        middle = {table: "" if format in PROFILES else f".{table}" for table in tables}
        files = [{table: out / f"{stem}{middle[table]}{suffix}" for table in tables} for stem in stems]
        if out.exists() and not out.is_dir():
            args.usage(f"{out} is a file, but several files are to be written: OUT must be a folder")
        if len(set(stems)) < len(stems):
            args.usage("traces with the same name would write the same files: export them to different folders")
    for path in (path for of_trace in files for path in of_trace.values() if occupied(path)):
        if not path.is_file():
            args.usage(f"{path} is not a file")
        if not args.force:
            args.usage(f"{path} exists; use --force to overwrite it")
    return format, files


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
    if args.table or args.columns:
        args.usage(f"{format} holds a profile, not a table: --table and --columns do not apply")
    codes: list[int] = []
    for path, targets in zip(args.traces, files, strict=True):
        with (
            common.exit_code(codes),
            gotrace.open(path, errors=args.errors, jobs=args.jobs) as trace,
            common.progress(path, quiet=args.quiet) as progress,
        ):
            error: TraceError | None = None
            try:
                result = sites(trace, progress)
            except TraceError as fault:
                error, result = fault, cast(Sites, fault.partial)
            profile = profile_of(result)
            for target in targets.values():
                target.parent.mkdir(parents=True, exist_ok=True)
            with _open(next(iter(targets.values()), None), args) as out:
                PROFILES[format](profile, out)
            if not args.quiet:
                for line in (*trace.warnings, profile.title, *profile.comments):
                    common.log(line)
            common.report_losses(trace, codes)
            if error is not None:
                raise error
    return common.worst(codes)


def run(args: argparse.Namespace) -> int:
    """Write the tables of each trace."""
    keep = _plan_columns(args)
    format, files = _plan_files(args, list(keep))
    if format in PROFILES:
        return _run_profiles(args, format, files)
    if format == "npy":
        _check_text(args, keep)
    codes: list[int] = []
    for path, targets in zip(args.traces, files, strict=True):
        with (
            common.exit_code(codes),
            gotrace.open(path, errors=args.errors, jobs=args.jobs) as trace,
            common.progress(path, quiet=args.quiet) as progress,
            ExitStack() as stack,
        ):
            writers = {}
            for table, columns in keep.items():
                if targets:
                    targets[table].parent.mkdir(parents=True, exist_ok=True)
                out = stack.enter_context(_open(targets.get(table), args))
                writers[table] = FORMATS[format](out, narrow(TABLES[table].dtype, columns))
            error: TraceError | None = None
            try:
                for table, rows in chunks(trace.reader, keep, max(_STEP // len(keep), 1), progress):
                    writers[table].write(rows)
            except TraceError as fault:
                error = fault
            for writer in writers.values():
                writer.finish()
            stack.close()
            if not args.quiet:
                for warning in trace.warnings:
                    common.log(warning)
            common.report_losses(trace, codes)
            if error is not None:
                for table, target in targets.items():
                    common.log(f"{target}: {writers[table].n:,} rows before the fault")
                raise error
    return common.worst(codes)
