"""The parsers of all commands: arguments come in, a namespace goes out, or a message that says what is meant.

Never here: the flags of a command.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from gotrace import __version__
from gotrace.units import shell_path

TAKE_A_TRACE = """to take a trace, start the program (for its heap with GODEBUG=traceallocfree=1, Go 1.23 or later):
  tests:   go test -trace app.trace
  server:  curl -o app.trace http://HOST/debug/pprof/trace?seconds=5   (import net/http/pprof)
  program: call trace.Start(file) and trace.Stop()   (import runtime/trace)"""
"""How to get what most commands need."""

_NUMBERS = {"a whole number": "int|count|positive", "a number": "float|_positive"}


class Parser(argparse.ArgumentParser):
    """A parser whose messages point to the names that are probably meant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments; unknown flags are reported before missing arguments."""
        self.given = list(args or ())
        self._check_flags()
        return super().parse_known_args(args, namespace)

    def _check_flags(self) -> None:
        known = [flag for action in self._actions for flag in action.option_strings]
        for arg in self.given:
            flag = arg.partition("=")[0]
            if arg == "--" or (self.prog == "gotrace" and not arg.startswith("-")):
                return  # the flags of commands are checked by their own parsers
            if arg.startswith("--") and " " not in arg and not any(name.startswith(flag) for name in known):
                self.error(f"unknown flag {flag}{did_you_mean(flag, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(map(str, action.choices))
            message = f"invalid choice {value!r}{did_you_mean(str(value), known)} (choose from {', '.join(known)})"
            if action.dest == "command" and Path(str(value)).is_file():
                name = shell_path(str(value))
                message = f"{value!r} is a file, not a command: to see what is in it, run gotrace info {name}"
            raise argparse.ArgumentError(None if action.dest == "command" else action, message)

    def error(self, message: str) -> NoReturn:
        """Print a message, how to take a trace if one is missing, and exit."""
        for kind, numbers in _NUMBERS.items():
            message = re.sub(rf"invalid (?:{numbers}) value: (.*)", rf"\1 is not {kind}", message)
        if message.startswith("the following arguments are required:") and re.search(r"\b(TRACE|OLD)\b", message):
            message += f"\n{TAKE_A_TRACE}"
        if message.startswith(("the following arguments", "argument ", "unknown flag", "unrecognized arguments")):
            message += f"\n{self.prog} --help lists all arguments"
        self.exit(2, f"{self.prog}: {message}\n")

    def all_actions(self) -> Iterator[argparse.Action]:
        """Yield the actions of the parser and of those below it."""
        for action in self._actions:
            yield action
            if isinstance(action, argparse._SubParsersAction):
                for below in action.choices.values():
                    yield from below.all_actions()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question that names the most similar of the known names; empty if none is similar."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def build(names: Iterable[str]) -> Parser:
    """Return the parser of the command line with those of some commands."""
    parser = Parser(
        prog="gotrace",
        description="Decode Go execution traces (Go 1.22 and later).",
        epilog="gotrace help COMMAND shows the flags of a command. "
        "Exit codes: 0 success, 1 a check failed (check, validate, diff --fail-over), 2 wrong usage, 3 a trace "
        "could not be read to its end, 70 internal error, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"gotrace {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in names:
        import_module(f"gotrace.cli.{name}").add_parser(commands)
    return parser


def parse(argv: Sequence[str], names: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of the command line; wrong ones end the program."""
    if not argv:
        build(names).print_help(sys.stderr)
        sys.exit(2)
    if argv[0] == "help":
        argv = [*(name for name in argv[1:2] if name != "help"), "--help"]
    return build(argv[:1] if argv[0] in names else names).parse_args(argv)
