"""The command ``gotrace validate``: prints whether traces are complete and in order. Never here: the checks."""

from __future__ import annotations

import argparse
import sys

from gotrace.analysis.validate import validate
from gotrace.cli import common
from gotrace.report.validate import print_verdict, print_verdict_json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "validate",
        help="check that traces are complete and in order",
        description="Read everything in each trace, order its events as Go's reader does, and print a line with the "
        "verdict. The exit code is 1 if a trace is broken, 3 if an input is not a trace that gotrace supports.",
    )
    common.add_traces(parser, many=True)
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    common.add_json(parser)
    common.add_quiet(parser)
    common.add_jobs(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the verdict on each trace."""
    codes: list[int] = []
    for path in args.traces:
        with (
            common.exit_code(codes),
            common.open_trace(args, path, jobs=args.jobs) as trace,
            common.progress(path, quiet=args.quiet) as progress,
        ):
            verdict = validate(trace, progress)
            valid = verdict.error is None and not (args.strict and trace.warnings)
            write = print_verdict_json if args.json else print_verdict
            write(sys.stdout, path, verdict, trace.warnings, valid=valid)
            if not (args.quiet or args.json):
                for warning in trace.warnings:
                    common.log(warning)
            sys.stdout.flush()
            if not valid:
                codes.append(common.NO)
    return common.worst(codes)
