"""The command ``gotrace simulate``: writes the trace of a simulated program, and what it did.

Never here: the simulation.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from gotrace.cli import common
from gotrace.cli.output import check_output, log_written, output
from gotrace.export import replacing
from gotrace.simulation import ANOMALIES, SHAPES, Truth, simulate
from gotrace.units import human_bytes, human_count

_SUFFIXES = (".npz", ".json")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "simulate",
        help="write the trace of a simulated program",
        description="Write the trace of a simulated Go program, and report what the program did. The same flags always "
        "write the same bytes.",
    )
    parser.add_argument("-o", "--output", required=True, metavar="TRACE", help="file to write, - for standard output")
    parser.add_argument("--shape", choices=list(SHAPES), default="plain", help="what the program does (default: plain)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="random seed (default: 0)")
    parser.add_argument("--events", type=int, metavar="N", help="events to write (default: 100000)")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of the trace, instead of --events")
    parser.add_argument("--release", default="1.26", metavar="1.NN", help="Go release to simulate (default: 1.26)")
    parser.add_argument("--procs", type=int, metavar="N", help="GOMAXPROCS (default: by shape)")
    parser.add_argument(
        "--layout", choices=["current", "original"], default="current", help="layout of alloc/free batches"
    )
    parser.add_argument(
        "--anomaly",
        action="append",
        choices=list(ANOMALIES),
        default=[],
        metavar="NAME",
        help=f"anomaly to simulate, may be repeated: {', '.join(ANOMALIES)}",
    )
    parser.add_argument(
        "--generation", type=float, default=1.0, metavar="S", help="length of a generation in seconds (default: 1)"
    )
    parser.add_argument(
        "--warmup", type=int, default=10_000, metavar="N", help="events before the trace starts (default: 10000)"
    )
    parser.add_argument(
        "--session", type=int, default=1, metavar="N", help="number of the tracing session in the process (default: 1)"
    )
    parser.add_argument("--joined", action="store_true", help="join a running session: no info batch, no snapshot")
    parser.add_argument("--plain", action="store_true", help="omit alloc/free events")
    parser.add_argument("--truth", metavar="FILE", help="write what the program did to an .npz or .json file")
    parser.add_argument("--json", action="store_true", help="print what the program did as JSON")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite existing files")
    parser.set_defaults(run=run, usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Write the trace; files appear only when they are complete."""
    if args.output == "-" and args.json:
        args.usage("standard output can hold the trace or JSON, not both: write the trace to a file")
    if args.truth and not args.truth.endswith(_SUFFIXES):
        args.usage(f"{args.truth}: --truth requires an .npz or .json file")
    check_output(args, args.output, *filter(None, [args.truth]))
    try:
        with output(args.output, force=args.force) as file:
            truth = simulate(
                file,
                args.shape,
                events=args.events,
                seconds=args.seconds,
                warmup=args.warmup,
                session=args.session,
                joined=args.joined,
                allocfree=not args.plain,
                seed=args.seed,
                version=args.release,
                procs=args.procs,
                layout=args.layout,
                generation=args.generation,
                anomalies=args.anomaly,
            )
        if args.truth:
            _write_truth(truth, Path(args.truth), force=args.force)
    except ValueError as error:
        args.usage(str(error).replace("version=", "--release "))
    except BrokenPipeError:
        raise
    except OSError as error:
        common.log(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
        return common.UNREADABLE
    for name in filter(None, (args.output, args.truth)):
        log_written(name)
    summary = truth.asdict()
    if args.json:
        print(json.dumps({"schema": "simulate/1", "trace": args.output, **summary}))
    else:
        nouns = {"events": "event", "generations": "generation", "cycles": "GC cycle"}
        counts = [human_count(summary[name], noun) for name, noun in nouns.items()]
        live = human_count(summary["inuse_objects"], "object")
        common.log(f"{', '.join(counts)}; {live} live at the end, {human_bytes(summary['inuse_bytes'])}")
    return common.OK


def _write_truth(truth: Truth, path: Path, *, force: bool) -> None:
    with replacing(path, overwrite=force) as file:
        if path.suffix == ".npz":
            arrays: dict[str, Any] = truth.arrays()
            np.savez_compressed(file, **arrays)
        else:
            file.write(json.dumps({"schema": "simulate/1", **truth.asdict()}).encode() + b"\n")
