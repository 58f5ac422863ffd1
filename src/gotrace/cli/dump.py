"""The command ``gotrace dump``. Never here: analysis."""

from __future__ import annotations

import argparse

import gotrace
from gotrace.cli import common


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "dump",
        help="Go's text of a trace",
        description="Write the text that go tool trace -d=parsed or -d=wire prints: every event in the order in which "
        "it happened, or every record of the file.",
    )
    common.add_traces(parser, many=False)
    parser.add_argument("--mode", choices=("parsed", "wire"), default="parsed", help="which text (default: parsed)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the text of the trace."""
    codes: list[int] = []
    out = common.binary_stdout()
    with common.exit_code(codes), gotrace.open(args.trace) as trace:
        try:
            for text in trace._wire() if args.mode == "wire" else trace._parsed():
                out.write(text)
        finally:
            out.flush()
    return common.worst(codes)
