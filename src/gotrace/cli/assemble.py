"""The command ``gotrace assemble``: writes the trace that a text describes. Never here: the grammar of the text."""

from __future__ import annotations

import argparse

from gotrace.cli import common
from gotrace.cli.output import check_output, log_written, output
from gotrace.raw import TextError, assemble_stream
from gotrace.spec.versions import VERSIONS


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "assemble",
        help="turn text into a trace",
        description="Write the trace that a text describes, one record per line: the output of gotrace dump --mode "
        "wire, or Go's raw text, which starts with a line such as Trace Go1.26. Numbers take their shortest form.",
    )
    parser.add_argument("text", metavar="TEXT", help="text to read, - for standard input")
    parser.add_argument("-o", "--output", required=True, metavar="TRACE", help="file to write, - for standard output")
    parser.add_argument(
        "--header",
        choices=[version.name for version in VERSIONS.values()],
        help="version of the header, required if the text does not start with it; gotrace info prints that of a trace",
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an existing file")
    parser.set_defaults(run=run, usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Write the trace; nothing is written if the text is invalid."""
    check_output(args, args.output)
    version = args.header and int(args.header.partition(".")[2])
    try:
        with output(args.output, force=args.force) as file:
            for piece in assemble_stream(args.text, version=version):
                file.write(piece)
    except TextError as error:
        detail = error.detail.replace("specify the version", "use --header 1.NN")
        common.log(f"{args.text}: line {error.line}: {detail}")
        return common.UNREADABLE
    except BrokenPipeError:
        raise
    except OSError as error:
        common.log(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
        return common.UNREADABLE
    log_written(args.output)
    return common.OK
