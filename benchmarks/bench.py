"""Times gotrace beside Go's own reader on the same files, in one run: median, spread, events a second, the ratio.

Everything is warm but what says cold: the first of each series is not counted. The table goes to RESULTS.md as it is.
Never here: assertions; no test measures time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import numpy as np
import reference

import gotrace
from gotrace.raw import Writer


def build_walk() -> Path:
    """Build the program that walks a trace with Go's own reader."""
    return reference.inside(Path(__file__).parent / "reference" / "walk.go")


def walk(program: Path, trace: Path, mode: str, runs: int) -> list[float]:
    """Seconds of each walk but the first."""
    command = [program, trace, mode, str(runs + 1)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(line.split()[2]) for line in said.splitlines()][1:]


def timed(task: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run but the first."""
    return [once(task) for _ in range(runs + 1)][1:]


def once(task: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def process(command: Sequence[str | Path], runs: int) -> list[float]:
    """Seconds that a whole process takes, its start included; modules are compiled, as pip leaves them."""
    return timed(lambda: run(command), runs)


def run(command: Sequence[str | Path]) -> None:
    """Run a process, without what it says."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)


def cold(command: Sequence[str | Path], trace: Path, runs: int) -> list[float]:
    """Seconds that a whole process takes when the system let go of the trace's bytes."""
    seconds = []
    for _ in range(runs):
        with trace.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        seconds.append(once(lambda: run(command)))
    return seconds


IMPORT = """
import time, numpy
start = time.perf_counter()
import gotrace
print(time.perf_counter() - start)
"""


def importing(runs: int) -> str:
    """Say how long ``import gotrace`` takes after ``import numpy``, in a process of its own each time."""
    command = [sys.executable, "-c", IMPORT]
    run(command)
    seconds = [float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(runs)]
    low, high = min(seconds) * 1e3, max(seconds) * 1e3
    return f"`import gotrace` after numpy: {statistics.median(seconds) * 1e3:.1f} ms ({low:.1f} to {high:.1f})\n"


PEAK = """
import os, sys
from gotrace.cli import main
said = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
main(sys.argv[1:])
sys.stdout.flush()
os.write(said, open("/proc/self/status").read().split("VmHWM:")[1].split()[0].encode())
"""


def peak(*args: str | Path) -> float:
    """Most memory in MB (10**6 bytes) that a command of gotrace holds, mapped files included."""
    said = subprocess.run([sys.executable, "-c", PEAK, *args], check=True, capture_output=True, text=True).stdout
    return int(said) * 1024 / 1e6


def encoding(trace: gotrace.Trace, runs: int) -> dict[str, list[float]]:
    """Encode the experimental events of a trace anew, as if one thread had written them all."""
    rows = trace.experimental.to_numpy()
    if not len(rows):
        return {}
    times = np.maximum.accumulate(rows["time"]).astype(np.uint64)
    types, args = rows["type"].copy(), rows["args"].copy()
    seconds = timed(lambda: Writer(26).events(1, 1, types, times, args), runs)
    return {f"{len(rows):,} experimental events encoded": seconds}


READS: dict[str, Callable[[gotrace.Trace], object]] = {
    "alloc/free rows": lambda trace: sum(map(len, trace.iterate("allocs"))),
    "alloc/free rows in 1 MB chunks": lambda trace: sum(map(len, trace.iterate("allocs", step_size="1 MB"))),
    "heap by type": lambda trace: trace.heap(),
    "events in order": lambda trace: sum(map(len, trace.iterate("events"))),
    "events in order in 1 MB chunks": lambda trace: sum(map(len, trace.iterate("events", step_size="1 MB"))),
}


def reading(path: Path, runs: int) -> dict[str, list[float]]:
    """What is made of all events, by one thread and by two."""
    with gotrace.open(path) as one, gotrace.open(path, jobs=2) as two:
        return {
            what + also: timed(partial(read, trace), runs)
            for what, read in READS.items()
            for trace, also in ((one, ""), (two, ", two threads"))
        }


def measure(path: Path, program: Path, tool: Path | None, runs: int) -> dict[str, Any]:
    """Everything about one trace; its text only with Go's tool to compare with."""
    gotrace_command = Path(sys.executable).with_name("gotrace")
    with gotrace.open(path) as trace:
        generations = trace.generations.to_numpy()
        tasks = {
            "Go's reader, bare": walk(program, path, "bare", runs),
            "Go's reader, alloc/free rows": walk(program, path, "rows", runs),
            "decode and count": timed(lambda: trace.generations.to_numpy(), runs),
            **reading(path, runs),
            **encoding(trace, runs),
            "gotrace heap, whole process": process([gotrace_command, "heap", path], runs),
            "gotrace stats, whole process": process([gotrace_command, "stats", path], runs),
            "gotrace report, whole process": process(
                [gotrace_command, "report", path, "-q", "-f", "-o", os.devnull], runs
            ),
            "gotrace heap, whole process, cold": cold([gotrace_command, "heap", path], path, runs),
            "Go's reader, bare, whole process, cold": cold([program, path, "bare", "1"], path, runs),
        }
        if tool is not None:
            wire = [gotrace_command, "dump", "--mode", "wire", path]
            tasks["gotrace dump --mode wire, whole process"] = process(wire, runs)
            tasks["go tool trace -d=wire"] = process([tool, "-d=wire", path], 1)
            tasks["gotrace dump, whole process"] = process([gotrace_command, "dump", path], runs)
            tasks["go tool trace -d=parsed"] = process([tool, "-d=parsed", path], 1)
    events = int(generations["events"].sum())
    bare = statistics.median(tasks["Go's reader, bare"])
    return {
        "trace": path.name,
        "events": events,
        "bytes": path.stat().st_size,
        "generations": len(generations),
        "peak_mb": {command: peak(command, path) for command in ("heap", "info")},
        "rows": [
            {
                "what": what,
                "median_s": statistics.median(seconds),
                "min_s": min(seconds),
                "max_s": max(seconds),
                "events_per_s": events / statistics.median(seconds),
                "bytes_per_s": path.stat().st_size / statistics.median(seconds),
                "times_go_bare": bare / statistics.median(seconds),
            }
            for what, seconds in tasks.items()
        ],
    }


def table(result: dict[str, Any]) -> str:
    """Write a result as a table of Markdown."""
    lines = [
        f"**{result['trace']}**: {result['events']:,} events, {result['bytes']:,} bytes, "
        f"{result['generations']:,} generations; peak memory of "
        + ", ".join(f"`gotrace {command}` {size:.0f} MB" for command, size in result["peak_mb"].items()),
        "",
        "| what | median | spread | M events/s | MB/s | times Go's bare reader |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['what']} | {row['median_s']:.3f} s | {row['min_s']:.3f} to {row['max_s']:.3f} "
        f"| {row['events_per_s'] / 1e6:.1f} | {row['bytes_per_s'] / 1e6:.0f} | {row['times_go_bare']:.2f} |"
        for row in result["rows"]
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, nargs="+")
    parser.add_argument("-n", "--runs", type=int, default=5)
    parser.add_argument(
        "--no-text", action="store_true", help="without the text, which takes Go minutes on large files"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each trace, one a line")
    args = parser.parse_args()
    program = build_walk()
    tool = None if args.no_text else reference.trace_tool()
    if not args.json:
        print(importing(3 * args.runs), flush=True)
    for path in args.trace:
        result = measure(path, program, tool, args.runs)
        print(json.dumps(result) if args.json else table(result), flush=True)


if __name__ == "__main__":
    main()
