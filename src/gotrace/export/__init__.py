"""Rows of a table written to a file, one format a file. Never here: decoding.

A writer takes rows as they come, and never holds more than it is given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from gotrace.export.csv import CsvWriter
from gotrace.export.npy import NpyWriter
from gotrace.slabs import Rows


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


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears at ``path`` when the block ends well, and not at all otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as out:
            yield out
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
