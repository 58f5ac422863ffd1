"""File formats: rows, batches or a profile come in, bytes go out to a file; one module per format, or two alike.

Table writers buffer no rows; a profile is small and written at once. Never here: decoding.
"""

from __future__ import annotations

import atexit
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from gotrace.columns.batch import Batch
from gotrace.columns.fields import Field
from gotrace.dtypes import Rows
from gotrace.export.arrow import ArrowWriter, ParquetWriter
from gotrace.export.collapsed import write_collapsed
from gotrace.export.lines import CsvWriter, JsonlWriter
from gotrace.export.pprof import write_pprof
from gotrace.export.profile import ProfileWriter
from gotrace.export.speedscope import write_speedscope

Chunk = TypeVar("Chunk", Rows, Batch, contravariant=True)


class Writer(Protocol[Chunk]):
    """Writes chunks of rows of one table to an open file."""

    n: int
    """Rows written so far."""

    def write(self, chunk: Chunk, /) -> None:
        """Write the next rows."""

    def finish(self) -> None:
        """Complete the file; it stays open."""


class _Columnar(Protocol):
    rows: int
    """Rows of a batch."""
    needs: str
    """Library that it needs; empty for none."""

    def __call__(self, out: BinaryIO, fields: list[Field]) -> Writer[Batch]: ...


COLUMNAR: dict[str, _Columnar] = {
    "csv": CsvWriter,
    "jsonl": JsonlWriter,
    "parquet": ParquetWriter,
    "arrow": ArrowWriter,
}
"""Formats of batches."""

FORMATS = ("npy", *COLUMNAR)
"""Formats of tables; npy is the one of rows."""

PROFILES: dict[str, ProfileWriter] = {
    "pprof": write_pprof,
    "collapsed": write_collapsed,
    "speedscope": write_speedscope,
}
SUFFIXES = {
    **{f".{name}": name for name in FORMATS},
    ".pb.gz": "pprof",
    ".collapsed": "collapsed",
    ".folded": "collapsed",
    ".speedscope.json": "speedscope",
}
"""Format by file name suffix; files in folders get the first suffix of their format."""


def format_of(name: str) -> str:
    """Return the format of a file by the suffix of its name, empty if there is none."""
    return next((format for suffix, format in SUFFIXES.items() if name.endswith(suffix)), "")


def suffix_of(format: str) -> str:
    """Return the file name suffix of a format."""
    return next(suffix for suffix, name in SUFFIXES.items() if name == format)


def occupied(path: Path) -> bool:
    """Return True if writing to ``path`` would replace a file or folder; devices and pipes are not replaced."""
    return path.is_file() or path.is_dir()


@contextmanager
def replacing(path: Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file that is moved to ``path`` if the block succeeds, and removed otherwise.

    The file keeps the mode of the one that it replaces. A device or a pipe is written to directly.

    Raises
    ------
    FileExistsError
        ``path`` exists after the block and must not be overwritten.
    OSError
        The file cannot be written; the error names ``path``.
    """
    if path.exists() and not occupied(path):
        with _named(path), path.open("wb") as out:
            yield out
        return
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    temporary = Path(name)
    _unfinished.add(temporary)
    try:
        with _named(path, name):
            with os.fdopen(number, "wb") as out:
                yield out
                out.flush()
                os.fchmod(out.fileno(), path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
            if overwrite:
                temporary.replace(path)
            else:
                _move_to_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        _unfinished.discard(temporary)


_unfinished: set[Path] = set()


@atexit.register
def _remove_unfinished() -> None:
    """Remove the files of threads that have not ended: they may wait for input."""
    for path in list(_unfinished):
        path.unlink(missing_ok=True)


@contextmanager
def _named(path: Path, *others: str) -> Iterator[None]:
    """Let an OSError of the block without a file name, or with one of the others, have the name of ``path``."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, *others):
            error.filename = str(path)
        raise


def _move_to_new(temporary: Path, path: Path) -> None:
    """Move a file to a path that does not exist, not even by now."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.replace(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
