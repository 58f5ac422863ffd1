"""The command ``gotrace completion``: prints completions for a shell, or the man page. Never here: flags."""

from __future__ import annotations

import argparse
import re
from importlib import import_module
from typing import Any

from gotrace.cli import COMMANDS, common
from gotrace.cli.parser import build

SHELLS = ("bash", "zsh", "fish")

_FILES = ("trace", "traces", "old", "new", "text", "output", "truth")
"""Arguments that name files."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "completion",
        help="print completions for a shell, or the man page",
        description="Print a script that completes commands and flags in a shell, or the man page. They need shtab and "
        "argparse-manpage, which the extra cli installs.",
        epilog='bash: eval "$(gotrace completion bash)" in ~/.bashrc; zsh: gotrace completion zsh > a folder of '
        "$fpath/_gotrace; fish: gotrace completion fish > ~/.config/fish/completions/gotrace.fish; "
        "gotrace completion man > gotrace.1, then man ./gotrace.1",
    )
    parser.add_argument("what", choices=(*SHELLS, "man"), metavar="SHELL", help=f"{', '.join(SHELLS)}, or man")
    parser.set_defaults(run=run, usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Print the script or the page."""
    parser = build(COMMANDS)
    module = "argparse_manpage.manpage" if args.what == "man" else "shtab"
    try:
        library: Any = import_module(module)
    except ModuleNotFoundError:
        package = module.partition(".")[0].replace("_", "-")
        args.usage(f'{args.what} needs {package}: pip install "gotrace[cli]"')
    if args.what == "man":
        data = {"description": "decode Go execution traces", "manual_title": "User Commands"}
        page = str(library.Manpage(parser, data))
        text = re.sub(r"^usage: (?:.+\n)+", r".nf\n\g<0>.fi\n", page, flags=re.MULTILINE)  # lines as they are
    else:
        for action in parser.all_actions():
            if action.dest in _FILES:
                action.complete = library.FILE  # type: ignore[attr-defined]
        text = library.complete(parser, shell=args.what)
    print(text.rstrip("\n"))
    return common.OK
