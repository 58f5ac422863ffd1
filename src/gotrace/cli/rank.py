"""The command ``gotrace rank``: prints traces in the order of a metric. Never here: the metrics."""

from __future__ import annotations

import argparse
from typing import Any

from gotrace.analysis.rank import METRICS, Measure, measure
from gotrace.cli import common, many
from gotrace.cli.output import add_formats, report_output
from gotrace.report.common import print_next
from gotrace.report.rank import measure_document, print_rank
from gotrace.trace import Trace


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "rank",
        help="sort traces by a metric",
        description="Print a line for each trace, the largest value of the metric first: the value, the time since the "
        "start of the trace at which it was found, and the trace. Traces without the data come last. Metrics: "
        "inuse_bytes, the heap in use at the end; alloc_rate, bytes allocated per second; stw_max, the longest "
        "stop-the-world pause; sched_p99, the 99th percentile of the time that goroutines take from runnable to "
        "running. The first two need a trace taken with GODEBUG=traceallocfree=1.",
    )
    many.add_traces(parser)
    parser.add_argument("--metric", choices=METRICS, required=True, help="what to sort by")
    common.add_top(parser, 0)
    add_formats(parser)
    common.add_quiet(parser)
    common.add_salvage(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the traces in the order of the metric."""
    many.find_traces(args)
    codes: list[int] = []
    measured: list[tuple[str, Measure, dict[str, Any]]] = []
    failed: list[tuple[str, Exception]] = []

    def keep(name: str, trace: Trace, found: Measure) -> None:
        notes = {"anomalies": trace.anomalies, "warnings": trace.warnings, "losses": trace.losses}
        measured.append((trace.path, found, notes))  # without the trace, whose file is mapped

    with common.exit_code(codes), report_output(args) as report:
        codes += many.run_each(
            *(args, lambda name, trace, progress: measure(trace, args.metric, progress), keep),
            lambda name, error: failed.append((name, error)),
        )
        measured.sort(key=lambda found: (found[1].value is None, -(found[1].value or 0)))
        shown = measured[: args.top or None]
        if report.text is None:
            for name, found, notes in shown:
                report.add(measure_document(name, args.metric, found, notes))
            for name, error in failed:
                report.add_failure(args, name, error)
        elif shown:
            print_rank(report.text, args.metric, [(name, found) for name, found, _ in shown])
            if len(measured) > 1 and shown[0][1].value is not None:
                steps = [("info FILE", "what is in the first one, and what to run next on it")]
                print_next(report.text, [shown[0][0]], steps, salvage=args.errors == "salvage")
    return common.worst(codes)
