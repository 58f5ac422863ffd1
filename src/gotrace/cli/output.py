"""The output file of a command, or standard output. Never here: what is written to it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from gotrace.cli import common
from gotrace.export import occupied, replacing


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
