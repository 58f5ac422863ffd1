"""The command line: arguments come in, text or JSON and an exit code go out; one module per command.

Never here: analysis.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

COMMANDS = (
    *("info", "stats", "heap", "lifetimes", "spans", "diff", "check", "report"),
    *("goroutines", "sched", "block", "net", "syscalls", "gc", "mmu", "tasks", "regions", "critical", "procs"),
    *("rank", "find", "sql"),
    *("record", "dump", "export", "validate", "footprint", "assemble", "simulate"),
    "completion",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names, ``sys.argv[1:]`` by default, and return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv == ["--version"]:  # before the imports, which take longer
        from gotrace import __version__

        print(f"gotrace {__version__}")
        return 0
    try:
        from gotrace.cli import common
        from gotrace.cli.parser import parse

        args = parse(argv, COMMANDS)
        return common.run(args.run, args)
    except KeyboardInterrupt:  # during an import, too
        return 130
