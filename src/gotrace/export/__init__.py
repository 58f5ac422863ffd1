"""Tables and profiles written to files, one format a file. Never here: decoding.

A writer of tables takes rows as they come, and never holds more than it is given. Profiles are small and written at
once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from gotrace.dtypes import Rows
from gotrace.export.collapsed import write_collapsed
from gotrace.export.csv import CsvWriter
from gotrace.export.npy import NpyWriter
from gotrace.export.pprof import write_pprof
from gotrace.export.profile import ProfileWriter
from gotrace.export.speedscope import write_speedscope


class Writer(Protocol):
    """Writes rows of one dtype to an open file."""

    n: int
    """Rows written so far."""

    def write(self, rows: Rows) -> None:
        """Write the next rows."""

    def finish(self) -> None:
        """Make the file whole; it stays open."""


class _Format(Protocol):
    def __call__(self, out: BinaryIO, dtype: np.dtype[np.void]) -> Writer: ...


FORMATS: dict[str, _Format] = {"npy": NpyWriter, "csv": CsvWriter}
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
"""Format by the end of a file's name; the first one of a format is what files in folders get."""


def format_of(name: str) -> str:
    """Format of a file by its name, empty if that says nothing."""
    return next((format for suffix, format in SUFFIXES.items() if name.endswith(suffix)), "")


def suffix_of(format: str) -> str:
    """End of a file's name for a format."""
    return next(suffix for suffix, of in SUFFIXES.items() if of == format)


def occupied(path: Path) -> bool:
    """Whether something is at ``path`` that a file written there would replace; devices and pipes just take bytes."""
    return path.is_file() or path.is_dir()


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears at ``path`` when the block ends well, and not at all otherwise.

    A device or a pipe is written to as it stands.
    """
    if path.exists() and not occupied(path):
        with path.open("wb") as out:
            yield out
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as out:
            yield out
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
