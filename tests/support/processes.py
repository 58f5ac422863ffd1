"""Commands of gotrace in processes of their own. Never here: assertions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from os import PathLike

INTERRUPTIBLE = (  # what a shell starts in the background ignores SIGINT
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from gotrace.cli import main; sys.exit(main(sys.argv[1:]))"
)


def interruptible(arguments: Sequence[str | PathLike[str]]) -> list[str]:
    """Return the command line of a gotrace command that SIGINT interrupts."""
    return [sys.executable, "-c", INTERRUPTIBLE, *map(str, arguments)]
