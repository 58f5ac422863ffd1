"""The command line: arguments come in, text or JSON and an exit code go out; one module per command.

Never here: analysis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from gotrace.cli import common

COMMANDS = (
    *("info", "stats", "heap", "lifetimes", "spans", "diff", "report"),
    *("dump", "export", "validate", "footprint", "assemble", "simulate"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names, ``sys.argv[1:]`` by default, and return its exit code."""
    from gotrace import __version__

    parser = argparse.ArgumentParser(
        prog="gotrace",
        description="Decode Go execution traces (Go 1.22 and later).",
        epilog="exit codes: 0 success, 1 a check failed (validate, diff --fail-over), 2 wrong usage, 3 a trace could "
        "not be read to its end, 70 internal error, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"gotrace {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    argv = sys.argv[1:] if argv is None else argv
    for name in argv[:1] if argv and argv[0] in COMMANDS else COMMANDS:
        import_module(f"gotrace.cli.{name}").add_parser(commands)
    args = parser.parse_args(argv)
    return common.run(args.run, args)
