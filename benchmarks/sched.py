"""Compare the scheduling tables and reports with ``gotrace validate`` and with Go's trace tool.

As in ``fleet.py``: sides take turns, and a ratio is the median of the rounds' ratios. Never here: assertions; no test
measures time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from bench import peak
from columns import Task
from fleet import compare
from support import reference

import gotrace

TABLES = (
    *("states", "goroutines", "goroutine_times", "region_times", "task_times", "pauses", "cycles", "procs"),
    "threads",
)


def all_tables(trace: Path) -> Task:
    """Return a task that reads all scheduling tables in one pass."""

    def task() -> None:
        with gotrace.open(trace) as opened:
            for _ in opened.iterate(TABLES):
                pass

    return task


def valid(trace: Path) -> Task:
    """Return a task that validates a trace."""
    return lambda: gotrace.validate(trace) and None


def cpu_of(command: Sequence[str | Path]) -> float:
    """Return the CPU seconds that a process takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as out:
        subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_all() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path, nargs="+", help="traces with many scheduler events")
    parser.add_argument("-n", "--runs", type=int, default=5)
    args = parser.parse_args()
    tool = reference.trace_tool()
    print("| what | this side | other side | ratio | spread |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for trace in args.traces:
        what = f"{trace.stem}: all scheduling tables / `validate`, CPU"
        print(compare(what, all_tables(trace), (valid(trace),), args.runs), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            export = ["export", trace, "-qf", "-o", Path(folder, "sched.pb.gz"), "--profile"]
            ours = [sys.executable, "-m", "gotrace", *export, "sched"]
            rounds = [(cpu_of(ours), cpu_of([tool, "-pprof=sched", trace])) for _ in range(args.runs)]
            commands: dict[str, list[str | Path]] = {
                **{name: [name, trace] for name in ("goroutines", "sched", "mmu")},
                "report": ["report", trace, "-qfo", Path(folder, "page.html")],
                "export --profile wall": [*export, "wall"],
            }
            peaks = {name: peak(*command) for name, command in commands.items()}
        one, other, ratio = (
            sorted(column)[len(rounds) // 2] for column in zip(*((*r, r[1] / r[0]) for r in rounds), strict=True)
        )
        what = f"{trace.stem}: `go tool trace -pprof=sched` / `export --profile sched`, CPU of the processes"
        print(f"| {what} | {one:.2f} s | {other:.2f} s | {ratio:.1f} | |", flush=True)
        for name, size in peaks.items():
            print(f"| {trace.stem}: peak memory of `{name}` | {size:.0f} MB | | | |", flush=True)


if __name__ == "__main__":
    measure_all()
