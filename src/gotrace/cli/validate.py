"""The command ``gotrace validate``: prints whether traces are complete and in order. Never here: the checks."""

from __future__ import annotations

import argparse

from gotrace.analysis.validate import validate
from gotrace.cli import common
from gotrace.cli.output import add_formats, report_output
from gotrace.report.validate import print_verdict, verdict_document


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
    add_formats(parser)
    common.add_quiet(parser)
    common.add_jobs(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the verdict on each trace."""
    codes: list[int] = []
    with common.exit_code(codes), report_output(args) as report:
        for path in args.traces:
            with common.exit_code(codes), report.open(args, path, jobs=args.jobs) as trace:
                with common.progress(path, quiet=args.quiet) as progress:
                    verdict = validate(trace, progress)
                valid = verdict.error is None and not (args.strict and trace.warnings)
                if report.text is None:
                    report.add(verdict_document(path, verdict, trace.warnings, valid=valid))
                else:
                    print_verdict(report.text, path, verdict, trace.warnings, valid=valid)
                report.flush()
                if not (args.quiet or args.json):
                    common.log_warnings(trace.warnings)
                if not valid:
                    codes.append(common.NO)
    return common.worst(codes)
