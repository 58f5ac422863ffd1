"""The one file that a command writes, or standard output. Never here: what is in it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from gotrace.cli import common
from gotrace.export import occupied, replacing


def check_output(args: argparse.Namespace, *names: str) -> None:
    """Refuse to overwrite files that are there, unless ``--force`` says so."""
    for name in names:
        if name != "-" and occupied(Path(name)) and not args.force:
            args.usage(f"{Path(name)} exists; --force overwrites it")


@contextmanager
def output(name: str) -> Iterator[BinaryIO]:
    """Open a file that appears when the block ends well, or standard output for ``-``."""
    with nullcontext(common.binary_stdout()) if name == "-" else replacing(Path(name)) as file:
        yield file
        file.flush()
