"""The command line: one command a file. Never here: analysis."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from gotrace.cli import common

COMMANDS = (
    *("info", "stats", "heap", "lifetimes", "spans", "diff", "report"),
    *("dump", "export", "validate", "assemble", "simulate"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    from gotrace import __version__

    parser = argparse.ArgumentParser(
        prog="gotrace",
        description="Decode Go execution traces (Go 1.22 and later).",
        epilog="exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 a trace could not be read to its end, "
        "70 a bug",
    )
    parser.add_argument("--version", action="version", version=f"gotrace {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    argv = sys.argv[1:] if argv is None else argv
    for name in argv[:1] if argv and argv[0] in COMMANDS else COMMANDS:
        import_module(f"gotrace.cli.{name}").add_parser(commands)
    args = parser.parse_args(argv)
    return common.run(args.run, args)
