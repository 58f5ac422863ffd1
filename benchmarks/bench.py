"""Time gotrace and Go's own reader on the same files: median, spread, events per second, ratio.

All tasks take turns, round by round, and a ratio is the median of the rounds' ratios, since other load on the machine
varies. Everything is warm unless named cold: of two consecutive runs the second one counts (whole processes run once),
and the first round is discarded. The table goes to RESULTS.md unchanged. Never here: assertions; no test measures time.
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
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import numpy as np
from support import reference

import gotrace
from gotrace.raw import Writer


def build_walk() -> Path:
    """Build the program that walks a trace with Go's own reader."""
    return reference.inside(Path(__file__).parent / "reference" / "walk.go")


Task = Callable[[], float]  # runs once and returns the seconds it took


def walk(program: Path, trace: Path, mode: str) -> float:
    """Seconds of a walk by Go's reader, the second one of its process."""
    output = subprocess.run([program, trace, mode, "2"], check=True, capture_output=True, text=True).stdout
    return float(output.splitlines()[1].split()[2])


def once(task: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def second(task: Callable[[], object]) -> float:
    """Seconds of the second of two runs."""
    task()
    return once(task)


def run(command: Sequence[str | Path]) -> None:
    """Run a process and discard its output; byte code is cached, as after pip."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)


def process(command: Sequence[str | Path]) -> Task:
    """Time a whole process, its start included."""
    return partial(once, partial(run, command))


def cold(command: Sequence[str | Path], trace: Path) -> Task:
    """Time a whole process after the system has dropped the trace from its page cache."""

    def task() -> float:
        with trace.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return once(lambda: run(command))

    return task


IMPORT = """
import time, numpy
start = time.perf_counter()
import gotrace
print(time.perf_counter() - start)
"""


def importing(runs: int) -> str:
    """Time ``import gotrace`` after ``import numpy``, in a new process each time."""
    command = [sys.executable, "-c", IMPORT]
    run(command)
    seconds = [float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(runs)]
    low, high = min(seconds) * 1e3, max(seconds) * 1e3
    return f"`import gotrace` after numpy: {statistics.median(seconds) * 1e3:.1f} ms ({low:.1f} to {high:.1f})\n"


PEAK = """
import os, sys
from gotrace.cli import main
result = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
main(sys.argv[1:])
sys.stdout.flush()
os.write(result, open("/proc/self/status").read().split("VmHWM:")[1].split()[0].encode())
"""


def peak(*args: str | Path, stdin: IO[bytes] | None = None) -> float:
    """Peak memory of a gotrace command in MB (10**6 bytes), mapped files included."""
    command = [sys.executable, "-c", PEAK, *args]
    return int(subprocess.run(command, check=True, stdin=stdin, stdout=subprocess.PIPE).stdout) * 1024 / 1e6


def encoding(trace: gotrace.Trace) -> dict[str, Task]:
    """Encode the experimental events of a trace as events of one thread."""
    rows = trace.experimental.to_numpy()
    if not len(rows):
        return {}
    times = np.maximum.accumulate(rows["time"]).astype(np.uint64)
    types, args = rows["type"].copy(), rows["args"].copy()
    task = partial(second, lambda: Writer(26).events(1, 1, types, times, args))
    return {f"{len(rows):,} experimental events encoded": task}


BARE = "Go's reader, bare"
ALSO = ", two threads"
READS: dict[str, Callable[[gotrace.Trace], object]] = {
    "alloc/free rows": lambda trace: sum(map(len, trace.iterate("allocs"))),
    "alloc/free rows in 1 MB chunks": lambda trace: sum(map(len, trace.iterate("allocs", step_size="1 MB"))),
    "heap by type": lambda trace: trace.heap(),
    "events in order": lambda trace: sum(map(len, trace.iterate("events"))),
    "events in order in 1 MB chunks": lambda trace: sum(map(len, trace.iterate("events", step_size="1 MB"))),
}


def reading(one: gotrace.Trace, two: gotrace.Trace) -> dict[str, Task]:
    """Tasks that read all events, with one thread and with two."""
    return {
        what + also: partial(second, partial(read, trace))
        for what, read in READS.items()
        for trace, also in ((one, ""), (two, ALSO))
    }


def measure(path: Path, program: Path, tool: Path | None, runs: int) -> dict[str, Any]:
    """Measure one trace. Text is timed only with Go's tool to compare with, which runs once."""
    command = Path(sys.executable).with_name("gotrace")
    with gotrace.open(path) as one, gotrace.open(path, jobs=2) as two:
        generations = one.generations.to_numpy()
        tasks: dict[str, Task] = {
            BARE: partial(walk, program, path, "bare"),
            "Go's reader, alloc/free rows": partial(walk, program, path, "rows"),
            "decode and count": partial(second, lambda: one.generations.to_numpy()),
            **reading(one, two),
            **encoding(one),
            "gotrace heap, whole process": process([command, "heap", path]),
            "gotrace stats, whole process": process([command, "stats", path]),
            "gotrace report, whole process": process([command, "report", path, "-q", "-f", "-o", os.devnull]),
            "gotrace heap, whole process, cold": cold([command, "heap", path], path),
            "Go's reader, bare, whole process, cold": cold([program, path, "bare", "1"], path),
        }
        if tool is not None:
            tasks["gotrace dump --mode wire, whole process"] = process([command, "dump", "--mode", "wire", path])
            tasks["gotrace dump, whole process"] = process([command, "dump", path])
        rounds = [{what: task() for what, task in tasks.items()} for _ in range(runs + 1)][1:]
    seconds = {what: [row[what] for row in rounds] for what in tasks}
    if tool is not None:
        for mode in ("wire", "parsed"):
            seconds[f"go tool trace -d={mode}"] = [process([tool, f"-d={mode}", path])()]
    events = int(generations["events"].sum())
    return {
        "trace": path.name,
        "events": events,
        "bytes": path.stat().st_size,
        "generations": len(generations),
        "peak_mb": {command: peak(command, path) for command in ("heap", "info")},
        "rows": [
            {
                "what": what,
                "median_s": statistics.median(took),
                "min_s": min(took),
                "max_s": max(took),
                "events_per_s": events / statistics.median(took),
                "bytes_per_s": path.stat().st_size / statistics.median(took),
                "times_go_bare": ratio(seconds[BARE], took),
                "times_one_thread": ratio(seconds[what.removesuffix(ALSO)], took) if what.endswith(ALSO) else None,
            }
            for what, took in seconds.items()
        ],
    }


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """Speed-up in the median round; Go's text has one round only."""
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=False))


def table(result: dict[str, Any]) -> str:
    """Return a result as a Markdown table."""
    lines = [
        f"**{result['trace']}**: {result['events']:,} events, {result['bytes']:,} bytes, "
        f"{result['generations']:,} generations; peak memory of "
        + ", ".join(f"`gotrace {command}` {size:.0f} MB" for command, size in result["peak_mb"].items()),
        "",
        "| what | median | spread | M events/s | MB/s | times Go's bare reader | times one thread |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['what']} | {row['median_s']:.3f} s | {row['min_s']:.3f} to {row['max_s']:.3f} "
        f"| {row['events_per_s'] / 1e6:.1f} | {row['bytes_per_s'] / 1e6:.0f} | {row['times_go_bare']:.2f} "
        + (f"| {row['times_one_thread']:.2f} |" if row["times_one_thread"] else "| |")
        for row in result["rows"]
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, nargs="+")
    parser.add_argument("-n", "--runs", type=int, default=5)
    parser.add_argument("--no-text", action="store_true", help="skip the text, which takes Go minutes on large files")
    parser.add_argument("--json", action="store_true", help="print one JSON object per trace, one per line")
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
