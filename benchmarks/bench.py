"""Times gotrace beside Go's own reader on one file, in one run: median, spread, events a second, and the ratio.

Never here: assertions; no test measures time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import reference

import gotrace


def build_walk() -> Path:
    """Build the Go program that walks a trace with Go's reader, once for each toolchain."""
    goroot = reference.toolchain()
    if goroot is None:
        raise SystemExit("the reference is missing: pip install '.[test]'")
    source = Path(__file__).parent / "reference" / "walk.go"
    program = reference.CACHE / "walk"
    reference.CACHE.mkdir(parents=True, exist_ok=True)
    overlay = reference.CACHE / "overlay.json"
    inside = goroot / "src" / "cmd" / "gotracewalk" / "main.go"
    overlay.write_text(json.dumps({"Replace": {str(inside): str(source.resolve())}}))
    command = [goroot / "bin" / "go", "build", "-overlay", overlay, "-o", program, "cmd/gotracewalk"]
    env = {**reference.go_env(goroot), "GO111MODULE": ""}
    subprocess.run(command, check=True, cwd=goroot / "src" / "cmd", env=env)
    return program


def walk(program: Path, trace: Path, mode: str, runs: int) -> list[float]:
    """Seconds of each walk but the first."""
    command = [program, trace, mode, str(runs + 1)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(line.split()[2]) for line in said.splitlines()][1:]


def timed(task: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run but the first."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path)
    parser.add_argument("-n", "--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    args = parser.parse_args()
    program = build_walk()
    with gotrace.open(args.trace) as trace:
        events = int(trace.generations["events"].sum())
        results = {
            "Go's reader, bare": walk(program, args.trace, "bare", args.runs),
            "Go's reader, alloc/free rows": walk(program, args.trace, "rows", args.runs),
            "decode and count": timed(lambda: trace.generations.to_numpy(), args.runs),
            "alloc/free rows": timed(lambda: sum(map(len, trace.iterate("allocs"))), args.runs),
            "heap by type": timed(lambda: trace.heap(), args.runs),
            "wire text": timed(lambda: sum(map(len, trace._wire())), args.runs),
        }
    bare = statistics.median(results["Go's reader, bare"])
    rows = [
        {
            "what": what,
            "median_s": statistics.median(seconds),
            "min_s": min(seconds),
            "max_s": max(seconds),
            "events_per_s": events / statistics.median(seconds),
            "bytes_per_s": args.trace.stat().st_size / statistics.median(seconds),
            "times_go_bare": bare / statistics.median(seconds),
        }
        for what, seconds in results.items()
    ]
    if args.json:
        print(json.dumps({"trace": args.trace.name, "events": events, "runs": args.runs, "rows": rows}))
        return
    print(
        f"{args.trace.name}: {events:,} events, {args.trace.stat().st_size:,} bytes, {args.runs} runs after a warm one"
    )
    for row in rows:
        print(
            f"{row['what']:30} {row['median_s']:8.4f} s ({row['min_s']:.4f} to {row['max_s']:.4f})"
            f" {row['events_per_s'] / 1e6:8.1f} M events/s {row['times_go_bare']:6.2f} x Go's reader"
        )


if __name__ == "__main__":
    main()
