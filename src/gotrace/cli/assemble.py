"""The command ``gotrace assemble``. Never here: what the text means."""

from __future__ import annotations

import argparse

from gotrace.cli import common
from gotrace.cli.output import check_output, output
from gotrace.raw import TextError, assemble_stream
from gotrace.spec.versions import VERSIONS


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "assemble",
        help="text turned into a trace",
        description="Write the trace that a text describes, one record a line: what gotrace dump --mode wire prints, "
        "or Go's raw text, which begins with a line such as Trace Go1.26. Numbers take their shortest form.",
    )
    parser.add_argument("text", metavar="TEXT", help="text to read, - for standard input")
    parser.add_argument("-o", "--output", required=True, metavar="TRACE", help="file to write, - for standard output")
    parser.add_argument(
        "--header",
        choices=[version.name for version in VERSIONS.values()],
        help="version in the header, where the text does not begin with it; gotrace info tells that of a trace",
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the file")
    parser.set_defaults(run=run, usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Write the trace; no file is written of a text that is none."""
    check_output(args, args.output)
    version = args.header and int(args.header.partition(".")[2])
    try:
        with output(args.output) as file:
            for piece in assemble_stream(args.text, version=version):
                file.write(piece)
    except TextError as error:
        words = error.detail.replace("say which version it is", "say --header 1.NN")
        common.say(f"{args.text}: line {error.line}: {words}")
        return common.UNREADABLE
    except BrokenPipeError:
        raise
    except OSError as error:
        common.say(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
        return common.UNREADABLE
    return common.OK
