"""The command ``gotrace validate``: prints whether traces are complete and in order. Never here: the checks."""

from __future__ import annotations

import argparse

from gotrace.analysis.validate import Verdict
from gotrace.cli import common, many
from gotrace.cli.output import add_formats, report_output
from gotrace.report.validate import print_verdict, verdict_document
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "validate",
        help="check that traces are complete and in order",
        description="Read everything in each trace, order its events as Go's reader does, and print a line with the "
        "verdict. The exit code is 1 if a trace is broken, 3 if an input is not a trace that gotrace supports.",
    )
    many.add_traces(parser)
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    add_formats(parser)
    common.add_quiet(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the verdict on each trace."""
    many.find_traces(args)
    codes: list[int] = []
    with common.exit_code(codes), report_output(args) as report:

        def show(name: str, trace: Trace, verdict: Verdict) -> None:
            valid = verdict.error is None and not (args.strict and trace.warnings)
            if report.text is None:
                report.add(verdict_document(name, verdict, trace.warnings, valid=valid))
            else:
                print_verdict(report.text, name, verdict, trace.warnings, valid=valid)
            if not valid:
                codes.append(common.NO)

        codes += many.run_each(
            *(args, lambda name, trace, progress: trace.validate(progress), show),
            lambda name, error: report.add_failure(args, name, error),
        )
    return common.worst(codes)
